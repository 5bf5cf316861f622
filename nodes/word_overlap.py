"""The words that texts share: how much candidates agree, and which of them are nearly equal."""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import combinations

from nodes.state import Draft

_WORD = re.compile(r"\w+")
_NEARLY_EQUAL = 0.95
"""The F-score of shared words from which on two candidates count as one."""


def agreement(texts: Sequence[str]) -> list[float]:
    """Return the mean similarity of each text to the other ones, in [0, 1]; 0 for a single text."""
    bags = [words(text) for text in texts]
    shares = {(i, j): shared_words(bags[i], bags[j]) for i, j in combinations(range(len(bags)), 2)}
    count = max(1, len(texts) - 1)
    return [
        sum(shares[min(i, j), max(i, j)] for j in range(len(bags)) if j != i) / count
        for i in range(len(bags))
    ]


def words(text: str) -> Counter[str]:
    """Return the words of a text in lower case, with their numbers."""
    return Counter(_WORD.findall(text.lower()))


def shared_words(left: Counter[str], right: Counter[str]) -> float:
    """Return the F-score of the words that two texts share; 0 if either text is empty.

    ROUGE-1 (Lin 2004) without stemming: a word counts as often as both texts have it.
    """
    total = left.total() + right.total()
    return 2 * (left & right).total() / total if total else 0.0


def distinct(candidates: Sequence[Draft]) -> list[Draft]:
    """Return the candidates without empty ones, and one for several that are nearly equal.

    Of those it is the first, but the answer of a passage goes before its copies: more is known of it.
    If all candidates are empty, the first one stays.
    """
    bags: list[Counter[str]] = []
    drafts: list[Draft] = []
    for draft in [draft for draft in candidates if draft["text"].strip()] or candidates[:1]:
        bag = words(draft["text"])
        shares = [shared_words(bag, earlier) for earlier in bags]
        if max(shares, default=0.0) < _NEARLY_EQUAL:
            bags.append(bag)
            drafts.append(draft)
            continue
        position = shares.index(max(shares))
        if "passage" in draft and "passage" not in drafts[position]:
            drafts[position] = draft
    return drafts

"""The node consensus: the candidate that is most similar to the other ones is the answer.

It reranks without a model.
"""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from time import perf_counter

from nodes.choice import all_candidates, choice_update, index_of_highest
from nodes.state import RerankUpdate, State

_WORD = re.compile(r"\w+")


def consensus(state: State, *, node: str) -> RerankUpdate:
    """Choose the candidate with the highest mean similarity to the other ones.

    Minimum Bayes risk over the samples (Kumar and Byrne 2004; Bertsch et al. 2023,
    arXiv:2310.01387), with the F-score of shared words as the gain. A tie goes to the earlier
    candidate.
    """
    start = perf_counter()
    candidates = all_candidates(state)
    agreements = agreement([draft["text"] for draft in candidates])
    chosen = index_of_highest(agreements)
    return choice_update(
        {"node": node, "seconds": perf_counter() - start, "agreements": agreements},
        candidates,
        chosen,
    )


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

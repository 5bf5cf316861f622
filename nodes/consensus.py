"""rerank by consensus: choose the draft that the other drafts agree with most; asks no model."""

import re
from collections import Counter
from collections.abc import Sequence
from time import perf_counter

from nodes.controls import pool
from nodes.state import Reranked, State

_WORD = re.compile(r"\w+")


def consensus(state: State, *, step: str) -> Reranked:
    """Put the candidate with the highest mean similarity to the others in `answer`.

    Minimum Bayes risk over the samples (Kumar and Byrne 2004; Bertsch et al. 2023,
    arXiv:2310.01387), with the F-score of shared words as the gain. A tie goes to the earlier draft.
    """
    start = perf_counter()
    candidates = pool(state)
    agreements = agreement([draft["text"] for draft in candidates])
    chosen = most_agreed(agreements)
    answer = candidates[chosen]
    return {
        "answer": answer["text"],
        "reasoning": answer["reasoning"],
        "steps": [
            {
                "node": step,
                "seconds": perf_counter() - start,
                "agreements": agreements,
                "candidates": candidates,
                "chosen": chosen,
                "answer": answer["text"],
            }
        ],
    }


def most_agreed(agreements: Sequence[float]) -> int:
    """Return the index of the highest; the first of equals."""
    return max(range(len(agreements)), key=lambda index: (round(agreements[index], 9), -index))


def agreement(texts: list[str]) -> list[float]:
    """Return the mean similarity of each text to the others, in [0, 1]; 0 for a single one."""
    words = [Counter(_WORD.findall(text.lower())) for text in texts]
    others = max(1, len(texts) - 1)
    return [
        sum(shared_words(one, other) for place, other in enumerate(words) if place != index)
        / others
        for index, one in enumerate(words)
    ]


def shared_words(one: Counter[str], other: Counter[str]) -> float:
    """Return the F-score of the words that two texts share, each as often as both have it.

    ROUGE-1 (Lin 2004) without stemming; 0 where either is empty.
    """
    total = one.total() + other.total()
    return 2 * (one & other).total() / total if total else 0.0

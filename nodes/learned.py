"""The node learned: the candidate with the highest score of a fitted formula is the answer.

It reranks without a model that writes, and without a reference answer.
"""

from collections import Counter
from collections.abc import Sequence
from time import perf_counter

from nodes.choice import CandidateScorer, all_candidates, choice_update, index_of_highest
from nodes.consensus import shared_words, words
from nodes.state import Draft, RerankUpdate, State

_NEARLY_EQUAL = 0.95
"""The F-score of shared words from which on two candidates count as one."""


def learned(state: State, *, scorer: CandidateScorer, node: str) -> RerankUpdate:
    """Choose the candidate with the highest score; a tie goes to the earlier one.

    The reviewed answer is a candidate beside its refinements, so that a refinement has to win.
    """
    start = perf_counter()
    candidates = distinct([*all_candidates(state), *_reviewed(state)])
    scores = scorer.score(state["question"], candidates, state["passages"])
    chosen = index_of_highest([score["score"] for score in scores])
    update = choice_update(
        {"node": node, "seconds": perf_counter() - start, "scores": scores}, candidates, chosen
    )
    if "expected" in scores[chosen]:
        update["expected_score"] = scores[chosen]["expected"]
    return update


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


def _reviewed(state: State) -> list[Draft]:
    if not state.get("reviewed"):
        return []
    return [
        {
            "text": state["reviewed"],
            "reasoning": state.get("reasoning", ""),
            "source": "reviewed",
        }
    ]

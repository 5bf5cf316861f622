"""The node learned: the candidate with the highest score of a fitted formula is the answer.

It reranks without a model that writes, and without a reference answer.
"""

from time import perf_counter

from nodes.choice import CandidateScorer, all_candidates, choice_update, index_of_highest
from nodes.state import Draft, RerankUpdate, State
from nodes.word_overlap import distinct


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

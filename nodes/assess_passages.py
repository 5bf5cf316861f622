"""The node assess_passages: weak passages stay out of the prompts."""

from time import perf_counter

from nodes.choice import CandidateScorer, passage_candidates
from nodes.state import AssessUpdate, State
from nodes.word_overlap import distinct


def assess_passages(
    state: State, *, scorer: CandidateScorer, closed_book_below: float
) -> AssessUpdate:
    """Show no passage in the prompts if the best answer of those to be shown is expected to be weak.

    A gate before the writing, as in corrective retrieval (Yan et al. 2024, arXiv:2401.15884), by a
    formula instead of a model. Weak is an expected score below `closed_book_below`; a passage without an
    answer has none, and counts as 0.
    """
    start = perf_counter()
    # Copies of a post would agree with each other.
    candidates = distinct(passage_candidates(state["passages"]))
    scores = scorer.score(state["question"], candidates, state["passages"]) if candidates else []
    # Only the shown ones count, but the features of each compare it with all.
    shown = zip(candidates, scores, strict=True)
    expected = [s["expected"] for draft, s in shown if draft["passage"] <= state["prompt_passages"]]
    best = max(expected, default=0.0)
    is_closed_book = best < closed_book_below
    return {
        "prompt_passages": 0 if is_closed_book else state["prompt_passages"],
        "steps": [
            {
                "node": "assess_passages",
                "seconds": perf_counter() - start,
                "expected_score": best,
                "closed_book": is_closed_book,
            }
        ],
    }

"""The node assess_passages: weak passages stay out of the prompts."""

from time import perf_counter

from nodes.choice import CandidateScorer, answer_of
from nodes.state import AssessUpdate, Draft, State
from nodes.word_overlap import distinct


def assess_passages(
    state: State, *, scorer: CandidateScorer, closed_book_below: float
) -> AssessUpdate:
    """Show no passage in the prompts if no answer of those to be shown has the expected score.

    A gate before the writing, as in corrective retrieval (Yan et al. 2024, arXiv:2401.15884), by a
    formula instead of a model. Passages without an answer count as weak.
    """
    start = perf_counter()
    candidates: list[Draft] = [
        {"text": text, "reasoning": "", "source": "passage", "passage": passage["number"]}
        for passage in state["passages"]
        if (text := answer_of(passage))
    ]
    # Copies of a post would agree with each other.
    candidates = distinct(candidates)
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

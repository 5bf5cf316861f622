"""The node abstain: no answer is better than a weak one."""

from nodes.state import AbstainUpdate, Passage, State

NO_ANSWER = "No answer was found."
_NEAREST = 5
"""The largest number of passages that an abstention names."""


def abstain(state: State, *, threshold: float) -> AbstainUpdate:
    """Replace an answer whose expected score is below the threshold by the numbers of the nearest posts.

    An empty answer is replaced at any threshold.
    """
    expected = state["expected_score"] if state["answer"] else 0.0
    is_weak = not state["answer"] or expected < threshold
    answer = abstention(state["passages"]) if is_weak else state["answer"]
    return {
        "answer": answer,
        "abstained": is_weak,
        "steps": [
            {
                "node": "abstain",
                "expected_score": expected,
                "abstained": is_weak,
                "answer": answer,
            }
        ],
    }


def abstention(passages: list[Passage]) -> str:
    """Return the text of an abstention; it cites the nearest posts, which the client shows beside it."""
    numbers = ", ".join(f"[{passage['number']}]" for passage in passages[:_NEAREST])
    return f"{NO_ANSWER} The nearest posts: {numbers}." if numbers else NO_ANSWER

"""The node abstain: no answer is better than a weak one."""

from nodes.state import AbstainUpdate, Passage, State, Step

NO_ANSWER = "No answer was found."
_NEAREST = 5
"""The largest number of passages that an abstention names."""


def abstain(state: State, *, threshold: float) -> AbstainUpdate:
    """Replace an answer whose expected score is below the threshold by the numbers of the nearest posts.

    An empty answer is replaced at any threshold.
    """
    expected = state["expected_score"] if state["answer"] else 0.0
    is_weak = expected < threshold
    step: Step = {"node": "abstain", "expected_score": expected, "withheld": is_weak}
    answer = state["answer"]
    if is_weak:
        answer = step["answer"] = abstention(state["passages"])
    return {"answer": answer, "withheld": is_weak, "steps": [step]}


def abstention(passages: list[Passage]) -> str:
    """Return the text of an abstention; it cites the nearest posts, which the client shows beside it."""
    numbers = ", ".join(f"[{passage['number']}]" for passage in passages[:_NEAREST])
    return f"{NO_ANSWER} The nearest posts: {numbers}." if numbers else NO_ANSWER

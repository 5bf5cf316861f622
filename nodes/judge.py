"""The node judge: it compares the answer with the reference and scores how acceptable it is."""

from nodes.model import Chooser, Prompt, Verdict
from nodes.state import JudgedState, JudgeUpdate
from prompts import judge_prompts as texts
from prompts.context import quoted


def judge(state: JudgedState, *, chooser: Chooser) -> JudgeUpdate:
    """Score the answer in [0, 1]: the expected grade, 0 to 4, divided by 4.

    The expectation over the grades' probabilities follows G-Eval (Liu et al. 2023,
    arXiv:2303.16634). No text of the judge is parsed, so no text in an answer can pass for a grade. An
    abstention is unscored.
    """
    if state.get("withheld"):
        return {"score": None, "steps": [{"node": "judge", "score": None}]}
    prompt = Prompt(
        template=texts.JUDGE,
        whole={"question": quoted(state["question"])},
        cuttable={
            "reference": quoted(state["reference"]),
            "answer": quoted(state["answer"]),
        },
    )
    try:
        verdict = chooser.choose([prompt], texts.GRADES)[0]
    except Exception as error:  # a failed judge must not cost the answer: the question is unscored
        reason = f"{type(error).__name__}: {error}"
        return {"score": None, "steps": [{"node": "judge", "score": None, "error": reason}]}
    score = expected_score(verdict)
    return {
        "score": score,
        "steps": [
            {
                "node": "judge",
                "seconds": verdict["seconds"],
                "verdicts": [verdict],
                "score": score,
            }
        ],
    }


def expected_score(verdict: Verdict) -> float | None:
    """Return the score in [0, 1] of a verdict over the grades 0 to 4; None if it is unscored."""
    if verdict["choice"] is None:
        return None
    if verdict["probabilities"] is None:
        return int(verdict["choice"]) / 4
    return sum(int(grade) * share for grade, share in verdict["probabilities"].items()) / 4

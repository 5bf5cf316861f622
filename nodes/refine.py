"""refine: write the answer again with the critique in hand."""

from nodes.model import TextModel
from nodes.prompting import ask
from nodes.replies import clean
from nodes.state import Draft, Refined, State
from prompts import refine as texts


def refine(
    state: State, *, model: TextModel, drafts: int, temperature: float, max_new_tokens: int
) -> Refined:
    """Write `drafts` improved answers.

    A refinement that comes back empty keeps the text it was to improve: losing an answer is no
    improvement.
    """
    points = "\n".join(f"{number}. {point}" for number, point in enumerate(state["points"], 1))
    prompt = ask(state, texts.REFINE, points=points, draft=state["answer"])
    replies = model.write([prompt] * drafts, max_new_tokens=max_new_tokens, temperature=temperature)
    candidates: list[Draft] = [
        {"text": clean(reply["text"]) or state["answer"], "reasoning": state.get("reasoning", "")}
        for reply in replies
    ]
    return {
        "candidates": candidates,
        "answer": candidates[0]["text"],
        "reasoning": candidates[0]["reasoning"],
        "reviewed": state["answer"],
        "rounds": state.get("rounds", 0) + 1,
        "steps": [
            {
                "node": "refine",
                "seconds": sum(reply["seconds"] for reply in replies),
                "replies": replies,
                "candidates": candidates,
                "answer": candidates[0]["text"],
            }
        ],
    }

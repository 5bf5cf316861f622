"""The node refine: it writes the answer again, with the points of the critique."""

from collections.abc import Sequence

from nodes.model import Reserve, TextModel
from nodes.prompting import build_prompt, shown_passages
from nodes.replies import clean
from nodes.state import Draft, RefineUpdate, State
from prompts import refine_prompts as texts


def refine(
    state: State,
    *,
    model: TextModel,
    drafts: int,
    temperature: float,
    max_new_tokens: int,
    reserves: Sequence[Reserve] = (),
) -> RefineUpdate:
    """Write `drafts` improved answers.

    An empty refinement is replaced by the reviewed answer: losing an answer is no improvement.
    """
    points = "\n".join(f"{number}. {point}" for number, point in enumerate(state["points"], 1))
    template = texts.REFINE if shown_passages(state) else texts.REFINE_ALONE
    prompt = build_prompt(state, template, reserves, draft=state["answer"], points=points)
    replies = model.write([prompt] * drafts, max_new_tokens=max_new_tokens, temperature=temperature)
    texts_written = [clean(reply["text"], reply["prompt"]) for reply in replies]
    candidates: list[Draft] = [
        {
            "text": text or state["answer"],
            "reasoning": state.get("reasoning", ""),
            "source": "refinement" if text else "reviewed",
        }
        for text in texts_written
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

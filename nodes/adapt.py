"""The node adapt: the model rewrites the answer of a passage for the question."""

from collections.abc import Sequence

from nodes.model import Reserve, TextModel
from nodes.prompting import build_prompt
from nodes.replies import clean
from nodes.state import Draft, DraftUpdate, State
from prompts.adapt_prompts import ADAPT


def adapt(
    state: State,
    *,
    model: TextModel,
    drafts: int,
    temperature: float,
    max_new_tokens: int,
    reserves: Sequence[Reserve] = (),
) -> DraftUpdate:
    """Write `drafts` adaptations of the current answer; without one, there is nothing to adapt.

    An empty adaptation is replaced by the answer before it: losing an answer is no improvement.
    """
    replies = []
    if state["answer"]:
        prompt = build_prompt(state, ADAPT, reserves, draft=state["answer"])
        replies = model.write(
            [prompt] * drafts, max_new_tokens=max_new_tokens, temperature=temperature
        )
    candidates: list[Draft] = [
        {
            "text": clean(reply["text"], reply["prompt"]) or state["answer"],
            "reasoning": "",
            "source": "adaptation",
        }
        for reply in replies
    ] or [{"text": state["answer"], "reasoning": "", "source": "adaptation"}]
    return {
        "passages": state["passages"],
        "candidates": candidates,
        "answer": candidates[0]["text"],
        "reasoning": "",
        "steps": [
            {
                "node": "adapt",
                "seconds": sum(reply["seconds"] for reply in replies),
                "replies": replies,
                "candidates": candidates,
                "answer": candidates[0]["text"],
            }
        ],
    }

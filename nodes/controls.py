"""controls: answers that need no retrieval or no model, as candidates beside the drafts."""

from collections.abc import Sequence

from nodes.extract import first_answer
from nodes.generate import draft_alone
from nodes.model import Reply, TextModel
from nodes.state import Control, Controlled, Draft, State


def controls(
    state: State,
    *,
    model: TextModel,
    kinds: Sequence[Control],
    temperature: float,
    max_new_tokens: int,
) -> Controlled:
    """Make the answers that a pipeline has to beat, so that reranking can choose them.

    `extract` is the answer of the first passage, left out where none was found; `baseline` is what
    the model writes without passages.
    """
    replies: list[Reply] = []
    made: list[Draft] = []
    if "extract" in kinds and (text := first_answer(state["passages"])):
        made.append({"text": text, "reasoning": ""})
    if "baseline" in kinds:
        reply, draft = draft_alone(
            state, model=model, temperature=temperature, max_new_tokens=max_new_tokens
        )
        replies.append(reply)
        made.append(draft)
    return {
        "controls": made,
        "steps": [
            {
                "node": "controls",
                "seconds": sum(reply["seconds"] for reply in replies),
                "replies": replies,
                "candidates": made,
            }
        ],
    }


def pool(state: State) -> list[Draft]:
    """Return what is chosen from: the newest drafts, then the control answers if there are any."""
    return [*state["candidates"], *state.get("controls", [])]

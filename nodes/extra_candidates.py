"""The node extra_candidates: answers without a model or without passages, beside the drafts."""

from collections.abc import Sequence
from typing import Literal

from nodes.choice import first_answer
from nodes.model import Reply, TextModel
from nodes.prompting import answer_prompt
from nodes.replies import clean
from nodes.state import Draft, ExtraCandidatesUpdate, State


def extra_candidates(
    state: State,
    *,
    model: TextModel,
    kinds: Sequence[Literal["extract", "baseline"]],
    temperature: float,
    max_new_tokens: int,
) -> ExtraCandidatesUpdate:
    """Collect the answers that a pipeline has to beat, so that reranking can choose them.

    `extract` is the answer of the first passage, left out if no passage was retrieved; `baseline` is
    a draft that the model writes without passages.
    """
    replies: list[Reply] = []
    candidates: list[Draft] = []
    if "extract" in kinds and (text := first_answer(state["passages"])):
        candidates.append({"text": text, "reasoning": ""})
    if "baseline" in kinds:
        prompt = answer_prompt({"question": state["question"]})
        replies = model.write([prompt], max_new_tokens=max_new_tokens, temperature=temperature)
        candidates.append(
            {"text": clean(replies[0]["text"], replies[0]["prompt"]), "reasoning": ""}
        )
    return {
        "extra_candidates": candidates,
        "steps": [
            {
                "node": "extra_candidates",
                "seconds": sum(reply["seconds"] for reply in replies),
                "replies": replies,
                "candidates": candidates,
            }
        ],
    }

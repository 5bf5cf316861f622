"""The node extra_candidates: answers without a model or without passages, beside the drafts."""

from collections.abc import Sequence
from typing import Literal

from nodes.choice import passage_candidates
from nodes.model import Reply, TextModel
from nodes.prompting import answer_prompt
from nodes.replies import clean
from nodes.state import Draft, ExtraCandidatesUpdate, State


def extra_candidates(
    state: State,
    *,
    model: TextModel,
    kinds: Sequence[Literal["extract", "passages", "baseline"]],
    temperature: float,
    max_new_tokens: int,
) -> ExtraCandidatesUpdate:
    """Collect the answers that a pipeline has to beat, so that reranking can choose them.

    `passages` are the answers of all passages, and `extract` is that of the first one; empty ones are
    left out. `baseline` is a draft that the model writes without passages.
    """
    replies: list[Reply] = []
    candidates: list[Draft] = []
    passages = state["passages"] if "passages" in kinds else state["passages"][:1]
    if {"extract", "passages"}.intersection(kinds):
        candidates += passage_candidates(passages)
    if "baseline" in kinds:
        prompt = answer_prompt({"question": state["question"]})
        replies = model.write([prompt], max_new_tokens=max_new_tokens, temperature=temperature)
        text = clean(replies[0]["text"], replies[0]["prompt"])
        candidates.append({"text": text, "reasoning": "", "source": "baseline"})
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

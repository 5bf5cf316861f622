"""The node generate: it writes one draft, or several to choose from."""

from collections.abc import Sequence

from nodes.model import Reply, Reserve, TextModel
from nodes.prompting import answer_prompt, build_prompt, shown_passages
from nodes.replies import clean
from nodes.state import Draft, DraftUpdate, State
from prompts import generate_prompts as texts


def generate(
    state: State,
    *,
    model: TextModel,
    drafts: int,
    temperature: float,
    max_new_tokens: int,
    cot: bool,
    reserves: Sequence[Reserve] = (),
) -> DraftUpdate:
    """Write `drafts` answers to the question.

    With chain of thought there are two calls a draft, one for the reasoning and one for the answer,
    so that no reply has to be split (zero-shot-CoT, Kojima et al. 2022, arXiv:2205.11916).
    """
    thoughts: list[Reply] = []
    reasonings = [""] * drafts
    prompts = [answer_prompt(state, reserves)] * drafts
    if cot:
        reason, answer_from = texts.REASON, texts.ANSWER_FROM
        if not shown_passages(state):
            reason, answer_from = texts.REASON_ALONE, texts.ANSWER_FROM_ALONE
        thoughts = model.write(
            [build_prompt(state, reason, reserves)] * drafts,
            max_new_tokens=max_new_tokens,
            temperature=temperature,
        )
        reasonings = [clean(thought["text"], thought["prompt"]) for thought in thoughts]
        prompts = [
            build_prompt(state, answer_from, reserves, reasoning=reasoning)
            for reasoning in reasonings
        ]
    answers = model.write(prompts, max_new_tokens=max_new_tokens, temperature=temperature)
    candidates: list[Draft] = [
        {
            "text": clean(answer["text"], answer["prompt"]),
            "reasoning": reasoning,
            "source": "draft" if shown_passages(state) else "baseline",
        }
        for answer, reasoning in zip(answers, reasonings, strict=True)
    ]
    replies = [*thoughts, *answers]
    return {
        "passages": state.get("passages", []),
        "candidates": candidates,
        "answer": candidates[0]["text"],
        "reasoning": candidates[0]["reasoning"],
        "steps": [
            {
                "node": "generate",
                "seconds": sum(reply["seconds"] for reply in replies),
                "replies": replies,
                "candidates": candidates,
                "answer": candidates[0]["text"],
            }
        ],
    }

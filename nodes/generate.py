"""generate: write one draft, or several to choose from."""

from nodes.model import Reply, TextModel
from nodes.prompting import ask
from nodes.replies import clean
from nodes.state import Draft, Drafted, State
from prompts import generate as texts


def generate(
    state: State,
    *,
    model: TextModel,
    drafts: int,
    temperature: float,
    max_new_tokens: int,
    cot: bool,
) -> Drafted:
    """Write `drafts` answers.

    With chain of thought the model is asked twice, first for its reasoning, then for the answer
    that follows from it, so that the two never have to be told apart by parsing
    (zero-shot-CoT, Kojima et al. 2022, arXiv:2205.11916, section 3).
    """
    thoughts: list[Reply] = []
    if cot:
        prompt = ask(state, texts.REASON)
        thoughts = model.write(
            [prompt] * drafts, max_new_tokens=max_new_tokens, temperature=temperature
        )
        prompts = [ask(state, texts.ANSWER_FROM, reasoning=clean(t["text"])) for t in thoughts]
    else:
        template = texts.ANSWER if state.get("passages") else texts.ANSWER_ALONE
        prompts = [ask(state, template)] * drafts
    replies = model.write(prompts, max_new_tokens=max_new_tokens, temperature=temperature)
    reasonings = [clean(thought["text"]) for thought in thoughts] or [""] * drafts
    candidates: list[Draft] = [
        {"text": clean(reply["text"]), "reasoning": reasoning}
        for reply, reasoning in zip(replies, reasonings, strict=True)
    ]
    return {
        "passages": state.get("passages", []),
        "candidates": candidates,
        "answer": candidates[0]["text"],
        "reasoning": candidates[0]["reasoning"],
        "steps": [
            {
                "node": "generate",
                "seconds": sum(reply["seconds"] for reply in [*thoughts, *replies]),
                "replies": [*thoughts, *replies],
                "candidates": candidates,
                "answer": candidates[0]["text"],
            }
        ],
    }

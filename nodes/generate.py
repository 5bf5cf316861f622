"""generate: write one draft, or several to choose from."""

from nodes.model import Prompt, Reply, TextModel
from nodes.prompting import ask
from nodes.replies import clean
from nodes.state import Draft, Drafted, State, Step
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

    With chain of thought the model is asked twice, for its reasoning and then for the answer, so
    that nothing has to be parsed apart (zero-shot-CoT, Kojima et al. 2022, arXiv:2205.11916).
    """
    thoughts: list[Reply] = []
    reasonings = [""] * drafts
    if cot:
        asked = [ask(state, texts.REASON)] * drafts
        thoughts = model.write(asked, max_new_tokens=max_new_tokens, temperature=temperature)
        reasonings = [clean(thought["text"]) for thought in thoughts]
    replies = model.write(
        [_answer_prompt(state, reasoning, cot=cot) for reasoning in reasonings],
        max_new_tokens=max_new_tokens,
        temperature=temperature,
    )
    drafted = zip(replies, reasonings, strict=True)
    candidates: list[Draft] = [{"text": clean(r["text"]), "reasoning": why} for r, why in drafted]
    spent = [*thoughts, *replies]
    return {
        "passages": state.get("passages", []),
        "candidates": candidates,
        "answer": candidates[0]["text"],
        "reasoning": candidates[0]["reasoning"],
        "steps": [_step(spent, candidates)],
    }


def draft_alone(
    state: State, *, model: TextModel, temperature: float, max_new_tokens: int
) -> tuple[Reply, Draft]:
    """Write one draft as if no passage had been found."""
    prompt = ask({"question": state["question"]}, texts.ANSWER_ALONE)
    reply = model.write([prompt], max_new_tokens=max_new_tokens, temperature=temperature)[0]
    return reply, {"text": clean(reply["text"]), "reasoning": ""}


def _step(spent: list[Reply], candidates: list[Draft]) -> Step:
    return {
        "node": "generate",
        "seconds": sum(reply["seconds"] for reply in spent),
        "replies": spent,
        "candidates": candidates,
        "answer": candidates[0]["text"],
    }


def _answer_prompt(state: State, reasoning: str, *, cot: bool) -> Prompt:
    if cot:
        return ask(state, texts.ANSWER_FROM, reasoning=reasoning)
    return ask(state, texts.ANSWER if state.get("passages") else texts.ANSWER_ALONE)

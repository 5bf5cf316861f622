"""Prompts of a state: question and passages, then the texts that a node adds."""

from collections.abc import Sequence
from itertools import combinations

from langchain_core.prompts import PromptTemplate

from nodes.model import Prompt, Quote
from nodes.state import Draft, State
from prompts.context import boundary, heading, quoted
from prompts.rerank import COMPARE


def build_prompt(
    state: State, template: PromptTemplate, whole: dict[str, str] | None = None, **cuttable: str
) -> Prompt:
    """Build the prompt of one node.

    Args:
        state: Its question and passages come first, so that all prompts of a question share them.
        template: The instruction, with a variable for each value.
        whole: Further values that are never cut; they are not quoted.
        cuttable: Further values that the model may cut to its window.
    """
    passages = state.get("passages", [])
    context = [state["question"], *(text for p in passages for text in (p["title"], p["text"]))]
    return Prompt(
        template=template,
        whole={
            "question": quoted(state["question"]),
            "boundary": boundary(context, list(cuttable.values())),
            **(whole or {}),
        },
        passages=tuple(
            Quote(heading(passage["number"], passage["title"]), quoted(passage["text"]))
            for passage in passages
        ),
        cuttable={name: quoted(text) for name, text in cuttable.items()},
    )


def comparison_prompts(state: State, candidates: Sequence[Draft]) -> list[Prompt]:
    """Build two prompts for each pair of candidates: one for each order.

    Judges favour a position (Zheng et al. 2023, arXiv:2306.05685). The pairs are in the order of
    `itertools.combinations`; the first prompt of a pair has its first candidate as A.
    """
    return [
        build_prompt(state, COMPARE, draft_a=a["text"], draft_b=b["text"])
        for first, second in combinations(candidates, 2)
        for a, b in ((first, second), (second, first))
    ]

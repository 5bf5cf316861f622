"""Prompts of a state: the context that all steps of a question share, then the step's own part."""

from collections.abc import Sequence
from itertools import combinations

from langchain_core.prompts import PromptTemplate

from nodes.model import Context, Prompt, Quote, Reserve
from nodes.state import Draft, Passage, State
from prompts.context import CONTEXT, QUESTION, boundaries, heading, quoted
from prompts.generate_prompts import ANSWER, ANSWER_ALONE
from prompts.rerank_prompts import COMPARE


def build_prompt(
    state: State,
    template: PromptTemplate,
    reserves: Sequence[Reserve] = (),
    *,
    whole: dict[str, str] | None = None,
    **cuttable: str,
) -> Prompt:
    """Build the prompt of one node.

    Args:
        state: Its question and passages are the context.
        template: The node's own part, with a variable for each value.
        reserves: The steps of the question, so that all of them cut the passages alike.
        whole: Values that are never cut; they are not quoted.
        cuttable: Values that the model may cut to its window.
    """
    passages = shown_passages(state)
    texts = [state["question"], *(text for p in passages for text in (p["title"], p["text"]))]
    of_context, of_step = boundaries(texts, list(cuttable.values()))
    return Prompt(
        template=template,
        whole={"boundary": of_step, **(whole or {})},
        cuttable={name: quoted(text) for name, text in cuttable.items()},
        context=Context(
            template=CONTEXT if passages else QUESTION,
            question=quoted(state["question"]),
            boundary=of_context,
            passages=tuple(
                Quote(heading(passage["number"], passage["title"]), quoted(passage["text"]))
                for passage in passages
            ),
            reserves=tuple(reserves),
        ),
    )


def shown_passages(state: State) -> list[Passage]:
    """Return the passages that the prompts show."""
    return state.get("passages", [])[: state.get("prompt_passages")]


def answer_prompt(state: State, reserves: Sequence[Reserve] = ()) -> Prompt:
    """Build the prompt for an answer without notes; if it shows no passages, it mentions none."""
    return build_prompt(state, ANSWER if shown_passages(state) else ANSWER_ALONE, reserves)


def comparison_prompts(
    state: State, candidates: Sequence[Draft], reserves: Sequence[Reserve] = ()
) -> list[Prompt]:
    """Build two prompts for each pair of candidates: one for each order.

    Judges favour a position (Zheng et al. 2023, arXiv:2306.05685). The pairs are in the order of
    `itertools.combinations`; the first prompt of a pair has its first candidate as A.
    """
    return [
        build_prompt(state, COMPARE, reserves, draft_a=a["text"], draft_b=b["text"])
        for first, second in combinations(candidates, 2)
        for a, b in ((first, second), (second, first))
    ]

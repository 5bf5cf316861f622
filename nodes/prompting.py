"""How a state is put into a prompt: the part that all steps of a question share."""

from langchain_core.prompts import PromptTemplate

from nodes.model import Prompt, Quote
from nodes.state import State
from prompts.context import heading, quoted


def ask(
    state: State, template: PromptTemplate, whole: dict[str, str] | None = None, **cuttable: str
) -> Prompt:
    """Build the prompt of one step: question and passages, then what the step adds."""
    return Prompt(
        template=template,
        whole={"question": quoted(state["question"]), **(whole or {})},
        passages=tuple(
            Quote(heading(passage["number"], passage["title"]), quoted(passage["text"]))
            for passage in state.get("passages", [])
        ),
        cuttable={name: quoted(text) for name, text in cuttable.items()},
    )

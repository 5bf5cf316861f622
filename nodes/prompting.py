"""How a state is put into a prompt: the part that all steps of a question share."""

from langchain_core.prompts import PromptTemplate

from nodes.model import Prompt, Quote
from nodes.state import State
from prompts import context


def ask(state: State, template: PromptTemplate, whole: dict[str, str], **cuttable: str) -> Prompt:
    """Build the prompt of one step: question and passages, then what the step adds."""
    passages = state.get("passages", [])
    border = context.border(state["question"], *(passage["text"] for passage in passages))
    return Prompt(
        template=template,
        whole={"question": state["question"], "border": border, **whole},
        passages=tuple(
            Quote(context.heading(border, passage["number"], passage["title"]), passage["text"])
            for passage in passages
        ),
        cuttable=cuttable,
    )

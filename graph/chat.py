"""The chat graph: a conversation in, its next message out, for clients that exchange messages."""

import re
from typing import Annotated, Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.constants import TAG_NOSTREAM
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.graph.state import CompiledStateGraph
from typing_extensions import TypedDict

from graph.build import AnsweringGraph
from graph.markdown.elements import link_target
from graph.support.errors import ConfigError
from graph.support.text import one_line
from nodes.state import AnswerOutput, Passage, QuestionInput

_MARKUP = re.compile(r"[\\`*_\[\]<>&!~|]")
"""Characters that could spell a link, a picture or HTML."""


class Conversation(TypedDict):
    """The input and the output of the chat graph."""

    messages: Annotated[list[AnyMessage], add_messages]


class ChatState(Conversation, QuestionInput, AnswerOutput, total=False):
    """The state of the chat graph: the conversation and its last question with answer and passages."""


ChatGraph = CompiledStateGraph[ChatState, Any, Conversation, Conversation]


def chat_graph(answering: AnsweringGraph, *, context: type[Any] | None = None) -> ChatGraph:
    """Put the answering graph, which runs as a subgraph, into a graph with messages in and out.

    The answer depends on the last question alone, not on the messages before it.

    Args:
        answering: The answering graph.
        context: As in `answering_graph`.
    """
    builder = StateGraph(
        ChatState, context_schema=context, input_schema=Conversation, output_schema=Conversation
    )
    builder.add_node("read_question", read_question)
    builder.add_node("answering", answering)
    builder.add_node("reply", reply)
    builder.add_edge(START, "read_question")
    builder.add_edge("read_question", "answering")
    builder.add_edge("answering", "reply")
    builder.add_edge("reply", END)
    # Without the tag, a client that streams messages would show drafts and critiques as replies.
    return builder.compile(name="opencoder_chat").with_config(tags=[TAG_NOSTREAM])


def read_question(state: ChatState) -> QuestionInput:
    """Return the text of the last message of a person.

    Raises:
        ConfigError: There is no such message, or it has no text.
    """
    texts = [message.text for message in state["messages"] if isinstance(message, HumanMessage)]
    if not texts or not texts[-1].strip():
        raise ConfigError("messages must hold a message of a person, and the last one a text")
    return {"question": texts[-1]}


def reply(state: ChatState) -> Conversation:
    """Return the answer as a message that ends with the passages, numbered as the answer cites them."""
    answer = state["answer"] or "(There is no answer.)"
    sources = [_source(passage) for passage in state["passages"]]
    parts = [answer, "Sources:", "\n".join(sources)] if sources else [answer]
    return {"messages": [AIMessage("\n\n".join(parts))]}


def _source(passage: Passage) -> str:
    """Return an item of a Markdown list: the linked title of a passage, and its licence."""
    title = _escaped(passage["title"] or passage["text"][:60])
    target = link_target(passage["url"])
    link = f"[{title}]({target})" if target else title
    licence = f" ({_escaped(passage['licence'])})" if passage["licence"] else ""
    return f"{passage['number']}. {link}{licence}"


def _escaped(text: str) -> str:
    """Return a text of a post on one line, in which Markdown reads no markup."""
    return _MARKUP.sub(r"\\\g<0>", one_line(text))

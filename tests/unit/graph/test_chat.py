"""The chat graph: the last question of a conversation, and a reply with its sources."""

import re

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langgraph.checkpoint.memory import MemorySaver
from markdown_it import MarkdownIt

from graph.build import answering_graph
from graph.chat import chat_graph, read_question, reply
from graph.config import load_config
from graph.models.batching import BatchedModel
from graph.models.lockstep import Lockstep
from graph.support.errors import ConfigError
from nodes.state import Passage
from tests.fakes.fake_models import (
    FakeModel,
    FakeRetriever,
    ScriptedEngine,
    documents,
    section,
    step_of,
)


def passage(**fields) -> Passage:
    plain = {"number": 1, "question_id": "1", "title": "A title", "text": "", "answer_chars": 0}
    return {**plain, "score": 1.0, "url": "https://example.org/1", "licence": "", **fields}


def reply_to(answer="Use sorted().", passages=()):
    (message,) = reply({"messages": [], "answer": answer, "passages": list(passages)})["messages"]
    assert isinstance(message, AIMessage)
    return message.content


@pytest.mark.parametrize(
    ("messages", "question"),
    [
        ([HumanMessage("why?")], "why?"),
        ([HumanMessage("why?"), AIMessage("because"), HumanMessage("how?")], "how?"),
        ([HumanMessage("why?"), AIMessage("because")], "why?"),
        ([SystemMessage("be brief"), HumanMessage("why?")], "why?"),
        ([HumanMessage([{"type": "text", "text": "why?"}])], "why?"),
        (
            [HumanMessage([{"type": "text", "text": "wh"}, {"type": "text", "text": "y?"}])],
            "why?",
        ),
    ],
)
def test_the_last_message_of_a_person_is_the_question(messages, question):
    assert read_question({"messages": messages}) == {"question": question}


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [AIMessage("because")],
        [SystemMessage("be brief")],
        [HumanMessage("")],
        [HumanMessage(" \n")],
        [HumanMessage("why?"), HumanMessage("")],
        [HumanMessage([{"type": "image_url", "image_url": {"url": "data:"}}])],
    ],
)
def test_without_a_question_the_error_says_what_is_missing(messages):
    with pytest.raises(ConfigError, match="messages must hold a message of a person"):
        read_question({"messages": messages})


def test_sources_are_numbered_as_the_answer_cites_them():
    passages = [passage(), passage(number=2, title="B", url="", licence="CC BY-SA 4.0")]
    assert reply_to("Use it [2].", passages) == (
        "Use it [2].\n\nSources:\n\n1. [A title](https://example.org/1)\n2. B (CC BY-SA 4.0)"
    )


def test_a_passage_without_a_title_is_named_by_its_text():
    assert "1. [Use the key argument.](" in reply_to(
        "Use it.", [passage(title="", text="Use the\nkey argument.")]
    )


def test_an_answer_without_passages_has_no_sources():
    assert reply_to("Use it.") == "Use it."


def test_an_empty_answer_is_said_to_be_none():
    assert reply_to("", [passage()]).startswith("(There is no answer.)\n\nSources:")


@pytest.mark.parametrize(
    ("title", "url"),
    [
        ("a](https://evil.example) [b", "https://example.org/1"),
        ("![x](https://evil.example/x.png)", "https://example.org/1"),
        ("<img src=https://evil.example>", "https://example.org/1"),
        ("<https://evil.example>", "https://example.org/1"),
        ("a\\](https://evil.example)", "https://example.org/1"),
        ("a\n\n# b\n\n[c](https://evil.example)", "https://example.org/1"),
        ("`a", "https://example.org/1"),
        ("a", "https://example.org/1) [b](https://evil.example"),
        ("a", "javascript:alert(1)"),
        ("a", "data:text/html,x"),
    ],
)
def test_titles_and_addresses_of_posts_spell_no_markup_of_their_own(title, url):
    source = passage(title=title, url=url, licence=title)
    page = MarkdownIt().render(reply_to("Use it.", [source]))
    assert page.count("<li>") == 1
    assert "<img" not in page
    assert "<h1" not in page
    links = re.findall('href="([^"]*)"', page)
    assert len(links) == url.startswith("https:")
    assert all(link.startswith("https://example.org/1") for link in links)


def test_a_conversation_goes_in_and_its_next_message_comes_out():
    model = FakeModel(["first draft", "No problems.", "second draft", "No problems."])
    retriever = FakeRetriever(documents=documents("a passage"))
    config = load_config("semantic")
    graph = chat_graph(answering_graph(config, model=model, chooser=model, retriever=retriever))
    graph.checkpointer = MemorySaver()
    thread = {"configurable": {"thread_id": "1"}}
    first = graph.invoke({"messages": "why one?"}, thread)
    assert set(first) == {"messages"}
    assert [message.type for message in first["messages"]] == ["human", "ai"]
    second = graph.invoke({"messages": [HumanMessage("why two?")]}, thread)
    assert [message.type for message in second["messages"]] == ["human", "ai"] * 2
    assert second["messages"][-1].content.startswith("second draft\n\nSources:\n\n1. [title 1](")
    assert retriever.queries == ["why one?", "why two?"]
    assert section(model.written[2], "question") == "why two?"
    assert "one?" not in "".join(model.written[2:])


@pytest.mark.parametrize("subgraphs", [False, True])
def test_a_client_that_streams_messages_gets_the_reply_alone(subgraphs):
    texts = {"answer": "a draft", "critique": "1. wrong", "refine": "a better answer"}
    model = BatchedModel(ScriptedEngine(lambda prompt: texts[step_of(prompt)]), Lockstep())
    retriever = FakeRetriever(documents=documents("a passage"))
    config = load_config("semantic")
    graph = chat_graph(answering_graph(config, model=model, chooser=model, retriever=retriever))
    stream = graph.stream({"messages": "why?"}, stream_mode="messages", subgraphs=subgraphs)
    messages = [(part[1] if subgraphs else part)[0].content for part in stream]
    assert len(messages) == 1
    assert messages[0].startswith("a better answer\n\nSources:")

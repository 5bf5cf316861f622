"""What LangChain's callbacks see of requests to a server: one run a request, under its node."""

from functools import partial

import pytest
from langchain_core.load import dumps
from langchain_core.prompts import PromptTemplate
from langchain_core.runnables import RunnableLambda

from graph.build import answering_graph
from graph.config import load_settings
from graph.models.batching import BatchedModel
from graph.models.engines import openai_server
from graph.models.engines.openai_engine import OpenAIEngine
from graph.models.lockstep import Lockstep
from graph.models.reply_cache import ReplyCache
from graph.schema import ModelSpec
from nodes.model import Prompt
from nodes.state import State, calls_of
from tests.fakes.callback_runs import RunRecorder
from tests.fakes.fake_models import FakeRetriever, documents
from tests.fakes.model_servers import (
    MODEL,
    ModelServer,
    answer_by_prompt,
    answer_by_schema,
    answer_in_text,
    error,
)
from tests.integration.loopback import allow_this_machine


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    """Replace the fixture of all tests, which allows no connection to this machine either."""
    allow_this_machine(monkeypatch)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_BASE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server():
    with ModelServer() as server:
        yield server


def spec_of(server):
    return ModelSpec(model=MODEL, engine="openai", base_url=server.address)


def asking() -> Prompt:
    return Prompt(PromptTemplate.from_template("{q}"), {"q": "why?"})


def engine_of(server, *, cache=None):
    """Open an engine and forget the requests of its start."""
    engine = OpenAIEngine(spec_of(server), cache=cache)
    assert engine.served
    server.bodies.clear()
    server.headers.clear()
    return engine


def answered(server, recorders, *, cache=None, streamed=False):
    """Answer a question for each recorder, side by side; return the states and the chunks."""
    lockstep = Lockstep()
    model = BatchedModel(engine_of(server, cache=cache), lockstep)
    graph = reranking_graph(model)

    def ask(number, recorder):
        question, config = {"question": f"why {number}?"}, {"callbacks": [recorder]}
        if not streamed:
            return graph.invoke(question, config), []
        parts = list(graph.stream(question, config, stream_mode=["messages", "values"]))
        messages = [part[0] for mode, part in parts if mode == "messages"]
        return [part for mode, part in parts if mode == "values"][-1], messages

    outcomes = lockstep.run([partial(ask, *pair) for pair in enumerate(recorders)])
    assert [outcome.error for outcome in outcomes] == [None] * len(recorders)
    return [outcome.value for outcome in outcomes]


def reranking_graph(model):
    overrides = ["rerank.drafts=2", "generation.max_new_tokens=9"]
    config = load_settings("semantic_rerank_initial", "embedded", overrides).config
    retriever = FakeRetriever(documents=documents("one"))
    return answering_graph(config, model=model, chooser=model, retriever=retriever, output=State)


def check_requests(recorder, state):
    """Assert that the runs are the calls of the state, each under its node."""
    calls = [(step["node"], call) for step in state["steps"] for call in calls_of(step)]
    runs = list(recorder.model_runs.values())
    seen = sorted((recorder.path(run), run.messages[0]) for run in runs)
    assert seen == sorted((["opencoder", node], call["prompt"]) for node, call in calls)
    assert all(run.message for run in runs)
    # The output of a verdict is what the server sent: a letter, or a JSON object.
    texts = {(run.messages[0], run.message.text) for run in runs}
    assert {(call["prompt"], call["text"]) for _, call in calls if "text" in call} <= texts


@pytest.mark.parametrize("answer", [answer_by_prompt, answer_by_schema, answer_in_text])
def test_each_request_is_one_run_under_its_node(server, answer):
    server.answer = answer
    recorders = [RunRecorder() for _ in range(8)]
    for recorder, (state, _) in zip(recorders, answered(server, recorders), strict=True):
        check_requests(recorder, state)
        usages = [run.message.usage_metadata for run in recorder.model_runs.values()]
        assert all(usage["input_tokens"] for usage in usages)


def test_requests_stream_where_a_handler_reads_tokens_and_verdicts_stay_the_same(server):
    recorders = [RunRecorder() for _ in range(3)]
    plain = [state for state, _ in answered(server, [RunRecorder() for _ in range(3)])]
    streamed = answered(server, recorders, streamed=True)
    for recorder, before, (state, messages) in zip(recorders, plain, streamed, strict=True):
        check_requests(recorder, state)
        texts: dict[str, str] = {}
        for message in messages:
            texts[message.id] = texts.get(message.id, "") + message.text
        calls = [call for step in state["steps"] for call in calls_of(step)]
        written = [call["text"] for call in calls if "text" in call]
        assert sorted(texts.values()) == sorted([*written, *"AA"])
        assert any(body.get("stream") for body in server.bodies)
        assert [*map(timeless, calls)] == [
            timeless(call) for step in before["steps"] for call in calls_of(step)
        ]


def timeless(call):
    return {**call, "seconds": 0}


def test_a_retried_request_is_one_run(server):
    engine = engine_of(server)
    faults = [error(429), error(503)]
    server.answer = lambda body: faults.pop() if faults else answer_by_prompt(body)
    recorder = RunRecorder()
    model = BatchedModel(engine, Lockstep())
    node = RunnableLambda(lambda _: model.write([asking()], max_new_tokens=9))
    node.invoke(None, {"callbacks": [recorder]})
    assert len(server.bodies) == 3
    [run] = recorder.model_runs.values()
    assert run.message.text.startswith("because of")


def test_a_cached_request_is_a_run_that_says_so(server, tmp_path):
    cache = ReplyCache(tmp_path / "replies.sqlite")
    answered(server, [RunRecorder()], cache=cache)
    recorder = RunRecorder()
    [(state, _)] = answered(server, [recorder], cache=cache)
    assert server.bodies == []
    check_requests(recorder, state)
    assert {run.metadata["cached"] for run in recorder.model_runs.values()} == {True}


def test_the_probe_of_a_server_is_no_run_of_a_question(server):
    recorder = RunRecorder()
    model = BatchedModel(OpenAIEngine(spec_of(server)), Lockstep())
    node = RunnableLambda(lambda _: model.write([asking()], max_new_tokens=9))
    node.invoke(None, {"callbacks": [recorder]})
    assert len(server.bodies) > 1
    assert len(recorder.model_runs) == 1


def test_no_handler_sees_the_key(server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-of-the-test")
    openai_server.open_chat.cache_clear()
    openai_server.served_model.cache_clear()
    recorder = RunRecorder()
    answered(server, [recorder])
    assert server.headers[0]["authorization"] == "Bearer sk-secret-of-the-test"
    assert recorder.model_runs
    for run in recorder.model_runs.values():
        assert "sk-secret" not in repr(run)
        assert "sk-secret" not in dumps(run.details["serialized"])
    openai_server.open_chat.cache_clear()

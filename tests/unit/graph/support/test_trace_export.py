"""The export of traces: off by default, prompts, texts and tokens in its spans, mistakes in one line."""

import logging
import sys
from functools import partial

import pytest

from graph.models.batching import BatchedModel
from graph.models.lockstep import Lockstep
from graph.support.errors import ConfigError, MissingExtraError
from graph.support.trace_export import exported_traces
from nodes.state import calls_of
from tests.fakes.fake_models import ScriptedEngine
from tests.fakes.reranked_graph import graph_of

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
EXPORTER = "opentelemetry.exporter.otlp.proto.http.trace_exporter"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    """Remove the variables of OpenTelemetry that this machine may have set."""
    for name in ("TRACES_ENDPOINT", "ENDPOINT", "TRACES_PROTOCOL", "PROTOCOL"):
        monkeypatch.delenv(f"OTEL_EXPORTER_OTLP_{name}", raising=False)
    for name in ("OTEL_SDK_DISABLED", "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def memory(monkeypatch):
    """Export to memory in place of an endpoint."""
    reason = "the extra otel is not installed"
    spans = pytest.importorskip(
        "opentelemetry.sdk.trace.export.in_memory_span_exporter", reason=reason
    )
    module = pytest.importorskip(EXPORTER, reason=reason)
    pytest.importorskip("openinference.instrumentation.langchain", reason=reason)
    exporter = spans.InMemorySpanExporter()
    monkeypatch.setattr(module, "OTLPSpanExporter", lambda: exporter)
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:4318")
    return exporter


def answers(count):
    """Answer questions in a shared batch; return their states."""
    lockstep = Lockstep()
    graph = graph_of(BatchedModel(ScriptedEngine(), lockstep))
    tasks = [partial(graph.invoke, {"question": f"why {n}?"}) for n in range(count)]
    return [outcome.value for outcome in lockstep.run(tasks)]


def test_the_spans_have_prompts_texts_and_token_counts_under_the_nodes(memory):
    with exported_traces():
        states = answers(8)
    spans = {span.context.span_id: span for span in memory.get_finished_spans()}
    rows = []
    for span in spans.values():
        if span.attributes["openinference.span.kind"] == "LLM":
            node = spans[span.parent.span_id]
            attributes = span.attributes
            rows.append(
                (
                    spans[node.parent.span_id].name,
                    node.name,
                    attributes.get("llm.input_messages.0.message.content", ""),
                    attributes["llm.output_messages.0.message.content"],
                    attributes["llm.token_count.prompt"],
                    attributes["llm.token_count.completion"],
                )
            )
    expected = [
        (
            "opencoder",
            step["node"],
            call["prompt"],
            call.get("text") or call["choice"],
            call["prompt_tokens"],
            call.get("new_tokens", 0),
        )
        for state in states
        for step in state["steps"]
        for call in calls_of(step)
    ]
    assert len(expected) == 8 * 8
    assert sorted(rows) == sorted(expected)
    # One trace a question.
    assert len({span.context.trace_id for span in spans.values()}) == 8
    assert {span.resource.attributes["service.name"] for span in spans.values()} == {"opencoder"}


def test_after_the_block_nothing_is_exported(memory):
    with exported_traces():
        pass
    answers(1)
    assert memory.get_finished_spans() == ()


def test_the_service_has_the_name_of_the_environment(memory, monkeypatch):
    monkeypatch.setenv("OTEL_SERVICE_NAME", "mine")
    with exported_traces():
        answers(1)
    assert memory.get_finished_spans()[0].resource.attributes["service.name"] == "mine"


@pytest.mark.parametrize(
    "variables",
    [{}, {ENDPOINT: " "}, {ENDPOINT: "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "True"}],
)
def test_without_an_endpoint_nothing_is_loaded(variables, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setitem(sys.modules, "openinference.instrumentation.langchain", None)
    with exported_traces():
        assert answers(1)


@pytest.mark.parametrize(
    "module",
    [
        "openinference.instrumentation.langchain",
        "opentelemetry.sdk.trace",
        EXPORTER.rpartition(".")[0],
    ],
)
def test_a_missing_package_is_one_line_with_the_command(module, monkeypatch):
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, module, None)
    with (
        pytest.raises(MissingExtraError, match=r"pip install 'opencoder\[otel\]'"),
        exported_traces(),
    ):
        pytest.fail("the block ran")


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({ENDPOINT: "127.0.0.1:4318"}, "'127.0.0.1:4318' is no address: begin it with http://"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "grpc://x"}, "'grpc://x' is no address"),
        ({ENDPOINT: "user:secret-key@host"}, "is no address"),
        ({ENDPOINT: "http://x", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "=grpc is not supported"),
    ],
)
def test_a_wrong_setting_is_one_line_before_the_work(variables, message, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=message) as caught, exported_traces():
        pytest.fail("the block ran")
    assert "\n" not in str(caught.value)


def test_a_lost_endpoint_is_one_warning_and_loses_no_answer(memory, monkeypatch, caplog):
    def lose(_):
        logging.getLogger(EXPORTER).warning("no connection\nto http://user:word@host")
        raise ConnectionError

    monkeypatch.setattr(memory, "export", lose)
    with caplog.at_level(logging.WARNING), exported_traces():
        assert answers(2)
    [message] = [r.getMessage() for r in caplog.records if r.name in ("opencoder", EXPORTER)]
    assert message == "traces may be lost: no connection to http://user:***@host"

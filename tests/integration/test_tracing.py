"""Traces with real weights: tokens of the embedded model, and spans that reach an endpoint."""

import os
import subprocess
import sys
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from graph.build import answering_graph
from graph.config import load_profile, load_settings
from graph.models import open_models
from nodes.state import State
from tests.fakes.project_files import ROOT
from tests.fakes.waiting import FAR

pytestmark = pytest.mark.usefixtures("embedded_models")


def test_stream_mode_messages_gives_the_tokens_of_the_embedded_model():
    settings = load_settings("baseline", "embedded", ["generation.max_new_tokens=12"])
    model = open_models(settings.profile).generator
    graph = answering_graph(
        settings.config, model=model, chooser=model, retriever=None, output=State
    )
    parts, state = defaultdict(list), {}
    question = {"question": "How do I sort a list in Python?"}
    for mode, part in graph.stream(question, stream_mode=["messages", "values"]):
        if mode == "values":
            state = part
        else:
            message, metadata = part
            parts[metadata["langgraph_node"], message.id].append(message.text)
    [((node, _), tokens)] = parts.items()
    [reply] = state["steps"][0]["replies"]
    assert node == "generate"
    assert len(tokens) > 5
    assert "".join(tokens) == reply["text"] != ""


@pytest.fixture
def endpoint():
    """An OTLP endpoint on loopback: its address, and the requests that it got."""
    requests = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            requests.append((self.path, self.headers["x-key"], body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", requests
        server.shutdown()


def test_ask_sends_its_traces_to_the_endpoint_of_the_environment(endpoint):
    reason = "the extra otel is not installed"
    service = pytest.importorskip(
        "opentelemetry.proto.collector.trace.v1.trace_service_pb2", reason=reason
    )
    pytest.importorskip("openinference.instrumentation.langchain", reason=reason)
    address, requests = endpoint
    command = (
        "-m graph ask why? --config baseline --profile embedded --set generation.max_new_tokens=4"
    )
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": address,
        "OTEL_EXPORTER_OTLP_HEADERS": "x-key=abc",
    }
    done = subprocess.run(
        [sys.executable, *command.split()],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=FAR,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    spans = {}
    for path, key, body in requests:
        assert (path, key) == ("/v1/traces", "abc")
        for resource in service.ExportTraceServiceRequest.FromString(body).resource_spans:
            attributes = values(resource.resource.attributes)
            assert attributes["service.name"].string_value == "opencoder"
            for scope in resource.scope_spans:
                spans.update({span.name: values(span.attributes) for span in scope.spans})
    engine = type(open_models(load_profile("embedded")).generator.engine).__name__
    assert set(spans) == {"opencoder", "generate", engine}
    run = spans[engine]
    assert "why?" in run["llm.input_messages.0.message.content"].string_value
    assert run["llm.output_messages.0.message.content"].string_value.strip() in done.stdout
    assert run["llm.token_count.completion"].int_value == 4
    assert run["llm.token_count.prompt"].int_value > 10


def values(attributes):
    return {attribute.key: attribute.value for attribute in attributes}

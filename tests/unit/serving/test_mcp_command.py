"""opencoder mcp: the arguments that it refuses before it serves."""

import logging
import sys
from threading import Event

import pytest

from graph.command_line import parser_of, run
from graph.retrieval.retriever import PostRetriever
from graph.schema import Profile
from graph.support.errors import ConfigError, DatasetError, MissingExtraError
from serving import mcp_command
from serving.http_server import TOKEN_VARIABLE
from serving.mcp_command import _limits
from serving.question_queue import Limits, is_local
from tests.fakes.waiting import FAR

KEYWORD = ("--config", "keyword", "--profile", "embedded")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--config", "baseline"], "config baseline searches no posts: take another"),
        (["--config", "oracle"], "retrieval.kind oracle needs the questions of a dataset"),
        (["--config", "hybird"], "unknown config 'hybird'; did you mean hybrid?"),
        ([*KEYWORD, "--host", "127.0.0.1"], "--host belongs to --http: give that too"),
        ([*KEYWORD, "--port", "1"], "--port belongs to --http: give that too"),
        ([*KEYWORD, "--http", "--port", "65536"], "argument --port: '65536' is not a port"),
        ([*KEYWORD, "--http", "--host", "0.0.0.0"], f"set {TOKEN_VARIABLE} to a token"),
    ],
)
def test_a_wrong_argument_is_one_line(monkeypatch, words, message):
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    with pytest.raises(ConfigError) as error:
        run("opencoder", ["mcp", *words])
    assert message in str(error.value)


def test_a_weak_token_ends_it_also_on_this_machine(monkeypatch):
    monkeypatch.setenv(TOKEN_VARIABLE, "12345")
    with pytest.raises(ConfigError, match=f"{TOKEN_VARIABLE} must have at least 16"):
        run("opencoder", ["mcp", *KEYWORD, "--http"])


def test_without_its_package_it_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "mcp", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'opencoder\[mcp\]'"):
        run("opencoder", ["mcp"])


@pytest.fixture
def serving_ends(monkeypatch):
    """Return the event that ends the server, in the place of a client that leaves."""
    ends = Event()
    monkeypatch.setattr(mcp_command, "_transport", lambda _: lambda server: ends.wait())
    yield ends
    ends.set()


def test_an_index_that_cannot_be_opened_ends_the_command(serving_ends, tmp_path):
    with pytest.raises(DatasetError, match=r"none\.csv"):
        run("opencoder", ["mcp", *KEYWORD, "--corpus", str(tmp_path / "none.csv")])
    assert not serving_ends.is_set()


def test_a_client_that_leaves_ends_the_command_also_while_the_index_is_built(
    serving_ends, monkeypatch
):
    was_built = Event()

    def build(_):
        serving_ends.set()
        return was_built.wait()

    monkeypatch.setattr(PostRetriever, "open", build)
    assert run("opencoder", ["mcp", *KEYWORD]) == 0
    assert not was_built.is_set()
    was_built.set()


def test_a_server_that_fails_ends_the_command(monkeypatch):
    def fail(_):
        raise OSError("the network is down")

    monkeypatch.setattr(mcp_command, "_transport", lambda _: fail)
    with pytest.raises(OSError, match="the network is down"):
        run("opencoder", ["mcp", *KEYWORD])


def test_the_default_is_the_retrieval_that_was_best():
    assert parser_of("opencoder", "mcp").parse_args([]).config == "hybrid"


@pytest.mark.parametrize(("engine", "at_once"), [("openvino", 1), ("openai", 5)])
def test_only_a_server_answers_several_questions_at_once(engine, at_once):
    generator = {"model": "m", "engine": engine}
    if engine == "openai":
        generator |= {"concurrency": 5, "base_url": "http://127.0.0.1:1/v1"}
    profile = Profile.model_construct(
        generator=Profile.model_fields["generator"].annotation.model_validate(generator)
    )
    assert _limits(profile) == Limits(at_once=at_once, of_client=32 + at_once)
    assert is_local(profile) == (engine == "openvino")


class Served:
    """What the command serves; it ends once the posts are open."""

    def __init__(self):
        self.retrievers = []
        self.tools = []
        self.listeners = []
        self.opened = Event()

    def run(self, sockets):
        self.listeners += [listener.getsockname() for listener in sockets]
        for listener in sockets:
            listener.close()
        assert self.opened.wait(FAR)

    def open_posts(self, retriever):
        self.retrievers.append(retriever)
        self.opened.set()
        return 7


@pytest.fixture
def served(monkeypatch):
    """Let the command serve on HTTP without a client."""
    from serving import mcp_http, mcp_server

    served = Served()

    def ask_tool(queue, default, *, is_local):
        served.tools.append((queue, default, is_local))
        return own_ask_tool(queue, default, is_local=is_local)

    own_ask_tool = mcp_server.ask_tool
    monkeypatch.setattr(mcp_server, "ask_tool", ask_tool)
    monkeypatch.setattr(mcp_http, "tool_server_on_http", lambda *_: served)
    monkeypatch.setattr(PostRetriever, "open", lambda own: served.open_posts(own))
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    return served


def test_its_line_names_the_address_that_a_client_needs(served, caplog):
    caplog.set_level(logging.INFO, "opencoder")
    for host in ("127.0.0.1", "::1"):
        assert run("opencoder", ["mcp", *KEYWORD, "--http", "--port", "0", "--host", host]) == 0
    lines = [record.getMessage() for record in caplog.records]
    starts = [line for line in lines if line.startswith("MCP on ")]
    (address, port), (_, other_port, *_) = served.listeners
    assert address == "127.0.0.1"
    # Port 0 is a free one, and an address of IPv6 stands in brackets.
    assert 8765 not in (port, other_port)
    assert starts == [
        f"MCP on http://127.0.0.1:{port}/mcp ; Ctrl-C ends it",
        f"MCP on http://[::1]:{other_port}/mcp ; Ctrl-C ends it",
    ]
    assert "7 posts can be searched" in lines


def test_its_arguments_choose_posts_index_and_config(served, tmp_path):
    words = ["--corpus", str(tmp_path / "posts.csv"), "--index", str(tmp_path / "index")]
    words += ["--set", "retrieval.top_k=3", "--http", "--port", "0"]
    assert run("opencoder", ["mcp", *KEYWORD, *words]) == 0
    [retriever] = served.retrievers
    assert (retriever.corpus, retriever.folder) == (tmp_path / "posts.csv", tmp_path / "index")
    assert retriever.retrieval.top_k == 3
    [(queue, default, is_local)] = served.tools
    assert (default, is_local) == ("keyword", True)
    assert "hybrid" in queue.configs


def test_a_model_on_a_server_is_said_to_be_outside(served):
    words = ["--config", "keyword", "--profile", "server", "--http", "--port", "0"]
    assert run("opencoder", ["mcp", *words]) == 0
    [(_, _, is_local)] = served.tools
    assert is_local is False


def test_the_lines_of_its_libraries_are_those_of_the_project(served, monkeypatch):
    names = []
    monkeypatch.setattr(mcp_command, "log_libraries", lambda *libraries: names.extend(libraries))
    assert run("opencoder", ["mcp", *KEYWORD, "--http", "--port", "0"]) == 0
    assert names == ["mcp", "uvicorn"]


def test_a_panic_of_the_server_ends_the_command(monkeypatch):
    class PanicException(BaseException):
        pass

    def panic(_):
        raise PanicException("out of bounds")

    monkeypatch.setattr(mcp_command, "_transport", lambda _: panic)
    monkeypatch.setattr(PostRetriever, "open", lambda _: 7)
    with pytest.raises(PanicException):
        run("opencoder", ["mcp", *KEYWORD])


@pytest.mark.parametrize("command", [["mcp", "--http"], ["page"]])
def test_an_endpoint_for_traces_that_is_no_address_is_one_line(command, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://traces.example")
    with pytest.raises(ConfigError, match="is no address: begin it with http"):
        # Nothing can listen there, so that the command would end in any case.
        run("opencoder", [*command, *KEYWORD, "--host", "192.0.2.1"])

"""opencoder page: the arguments that it refuses, and the address and the token of the server."""

import asyncio
import logging
import socket
import sys
from contextlib import closing

import pytest

from graph.command_line import parser_of, run
from graph.config import load_settings
from graph.support.errors import ConfigError, MissingExtraError
from serving import page_command
from serving.http_server import TOKEN_VARIABLE
from serving.page import application

EMBEDDED = ("page", "--profile", "embedded", "--port", "0")
TOKEN = "a-token-of-some-length"


@pytest.fixture
def served(monkeypatch):
    """Return the list of the servers that ran, with their parts and addresses; they end at once."""
    servers = []

    class Server:
        def __init__(self, queue, settings, admission):
            self.parts = queue, settings, admission

        def run(self, sockets):
            [listener] = sockets
            servers.append((self.parts, listener.getsockname()))
            listener.close()

    monkeypatch.setattr(application, "page_server", Server)
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    return servers


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.INFO, "opencoder")
    return lambda: [record.getMessage() for record in caplog.records]


def test_it_listens_on_this_machine_alone_and_asks_for_no_token(served, lines):
    assert run("opencoder", EMBEDDED) == 0
    [((_, _, admission), (address, port))] = served
    assert (address, admission.token, admission.any_name) == ("127.0.0.1", None, False)
    assert lines()[-1] == f"open http://127.0.0.1:{port}/ ; Ctrl-C ends the server"


def test_other_machines_need_a_token_that_is_new_each_time(served, lines):
    for _ in range(2):
        assert run("opencoder", [*EMBEDDED, "--host", "0.0.0.0"]) == 0
    tokens = [line.split("#token=")[1].split(" ")[0] for line in lines() if "#token=" in line]
    assert len({*tokens}) == 2
    assert [admission.token for (_, _, admission), _ in served] == tokens
    # The address to open is of this machine, and others need its name, which the guard admits then.
    assert all("open http://127.0.0.1:" in line for line in lines() if "#token=" in line)
    assert "from another machine, use the name of this one as the host" in lines()[-1]
    assert all(admission.admits_host("my-machine:8600") for (_, _, admission), _ in served)
    assert all(len(token) >= 32 for token in tokens)
    assert [address for _, (address, _) in served] == ["0.0.0.0"] * 2


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_the_token_of_the_environment_is_asked_for_and_not_printed(
    served, lines, monkeypatch, host
):
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    assert run("opencoder", [*EMBEDDED, "--host", host]) == 0
    assert "/ ; append #token= and the value of OPENCODER_TOKEN to the address ; " in lines()[-1]
    assert TOKEN not in "".join(lines())
    [((_, _, admission), _)] = served
    assert admission.token == TOKEN


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--config", "oracle"], "config oracle needs the questions of a dataset: use eval.py"),
        (["--config", "semantc"], "unknown config 'semantc'; did you mean semantic?"),
        (["--port", "65536"], "argument --port: '65536' is not a port"),
        (["--waiting", "0"], "argument --waiting: '0' is not a whole number above 0"),
        (["--set", "retrieval.top_k=0"], "--set retrieval.top_k: "),
        (["--host", "192.0.2.1"], "cannot listen on 192.0.2.1 port "),
        *(
            (["--names", "code.example", name], f"argument --names: {name!r} is not a host name: ")
            for name in (
                "",
                "cödé.example",
                "code.example:8600",
                "[::1]:80",
                "http://a",
                "a/",
                "a,b",
                "::1",
            )
        ),
    ],
)
def test_a_wrong_argument_is_one_line(served, words, message):
    with pytest.raises(ConfigError) as error:
        run("opencoder", ["page", "--profile", "embedded", *words])
    assert str(error.value).startswith(message)
    assert served == []


def test_a_port_in_use_is_one_line(served):
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1 port {port}: "):
            run("opencoder", ["page", "--profile", "embedded", "--port", str(port)])


@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
def test_without_its_packages_it_names_the_extra(monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(
        MissingExtraError, match=rf"needs {missing}: pip install 'opencoder\[page\]'"
    ):
        run("opencoder", EMBEDDED)


def test_configs_that_the_overrides_do_not_fit_are_left_out(served):
    assert (
        run("opencoder", [*EMBEDDED, "--set", "retrieval.diversity=0.5", "--per-client", "7"]) == 0
    )
    [((queue, settings, _), _)] = served
    assert "keyword" not in settings.configs
    assert {"semantic", "hybrid"} <= settings.configs.keys()
    assert settings.configs["semantic"].retrieval.diversity == 0.5
    assert queue.configs == list(settings.configs)
    assert queue.limits == page_command.Limits(at_once=1, of_client=7)


@pytest.mark.parametrize("command", ["page", "mcp"])
def test_the_help_lists_no_config_that_is_refused(command):
    listed = parser_of("opencoder", command).format_help()
    assert "hybrid_pick" in listed
    assert "oracle" not in listed
    assert "shuffled" not in listed


def test_names_without_a_port_are_taken(served):
    assert run("opencoder", [*EMBEDDED, "--names", "code.example", "[2001:db8::1]"]) == 0
    [((_, _, admission), _)] = served
    assert admission.admits_host("Code.Example:443")
    assert admission.admits_host("[2001:db8::1]")


def test_its_numbers_are_the_limits_of_the_queue(served):
    words = ["--at-once", "3", "--waiting", "5", "--per-client", "2", "--question-chars", "900"]
    assert run("opencoder", [*EMBEDDED, *words]) == 0
    [((queue, _, _), _)] = served
    assert queue.limits == page_command.Limits(3, 5, 2, 900)


def test_a_model_server_answers_as_many_questions_at_once_as_it_is_sent_requests(served):
    words = ["page", "--profile", "server", "--set", "generator.concurrency=6", "--port", "0"]
    assert run("opencoder", words) == 0
    [((queue, _, _), _)] = served
    assert queue.limits.at_once == 6


def test_its_settings_name_the_posts_and_not_their_folder(served, tmp_path):
    posts = tmp_path / "a folder" / "posts.csv"
    words = [*EMBEDDED, "--corpus", str(posts), "--index", str(tmp_path / "index")]
    assert run("opencoder", [*words, "--config", "keyword"]) == 0
    [((_, settings, _), _)] = served
    assert (settings.corpus, settings.default_config) == ("posts.csv", "keyword")
    assert settings.profile == "embedded"
    # A question may name another config than that of the command line.
    for name, kind in (("keyword", "keyword"), ("hybrid", "hybrid")):
        assert settings.configs[name].retrieval.kind == kind


def test_the_graphs_of_its_questions_share_posts_and_index(served, monkeypatch, tmp_path):
    opened = []

    class Graphs:
        def __init__(self, *, corpus, index):
            opened.append((corpus, index))

        def open(self, config, profile):
            opened.append((config.retrieval.kind, profile.generator.engine))
            raise ConfigError("no graph")

    monkeypatch.setattr(page_command, "OpenedGraphs", Graphs)
    posts, index = tmp_path / "posts.csv", tmp_path / "index"
    assert run("opencoder", [*EMBEDDED, "--corpus", str(posts), "--index", str(index)]) == 0
    [((queue, _, _), _)] = served

    async def ask():
        async with queue.ask("why?", "keyword") as events:
            return [event async for event in events][-1]

    assert asyncio.run(ask()).message == "no graph"
    engine = load_settings("keyword", "embedded", []).profile.generator.engine
    assert opened == [(posts, index), ("keyword", engine)]


def test_the_config_of_the_command_line_must_fit_the_overrides(served):
    with pytest.raises(ConfigError, match="diversity compares vectors"):
        run("opencoder", [*EMBEDDED, "--config", "keyword", "--set", "retrieval.diversity=0.5"])
    assert served == []


def test_the_address_of_a_host_is_printed_as_a_browser_takes_it(served, lines):
    assert run("opencoder", [*EMBEDDED, "--host", "::1"]) == 0
    [((_, _, admission), (_, port, *_))] = served
    assert lines()[-1] == f"open http://[::1]:{port}/ ; Ctrl-C ends the server"
    assert (admission.token, admission.any_name) == (None, False)
    assert admission.admits_host(f"[::1]:{port}")


def test_the_host_of_the_command_line_is_a_name_of_the_server(served):
    assert run("opencoder", [*EMBEDDED, "--host", "localhost"]) == 0
    assert run("opencoder", [*EMBEDDED, "--host", "127.0.0.2"]) == 0
    hosts = [admission.names for (_, _, admission), _ in served]
    assert hosts == [["localhost"], ["127.0.0.2"]]


def test_the_lines_of_its_library_are_those_of_the_project(served, monkeypatch):
    names = []
    monkeypatch.setattr(page_command, "log_libraries", lambda *libraries: names.extend(libraries))
    assert run("opencoder", EMBEDDED) == 0
    assert names == ["uvicorn"]

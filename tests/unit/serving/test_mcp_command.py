"""opencoder mcp: the arguments that it refuses before it serves."""

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

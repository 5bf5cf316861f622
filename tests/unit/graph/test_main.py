"""python -m graph: ask a question, draw a graph, build an index; mistakes are one line."""

import contextlib
import io
import json
import os
import sys
from pathlib import Path

import pytest

from graph import __main__ as cli
from graph import command_line, opened_graphs
from graph.commands import draw_command
from graph.config import config_names
from graph.models import Models
from graph.models.batching import BatchedModel
from graph.models.lockstep import Lockstep
from graph.models.traced_calls import call_of
from tests.fakes.corpora import SUBJECTS, encode_without_weights, row, small_corpus, write_corpus
from tests.fakes.fake_models import ScriptedEngine
from tests.fakes.processes import in_child

EVIL = "\x1b]0;evil\x07 \u202egnp.exe \x9b2J \x00 \ud800"


@pytest.fixture
def engine(monkeypatch):
    """The engine that every command gets instead of real weights."""
    scripted = ScriptedEngine(lambda prompt: "1. an answer [1]")

    def open_models(profile, *, batch_size=8, seed=0):
        lockstep = Lockstep()
        model = BatchedModel(scripted, lockstep)
        return Models(model, model, lockstep)

    monkeypatch.setattr(opened_graphs, "open_models", open_models)
    encode_without_weights(monkeypatch)
    return scripted


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    """A small corpus beside an empty working folder."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return small_corpus(tmp_path / "corpus.csv")


@pytest.fixture
def run(engine, corpus, monkeypatch):
    """Run `python -m graph` in a child process and return how it ended."""

    def start(*arguments):
        monkeypatch.setattr(sys, "argv", ["graph", *map(str, arguments)])
        return in_child(cli.main)

    return start


@pytest.fixture
def mistake(run, tmp_path):
    """Run a command that must end with code 2; return the one line that says why."""

    def start(*arguments):
        before = sorted(tmp_path.rglob("*"))
        ended = run(*arguments)
        assert (ended.code, ended.out) == (2, ""), ended.err
        assert ended.err.startswith("opencoder: error: ")
        assert ended.err.count("\n") == 1
        assert sorted(tmp_path.rglob("*")) == before
        return ended.err.removeprefix("opencoder: error: ").removesuffix("\n")

    return start


def ask(*arguments):
    return ("ask", "how to merge two git branches?", "--profile", "embedded", *arguments)


@pytest.mark.parametrize("config", ["keyword", "semantic", "hybrid"])
def test_an_answer_comes_with_its_sources(run, corpus, config):
    ended = run(*ask("--config", config, "--corpus", corpus))
    assert ended.code == 0, ended.err
    assert "1. an answer [1]" in ended.out
    assert "[1]" in ended.out
    assert "How to merge two git branches?" in ended.out
    assert f"opencoder: corpus: {corpus}" in ended.err


def test_a_trace_shows_each_step_before_the_answer(run, corpus):
    ended = run(*ask("--config", "keyword_cot", "--corpus", corpus, "--trace"))
    assert ended.code == 0, ended.err
    places = [
        ended.out.index(word)
        for word in ("retrieve", "generate", "notes 1", "draft 1", "critique", "refinement 1")
    ]
    assert places == sorted(places)
    assert ended.out.rindex("answer") > places[-1]
    assert "1 point (numbered)" in ended.out


def test_json_is_one_document_and_nothing_else(run, corpus):
    ended = run(*ask("--config", "keyword", "--corpus", corpus, "--json", "--trace"))
    assert ended.code == 0, ended.err
    document = json.loads(ended.out)
    assert list(document) == ["question", "answer", "passages", "steps"]
    assert document["question"] == "how to merge two git branches?"
    assert document["answer"] == "1. an answer [1]"
    assert document["passages"][0]["question_id"] == "4"
    nodes = ["retrieve", "generate", "critique", "refine"]
    assert [step["node"] for step in document["steps"]] == nodes


def test_a_question_may_come_from_stdin(run, corpus, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("why\ndoes {it} fail?\n"))
    ended = run("ask", "-", "--config", "baseline", "--profile", "embedded", "--json")
    assert json.loads(ended.out)["question"] == "why\ndoes {it} fail?\n"


def test_the_question_reaches_the_model_as_it_was_asked(engine, corpus, monkeypatch, capsys):
    question = "why {0.__class__} %s `x` <b> \n ===== 42?"
    words = ["ask", question, "--config", "baseline", "--profile", "embedded"]
    assert command_line.run("opencoder", words) == 0
    assert question in engine.calls[0][0]
    assert "1. an answer [1]" in capsys.readouterr().out


@pytest.mark.parametrize("extra", [[], ["--trace"]])
def test_hostile_text_reaches_the_terminal_harmlessly(run, tmp_path, engine, extra):
    engine.answer = lambda prompt: f"1. answer {EVIL}\n2. [bold]more[/] {EVIL}"
    rows = [
        row(
            n,
            f"merge {EVIL[:-2]}",
            f"merge {EVIL[:-2]}",
            question_url=f"http://x/{EVIL[:-2]}",
            licence="[/b]",
        )
        for n in (1, 2)
    ]
    rows += [row(n, "other") for n in range(3, 9)]
    corpus = write_corpus(tmp_path / "evil.csv", rows)
    ended = run(
        *("ask", f"merge {EVIL}", "--profile", "embedded", "--config", "keyword"),
        *("--corpus", corpus, *extra),
    )
    assert ended.code == 0, ended.err
    assert "<U+001B>]0;evil<U+0007>" in ended.out
    assert "[bold]more[/]" in ended.out
    for text in (ended.out, ended.err):
        assert not [c for c in text if c in "\x1b\x07\x00\x9b\u202e\ud800\r"]


@pytest.mark.parametrize("question", ["", "  \n\t "])
def test_an_empty_question_is_refused(mistake, question):
    assert mistake("ask", question, "--profile", "embedded") == "the question is empty"


def test_a_stdin_that_is_no_text_is_a_mistake_and_no_bug(mistake, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"why \xff?"), encoding="utf-8"))
    assert mistake("ask", "-", "--config", "baseline", "--profile", "embedded")


def test_an_unknown_config_lists_the_known_ones(mistake):
    known = ", ".join(config_names())
    for arguments in (("ask", "why?", "--config", "semantik"), ("index", "--config", "semantik")):
        message = mistake(*arguments, "--profile", "embedded")
        assert message == f"unknown config 'semantik'; did you mean semantic?; known: {known}"
    assert mistake("draw", "semantik").startswith(
        "unknown config 'semantik'; did you mean semantic"
    )


def test_a_typo_in_an_override_names_the_nearest_field(mistake):
    message = mistake(*ask("--set", "retrieval.topk=3"))
    assert message == "--set: there is no field 'retrieval.topk'; did you mean retrieval.top_k?"


@pytest.mark.parametrize(
    "arguments", [[], ["zz9"], ["ask"], ["ask", "x", "--seed", "one"], ["draw", "--svg"]]
)
def test_a_wrong_command_line_is_one_line_too(mistake, arguments):
    assert mistake(*arguments).endswith("; see --help")


def test_a_missing_corpus_is_named(run, tmp_path):
    ended = run(*ask("--config", "keyword", "--corpus", tmp_path / "none.csv"))
    assert ended.code == 2
    assert ended.err.endswith(f"error: {tmp_path / 'none.csv'}: there is no such file\n")
    assert "Traceback" not in ended.err


def test_help_is_no_mistake(run):
    ended = run("--help")
    assert ended.code == 0
    assert "ask" in ended.out
    assert ended.err == ""


@pytest.mark.parametrize("kind", ["keyword", "hybrid"])
def test_an_index_is_built_then_verified(run, corpus, tmp_path, monkeypatch, kind):
    command = ("index", "--config", kind, "--profile", "embedded", "--corpus", corpus)
    first = run(*command, "--index", tmp_path / "index")
    expected = f"{kind} index of {len(SUBJECTS)} posts of {corpus}: {tmp_path / 'index'}\n"
    assert (first.code, first.out) == (0, expected)
    assert f"building a {kind} index" in first.err
    assert ("encoding the answer of posts: 8 of 8" in first.err) is (kind == "hybrid")
    monkeypatch.setattr("graph.retrieval.index._build", lambda *_: 1 / 0)
    assert run(*command, "--index", tmp_path / "index") == (0, expected, "")


def test_a_damaged_index_is_refused_with_what_to_do(run, mistake, corpus, tmp_path):
    command = ("index", "--config", "keyword", "--profile", "embedded", "--corpus", corpus)
    run(*command, "--index", tmp_path / "index")
    path = tmp_path / "index" / "posts.jsonl"
    path.write_bytes(path.read_bytes()[:-1])
    message = mistake(*command, "--index", tmp_path / "index")
    assert message == (
        f"index {tmp_path / 'index'}: its file posts.jsonl is missing or damaged; "
        "delete the folder to have it built anew"
    )


def test_a_config_that_retrieves_nothing_needs_no_index(mistake, corpus):
    message = mistake("index", "--config", "baseline", "--profile", "embedded", "--corpus", corpus)
    assert message == "config baseline retrieves nothing and needs no index"


@pytest.mark.parametrize("name", ["oracle", "shuffled"])
@pytest.mark.parametrize("command", [("index",), ("ask", "why?")], ids=lambda words: words[0])
def test_a_control_that_needs_a_dataset_builds_nothing(
    mistake, corpus, monkeypatch, tmp_path, name, command
):
    monkeypatch.setenv("OPENCODER_CACHE", str(tmp_path / "cache"))
    flags = ("--config", name, "--profile", "embedded", "--corpus", corpus)
    message = mistake(*command, *flags)
    assert message == f"retrieval.kind {name} needs the questions of a dataset: use eval.py"
    assert not (tmp_path / "cache").exists()


def test_drawing_prints_mermaid(run):
    ended = run("draw", "keyword_cot_rerank_initial", "--no-judge")
    assert (ended.code, ended.err) == (0, "")
    for node in ("retrieve", "generate", "rerank_drafts", "critique", "refine"):
        assert node in ended.out
    assert "judge" not in ended.out
    assert "judge" in run("draw", "keyword_cot_rerank_initial").out


def test_two_pictures_are_laid_out_once(run, tmp_path, monkeypatch):
    monkeypatch.setattr(draw_command, "to_svg", lambda _: sys.stdout.write("layout\n") and "<svg/>")
    monkeypatch.setattr(draw_command, "to_png", lambda svg, width: svg.encode())
    pictures = [tmp_path / "x.svg", tmp_path / "x.png"]
    ended = run("draw", "baseline", "--svg", pictures[0], "--png", pictures[1])
    assert (ended.code, ended.out) == (0, "layout\n")
    assert [path.read_bytes() for path in pictures] == [b"<svg/>"] * 2


def test_a_picture_that_cannot_be_written_is_no_bug(run, tmp_path, monkeypatch):
    monkeypatch.setattr(draw_command, "to_svg", lambda _: "<svg/>")
    ended = run("draw", "baseline", "--svg", tmp_path / "none" / "x.svg")
    assert ended.code in (1, 2)
    assert "Traceback" not in ended.err
    assert ended.err.count("\n") == 1
    assert Path(tmp_path / "work").exists()


def test_nothing_is_loaded_before_the_command_line_is_read(run, monkeypatch):
    monkeypatch.setattr(opened_graphs, "open_models", lambda *_, **__: 1 / 0)
    assert run("draw", "baseline").code == 0


@pytest.mark.parametrize(
    ("arguments", "is_shown"), [(["--trace"], True), (["--trace", "--json"], False), ([], False)]
)
def test_replies_are_shown_on_a_terminal_while_they_are_written(
    engine, corpus, monkeypatch, arguments, is_shown
):
    def write_all(prompts, *_):
        replies = type(engine).write_all(engine, prompts, *_)
        for prompt in prompts:
            call_of(prompt).start("prompt")
            call_of(prompt).show("1. an an")
        return replies

    monkeypatch.setattr(engine, "write_all", write_all)
    question = ask("--config", "keyword", "--corpus", corpus, *arguments)
    monkeypatch.setattr(sys, "argv", ["graph", *map(str, question)])
    terminal, stderr = os.openpty()

    def on_terminal():
        os.dup2(stderr, 2)
        cli.main()

    ended = in_child(on_terminal)
    os.close(stderr)
    written = read_all(terminal)
    assert ended.code == 0, written
    assert "an answer [1]" in ended.out
    assert ("1. an an" in written) == is_shown
    assert "\x1b" not in ended.out


def read_all(terminal):
    """Read what was written on a terminal whose other end is closed, which reads as an error."""
    parts = []
    with contextlib.suppress(OSError):
        while part := os.read(terminal, 65_536):
            parts.append(part)
    os.close(terminal)
    return b"".join(parts).decode()


@pytest.mark.parametrize("config", ["baseline", "semantic"])
def test_traces_that_cannot_be_sent_are_one_line_before_the_work(
    mistake, corpus, monkeypatch, config
):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "openinference.instrumentation.langchain", None)
    assert mistake(*ask("--config", config, "--corpus", corpus)) == (
        "OTEL_EXPORTER_OTLP_ENDPOINT is set, and sending traces needs the extra otel: pip install "
        "'opencoder[otel]', or unset the variable"
    )

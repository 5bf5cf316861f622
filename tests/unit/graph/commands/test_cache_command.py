"""opencoder cache: the sizes and the faults of caches, and their removal."""

import io
import json
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from langchain_core.outputs import Generation

from graph.command_line import run
from graph.commands import cache_command
from graph.config import load_config, load_profile
from graph.models import packaged
from graph.models.reply_cache import ReplyCache, default_cache
from graph.retrieval import index, open_retriever
from graph.retrieval.embeddings import stored_vectors
from graph.retrieval.index import default_folder
from graph.support import cache_contents
from graph.support.cache_contents import CACHES, clear, contents_of, select
from graph.support.errors import ConfigError
from graph.support.fault_log import describe_fault
from graph.support.storage import in_use
from tests.fakes.corpora import small_corpus

MODEL = "SmolLM2-135M-Instruct-0.1.2-openvino"
INDEX = "posts-semantic-0123456789ab"
VECTORS = "vectors/0123456789ab/" + "c" * 64


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """A cache folder with one entry in each cache; files of others beside them."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("OPENCODER_CACHE", str(folder))
    for name, size in {
        f"models/{MODEL}/model.bin": 5_000,
        f"indexes/{INDEX}/posts.jsonl": 700,
        VECTORS: 64,
    }.items():
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(b"x" * size)
    default_cache().update("a prompt", "a model", [Generation(text="a reply")])
    describe_fault(ValueError("a fault"))
    (folder / "known_judges.json").write_text("{}", encoding="utf-8")
    return folder


def show(capsys):
    assert run("opencoder", ["cache", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    return {entry.pop("name"): entry for entry in document["caches"]}


def cleared(capsys, *words):
    code = run("opencoder", ["cache", "clear", *words])
    return code, capsys.readouterr().out


def files_of(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_each_cache_is_shown_with_path_size_entries_and_age(cache, capsys):
    os.utime(cache / VECTORS, (86_400, 86_400))
    shown = show(capsys)
    assert {name: (entry["entries"], entry["problem"]) for name, entry in shown.items()} == {
        **dict.fromkeys(("models", "vectors", "indexes", "replies", "errors"), (1, None)),
        "langchain": (0, None),
    }
    assert (shown["models"]["bytes"], shown["indexes"]["bytes"]) == (5_000, 700)
    assert shown["vectors"]["oldest"] == shown["vectors"]["newest"] == "1970-01-02T00:00:00+00:00"
    assert shown["models"]["path"] == str(cache / "models")
    assert (shown["langchain"]["exists"], shown["langchain"]["oldest"]) == (False, None)
    assert run("opencoder", ["cache"]) == 0
    text = capsys.readouterr().out
    assert f"cache folder: {cache}\n" in text
    assert f"5 kB, 1 converted model, 0 min old, {cache / 'models'}" in text
    assert text.count("\n") == 1 + len(CACHES)


def test_showing_creates_nothing(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("OPENCODER_CACHE", str(tmp_path / "none"))
    assert {entry["exists"] for entry in show(capsys).values()} == {False}
    assert cleared(capsys, "--yes")[0] == 0
    assert not (tmp_path / "none").exists()


def test_clearing_removes_what_is_named_and_says_so(cache, capsys):
    code, text = cleared(capsys, "models", "replies", "--yes")
    assert code == 0
    assert text.splitlines()[0].startswith("models: 5 kB, 1 converted model")
    assert text.endswith("models: removed\nreplies: removed\n")
    assert not (cache / "models").exists()
    assert [name for name in files_of(cache) if not name.startswith("errors/")] == [
        f"indexes/{INDEX}/posts.jsonl",
        "known_judges.json",
        VECTORS,
    ]


def test_clearing_all_leaves_what_others_wrote(cache, capsys, tmp_path):
    foreign = [
        "models/mine.txt",
        "models/my-folder/x",
        f"indexes/{INDEX}-mine/x",
        "vectors/0123456789ab/notes",
        "vectors/other/" + "c" * 64,
        "errors/20260101T000000.1-1.log/x",
        "errors/mine.log",
    ]
    for name in foreign:
        (cache / name).parent.mkdir(parents=True, exist_ok=True)
        (cache / name).write_bytes(b"mine")
    assert show(capsys)["models"]["foreign_entries"] == 2
    assert cleared(capsys, "--yes")[0] == 0
    assert files_of(cache) == sorted([*foreign, "known_judges.json"])


@pytest.mark.parametrize("name", ["models", "vectors", "indexes", "errors"])
def test_no_link_is_followed(cache, capsys, tmp_path, name):
    outside = tmp_path / "outside"
    (outside / MODEL).mkdir(parents=True)
    (outside / MODEL / "weights").write_bytes(b"x" * 99)
    # A link inside an entry is removed, and not what it leads to.
    (cache / "indexes" / INDEX / "link").symlink_to(outside)
    (cache / "models" / "linked-1.0").symlink_to(outside / MODEL)
    (cache / "vectors" / "0123456789ab" / ("d" * 64)).symlink_to(outside / MODEL / "weights")
    (cache / name).rename(cache / "moved")
    (cache / name).symlink_to(outside)
    assert "symbolic link" in show(capsys)[name]["problem"]
    code, text = cleared(capsys, "--yes")
    assert (code, f"{name}: not removed: " in text) == (1, True)
    assert (outside / MODEL / "weights").read_bytes() == b"x" * 99
    assert (cache / name).is_symlink()


def test_a_file_of_replies_that_is_a_link_stays(cache, capsys, tmp_path):
    (cache / "replies.sqlite").rename(tmp_path / "mine.sqlite")
    (cache / "replies.sqlite").symlink_to(tmp_path / "mine.sqlite")
    assert cleared(capsys, "replies", "--yes")[0] == 1
    assert (tmp_path / "mine.sqlite").exists()


@pytest.mark.parametrize("name", ["models", "vectors", "indexes"])
def test_a_cache_that_a_build_writes_to_stays(cache, capsys, name):
    with in_use(cache / name):
        before = files_of(cache)
        code, text = cleared(capsys, name, "--yes")
        assert code == 1
        assert f"{name}: not removed: a running process writes to {cache / name}" in text
        assert files_of(cache) == before
    assert cleared(capsys, name, "--yes") == (0, text.partition("\n")[0] + f"\n{name}: removed\n")


def test_what_a_killed_build_left_keeps_nothing(cache, capsys):
    left = cache / "models" / ".x.abc.opencoder-work"
    left.mkdir()
    left.with_name(left.name + ".lock").touch()
    assert cleared(capsys, "models", "--yes")[0] == 0


def test_replies_that_a_run_is_writing_stay(cache, capsys, monkeypatch):
    monkeypatch.setattr(cache_contents, "_BUSY_SECONDS", 0.0)
    with closing(sqlite3.connect(cache / "replies.sqlite")) as connection:
        connection.execute("BEGIN IMMEDIATE")
        code, text = cleared(capsys, "replies", "--yes")
    assert (code, "replies: not removed: a running process writes to it" in text) == (1, True)
    assert cleared(capsys, "replies", "--yes")[0] == 0


def test_a_run_goes_on_when_its_replies_were_removed(cache):
    replies = ReplyCache(cache / "replies.sqlite")
    assert replies.lookup("a prompt", "a model")
    (contents,) = map(clear, select(["replies"]))
    assert contents == "removed"
    assert replies.lookup("a prompt", "a model") is None
    replies.update("another", "a model", [Generation(text="new")])
    assert [reply.text for reply in replies.lookup("another", "a model")] == ["new"]


@pytest.mark.parametrize("content", [b"no database", b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_damaged_file_of_replies_is_named_and_can_be_cleared(cache, capsys, content):
    (cache / "replies.sqlite").write_bytes(content)
    entry = show(capsys)["replies"]
    assert entry["entries"] is None
    assert "opencoder cache clear replies" in entry["problem"]
    assert cleared(capsys, "replies", "--yes")[0] == 0
    assert not (cache / "replies.sqlite").exists()


def test_a_file_in_the_place_of_a_folder_is_named_and_stays(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("OPENCODER_CACHE", str(tmp_path))
    (tmp_path / "models").write_bytes(b"mine")
    (tmp_path / "replies.sqlite").mkdir()
    shown = show(capsys)
    assert shown["models"]["problem"].startswith(f"{tmp_path / 'models'} is no folder")
    assert shown["replies"]["problem"].startswith(f"{tmp_path / 'replies.sqlite'} is no file")
    assert cleared(capsys, "--yes")[0] == 1
    assert (tmp_path / "models").read_bytes() == b"mine"
    assert (tmp_path / "replies.sqlite").is_dir()


def test_an_unreadable_folder_is_named(cache, capsys, monkeypatch):
    scandir = os.scandir

    def refuse(folder):
        if Path(folder) == cache / "models":
            raise PermissionError(13, "Permission denied", str(folder))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    assert "models cannot be read: Permission denied" in show(capsys)["models"]["problem"]
    code, text = cleared(capsys, "models", "--yes")
    assert (code, "models: not removed: " in text) == (1, True)


def test_an_entry_that_cannot_be_removed_is_counted(cache, capsys, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(cache_contents.shutil, "rmtree", refuse)
    code, text = cleared(capsys, "models", "--yes")
    assert code == 1
    assert f"models: not removed: {cache / 'models' / MODEL}: Permission denied" in text


def test_without_a_terminal_nothing_is_removed_and_one_line_says_why(cache, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    before = files_of(cache)
    with pytest.raises(ConfigError, match="give --yes"):
        run("opencoder", ["cache", "clear"])
    assert (files_of(cache), capsys.readouterr().out) == (before, "")


@pytest.mark.parametrize(("reply", "is_removed"), [("y\n", True), ("\n", False), ("n\n", False)])
def test_on_a_terminal_it_asks(cache, monkeypatch, capsys, reply, is_removed):
    class Terminal:
        isatty = staticmethod(lambda: True)
        readline = staticmethod(lambda: reply)

    monkeypatch.setattr(sys, "stdin", Terminal())
    code, text = cleared(capsys, "models")
    assert code == 0
    assert "Remove these caches? [y/N] " in text
    assert (cache / "models").exists() is not is_removed


def test_an_unknown_cache_is_one_line(cache):
    with pytest.raises(ConfigError, match="there is no cache 'modles'; did you mean models"):
        run("opencoder", ["cache", "clear", "modles", "--yes"])


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 bytes"), (999, "999 bytes"), (1e3, "1 kB"), (25.3e9, "25.3 GB")]
)
def test_sizes_have_three_digits(size, text):
    assert cache_command.size_text(size) == text


def test_the_names_that_the_code_gives_are_those_that_are_cleared(monkeypatch):
    own = {cache.name: cache.own for cache in CACHES}
    for kind in ("semantic", "keyword", "hybrid"):
        name = default_folder({"kind": kind}, Path("/x/my corpus (2).csv.gz")).name
        assert own["indexes"].fullmatch(name)
    for name, package in packaged._PACKAGES.items():
        for suffix in packaged._SUFFIXES.values():
            assert own["models"].fullmatch(f"{name}-{package.version}{suffix}")
    # Not `auto`, for which torch is asked.
    encoder = load_profile("embedded").embedder.model_copy(update={"dtype": "float32"})
    stored_vectors(encoder).write([b"d" * 32], np.ones((1, 4), np.float32))
    (vectors,) = map(contents_of, select(["vectors"]))
    assert (vectors.entries, vectors.foreign) == (1, 0)


def test_an_index_answers_on_after_it_was_cleared(monkeypatch, tmp_path):
    corpus, embedder = small_corpus(tmp_path / "corpus.csv"), load_profile("embedded").embedder
    retriever = open_retriever(load_config("keyword").retrieval, embedder, corpus=corpus)
    before = retriever.invoke("merge branches")
    (contents,) = (contents_of(cache) for cache in CACHES if cache.name == "indexes")
    assert (contents.entries, contents.foreign) == (1, 0)
    assert clear(contents.cache) == "removed"
    assert retriever.invoke("merge branches") == before != []
    assert retriever.invoke("sort a list") != []


def test_a_build_keeps_its_vectors_from_being_cleared(monkeypatch, tmp_path):
    corpus, embedder = small_corpus(tmp_path / "corpus.csv"), load_profile("embedded").embedder
    (vectors,) = select(["vectors"])
    outcomes = []
    monkeypatch.setattr(index, "_build", lambda *_: outcomes.append(clear(vectors)))
    index.build_or_verify(load_config("keyword").retrieval, corpus, embedder)
    outcomes.append(clear(vectors))
    assert [outcome.partition(":")[0] for outcome in outcomes] == ["not removed", "removed"]

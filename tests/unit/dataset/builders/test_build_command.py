"""python -m dataset build: its options, its last lines, and one line for every mistake."""

import ast
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from dataset import __main__ as cli
from dataset.builders import bigquery, dump
from graph.support.table_files import CORPUS_COLUMNS
from tests.fakes.csv_files import read_csv
from tests.fakes.dumps import HEAD, answer, question, write_dump
from tests.fakes.processes import in_child
from tests.unit.dataset.builders.test_coderepoqa import issue


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run `python -m dataset build` in a child process, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def start(*arguments):
        monkeypatch.setattr(sys, "argv", ["dataset", "build", *map(str, arguments)])
        return in_child(cli.main)

    return start


def test_a_build_ends_with_what_became_of_the_rows(run, tmp_path):
    posts = [question(1), answer(2, 1), answer(3, 1, Score="1"), question(4, Tags="<javafx>")]
    write_dump(tmp_path, posts)
    done = run("stackexchange", "Posts.xml", "--out", "out.csv")
    assert done.code == 0
    assert done.out == (
        "rows in = kept + rejected: 4 = 2 + 2\n"
        "kept: 1 questions, 1 answers\n"
        "rejected: 1 answer score too low, 1 tag not wanted\n"
        "written: out.csv\n"
    )
    assert "reading Posts.xml, MB: 1 of 1" in done.err
    assert [row["answer_id"] for row in read_csv(tmp_path / "out.csv")] == ["2"]


def test_every_option_of_the_selection_counts(run, tmp_path):
    posts = [
        question(1, Tags="<rust>", Score="1", CreationDate="2015-06-01T00:00:00"),
        answer(2, 1, Score="2"),
        answer(3, 1, Score="3"),
        answer(4, 1, Score="1"),
        question(5, Tags="<rust-2>", Score="1", CreationDate="2015-06-02T00:00:00"),
        answer(6, 5, Score="9"),
    ]
    write_dump(tmp_path, posts)
    options = ["--since", "2015-06-01", "--min-question-score", "1", "--min-answer-score", "2"]
    start = ["stackexchange", "Posts.xml", "--out", "out.csv", *options, "--tags", " Rust ,x"]
    ids = []
    for more in ([], ["--limit", "1"], ["--like-original", "--limit", "none"], ["--limit", "0"]):
        assert run(*start, *more, "--site", "math.stackexchange.com").code == 0
        ids.append([row["answer_id"] for row in read_csv(tmp_path / "out.csv")])
    assert ids == [["2", "3"], ["3"], ["2", "3", "6"], ["2", "3"]]
    url = read_csv(tmp_path / "out.csv")[0]["question_url"]
    assert url == "https://math.stackexchange.com/questions/1"


def test_an_archive_is_built_like_its_content(run, tmp_path):
    py7zr = pytest.importorskip("py7zr")
    path = write_dump(tmp_path, [question(1), answer(2, 1)])
    with py7zr.SevenZipFile(tmp_path / "site.7z", "w") as file:
        file.write(path, "Posts.xml")
    assert run("stackexchange", "Posts.xml", "--out", "a.csv").code == 0
    assert run("stackexchange", "site.7z", "--out", "b.csv").code == 0
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    names = {entry.name for entry in tmp_path.iterdir()}
    assert names == {"Posts.xml", "site.7z", "a.csv", "b.csv"}


def test_the_other_sources_run(run, tmp_path):
    (tmp_path / "issues").mkdir()
    (tmp_path / "issues" / "1.json").write_text(json.dumps(issue(1)), encoding="utf-8")
    options = ["--repositories", "python,a/b", "--sample", "5", "--seed", "1"]
    done = run("coderepoqa", "issues", "--out", "q.csv", *options)
    assert (done.code, read_csv(tmp_path / "q.csv")[0]["eval_id"]) == (0, "numpy/numpy#1")
    columns = dict.fromkeys(CORPUS_COLUMNS, "1")
    (tmp_path / "e.csv").write_text(
        f"{','.join(columns)}\n{','.join(columns.values())}\n", encoding="utf-8"
    )
    done = run("bigquery", "e.csv", "--out", "o.csv")
    assert done.out.startswith("rows in = kept + rejected: 1 = 1 + 0\n")
    assert run("bigquery", "--print-sql").out == bigquery.query()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "x"], "invalid choice: 'nowhere'"),
        (["stackexchange", "none.xml", "--out", "o.csv"], "none.xml: there is no such file"),
        (["stackexchange", "Posts.xml"], "give --out FILE"),
        (["bigquery", "--out", "o.csv"], "give the EXPORT to read; --print-sql shows"),
        (["bigquery", "none.csv", "--out", "o.csv"], "none.csv: there is no such file"),
        (["stackexchange", "Posts.xml", "--out", "o.txt"], "must end in .csv or .csv.gz"),
        (["stackexchange", "Posts.xml", "--out", "no/o.csv"], "there is no folder no; create it"),
        (["stackexchange", "Posts.xml", "--out", "dir.csv"], "dir.csv: is a folder"),
        (["bigquery", "e.csv", "--out", "e.csv"], "--out e.csv: is the input itself"),
        (["stackexchange", "Posts.xml", "--limit", "-1"], "'-1' is not a count"),
        (["stackexchange", "Posts.xml", "--limit", "1e3"], "'1e3' is not a count"),
        (["stackexchange", "Posts.xml", "--since", "2020-13-01"], "'2020-13-01' is not a day"),
        (
            ["stackexchange", "Posts.xml", "--min-answer-score", "x"],
            "'x' is not a whole number of at most 18 digits",
        ),
        (["stackexchange", "Posts.xml", "--tags", " ,"], "name at least one tag"),
        (["stackexchange", "Posts.xml", "--site", "a b"], "'a b' is not a host"),
        (["coderepoqa", ".", "--repositories", "numpy"], "'numpy' is neither owner/name nor"),
        (["coderepoqa", ".", "--out", "o.csv"], ".: holds no .json or .jsonl file"),
        (
            ["stackexchange", "bad.xml", "--out", "o.csv"],
            "bad.xml: damaged or truncated XML at line",
        ),
        (["stackexchange", "\x1b[31m.xml", "--out", "o.csv"], "<U+001B>[31m.xml: there is no such"),
    ],
)
def test_a_mistake_is_one_line_and_code_2(run, tmp_path, arguments, message):
    write_dump(tmp_path, [question(1), answer(2, 1)])
    (tmp_path / "dir.csv").mkdir()
    (tmp_path / "e.csv").write_text("a\n1\n", encoding="utf-8")
    (tmp_path / "bad.xml").write_text(HEAD + "<row", encoding="utf-8")
    before = {entry.name for entry in tmp_path.iterdir()}
    done = run(*arguments)
    assert (done.code, done.out) == (2, "")
    lines = [line for line in done.err.splitlines() if " MB: " not in line]
    assert len(lines) == 1, done.err
    assert lines[0].startswith("opencoder: error: ")
    assert message in lines[0]
    assert {entry.name for entry in tmp_path.iterdir()} == before


@pytest.mark.parametrize("step", ["reading", "joining"])
def test_an_interrupt_ends_with_130_and_leaves_nothing(run, tmp_path, monkeypatch, step):
    write_dump(tmp_path, [question(1), answer(2, 1)])
    (tmp_path / "out.csv").write_text("old", encoding="utf-8")

    def interrupt(*_):
        os.kill(os.getpid(), signal.SIGINT)
        return iter(())

    if step == "reading":
        monkeypatch.setattr(dump, "_check_markup", interrupt)
    else:
        monkeypatch.setattr("dataset.builders.join._table_rows", interrupt)
    done = run("stackexchange", "Posts.xml", "--out", "out.csv")
    assert (done.code, done.out) == (130, "")
    assert (tmp_path / "out.csv").read_text(encoding="utf-8") == "old"
    assert {entry.name for entry in tmp_path.iterdir()} == {"Posts.xml", "out.csv"}


@pytest.mark.parametrize("package", ["duckdb", "pyarrow", "py7zr"])
def test_a_missing_package_is_named_with_its_command(run, tmp_path, monkeypatch, package):
    write_dump(tmp_path, [question(1), answer(2, 1)])
    (tmp_path / "site.7z").write_bytes(b"7z")
    monkeypatch.setitem(sys.modules, package, None)
    source = "site.7z" if package == "py7zr" else "Posts.xml"
    done = run("stackexchange", source, "--out", "out.csv")
    assert done.code == 2
    assert done.err.splitlines()[-1].endswith(f"needs {package}: pip install 'opencoder[build]'")


def test_a_signal_that_duckdb_took_ends_with_130_too(run, tmp_path, monkeypatch):
    def interrupted(*_):
        raise RuntimeError("Query interrupted")

    write_dump(tmp_path, [question(1), answer(2, 1)])
    monkeypatch.setattr("dataset.builders.join._join", interrupted)
    done = run("stackexchange", "Posts.xml", "--out", "out.csv")
    assert (done.code, done.out) == (130, "")
    assert "Traceback" not in done.err
    assert [entry.name for entry in tmp_path.iterdir()] == ["Posts.xml"]


def test_help_loads_no_optional_package():
    allowed = {"dataset", "graph", *sys.stdlib_module_names}
    for path in Path(bigquery.__file__).parent.glob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                names = [node.module] if isinstance(node, ast.ImportFrom) else []
            assert {name.partition(".")[0] for name in names} <= allowed, path


def test_help_says_which_rows_a_limit_keeps(run):
    text = " ".join(run("stackexchange", "--help").out.split())
    assert "those with the highest scores, ties by question id, then answer id" in text

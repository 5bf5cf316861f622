"""python -m dataset check: the shape of a file, the report, and the exit code."""

import argparse
import contextlib
import json

import pytest

from dataset.check.check_command import add_arguments, run
from graph.support.errors import ConfigError, DatasetError
from tests.fakes.corpora import row, small_corpus, write_corpus


class Bar:
    def __init__(self):
        self.done = 0

    def advance(self, count, note=""):
        self.done += count


@pytest.fixture
def bars(monkeypatch):
    """(label, total, bar) of each progress bar."""
    opened = []

    @contextlib.contextmanager
    def progress(label, total):
        opened.append((label, total, Bar()))
        yield opened[-1][2]

    monkeypatch.setattr("dataset.load.progress", progress)
    return opened


def check(*arguments):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return run(parser.parse_args([str(argument) for argument in arguments]))


def document(capsys, *arguments):
    code = check(*arguments, "--json")
    return code, json.loads(capsys.readouterr().out)


def dataset(path, *rows):
    names = list(rows[0])
    return write_corpus(path, [dict(zip(names, one.values(), strict=True)) for one in rows])


def question(number, text="", **changes):
    fields = {
        "eval_id": f"q{number}",
        "question": text or f"How do I get number {number}?",
        "answer": f"With {number} + 0",
    }
    return {**fields, **changes}


def test_a_sound_corpus_ends_with_0_and_says_what_it_is(tmp_path, capsys, bars):
    path = small_corpus(tmp_path / "c.csv")
    assert check(path) == 0
    printed = capsys.readouterr().out
    assert printed == f"{path}: a corpus of 8 rows\nproblems: none\n"
    assert [(label, total, bar.done) for label, total, bar in bars] == [("checking c.csv", 8, 8)]


def test_a_sound_dataset_against_a_corpus_that_it_is_not_in(tmp_path, capsys):
    corpus = small_corpus(tmp_path / "c.csv")
    path = dataset(tmp_path / "d.csv", question(1), question(2))
    code, report = document(capsys, path, "--against", corpus)
    assert code == 0
    assert report["taken_for"] == "dataset"
    assert (report["rows"], report["columns"]) == (2, ["eval_id", "question", "answer"])
    assert (report["problems"], report["findings"], report["corpus"]) == (0, [], str(corpus))
    assert report["leaks"]["by_reason"] == {"id": 0, "title": 0, "question": 0, "answer": 0}
    assert report["limits"]["leak_run_words"] == 13


def test_leaks_are_problems_and_are_named(tmp_path, capsys):
    corpus = small_corpus(tmp_path / "c.csv")
    path = dataset(
        tmp_path / "d.csv",
        question("x", "HOW TO: merge two git branches\n\n" + "They have grown apart. " * 9),
        question(2),
        question("z", eval_id="3"),
    )
    code, report = document(capsys, path, "--against", corpus)
    assert (code, report["problems"]) == (1, 2)
    assert report["leaks"]["leaks"] == [
        {"question_id": "3", "eval_id": "3", "reasons": ["id"], "share": 0.0},
        {"question_id": "4", "eval_id": "qx", "reasons": ["title"], "share": 0.0},
    ]
    assert check(path, "--against", corpus, "--examples", "1") == 1
    printed = capsys.readouterr().out
    assert printed == (
        f"{path}: an evaluation dataset of 3 rows\n"
        f"leaks: 2 of the dataset's questions are also in {corpus}, in 2 of its questions: "
        "same id 1, same title 1, same question 0, same answer 0\n"
        "  3 is in 3: same id\n"
        "problems: 2\n"
    )


def test_problems_are_shown_with_rows_and_ids(tmp_path, capsys):
    rows = [row(n, f"How to do thing number {n} well?", f"<p>Thing {n}.</p>") for n in range(1, 6)]
    rows[2]["answer_body"] = "half a \ufffd"
    rows[3]["answer_body"] = "\x1b[31mred"
    rows[4]["question_id"], rows[4]["answer_id"] = "1\u202e[b]", "5"
    path = write_corpus(tmp_path / "c.csv", rows)
    assert check(path) == 1
    printed = capsys.readouterr().out
    assert "row 3 (3/1003)" in printed
    assert "(control character)" in printed
    assert printed.endswith("\nproblems: 1\n")
    assert "\x1b[31m" not in printed

    write_corpus(path, [{**one, "answer_body": ""} for one in rows])
    assert check(path, "--examples", "9") == 1
    printed = capsys.readouterr().out
    assert "(1<U+202E>[b]/5)" in printed
    assert "\u202e" not in printed


def test_examples_are_as_many_as_asked_for(tmp_path, capsys):
    rows = [row(n, f"How to do thing number {n} well?", "", answer_body="") for n in range(1, 9)]
    path = write_corpus(tmp_path / "c.csv", rows)
    _, report = document(capsys, path, "--examples", "2")
    finding = next(one for one in report["findings"] if one["column"] == "answer_body")
    assert (finding["kind"], finding["count"], finding["problem"]) == ("empty", 8, True)
    assert [(one["row"], one["id"]) for one in finding["examples"]] == [
        (1, "1/1001"),
        (2, "2/1002"),
    ]
    _, report = document(capsys, path, "--examples", "0")
    assert {len(one["examples"]) for one in report["findings"]} == {0}
    for wrong in ("-1", "x", "1.5", "9999999"):
        with pytest.raises(SystemExit):
            check(path, "--examples", wrong)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("question_id,question_title\n1,a\n", r"t.csv: needs the columns question_id, .* it has "),
        ("a,b\n1,2\n", r"\(a corpus\), or question, answer, or question_title, .*; it has a, b"),
    ],
)
def test_a_file_that_is_neither_is_refused(tmp_path, text, message):
    path = tmp_path / "t.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DatasetError, match=message) as caught:
        check(path)
    assert "\n" not in str(caught.value)


def test_a_corpus_is_not_checked_against_a_corpus(tmp_path):
    corpus = small_corpus(tmp_path / "c.csv")
    with pytest.raises(ConfigError, match="is a corpus: --against is for an evaluation dataset"):
        check(corpus, "--against", corpus)


def test_what_the_reader_refuses_passes_through(tmp_path):
    twice = tmp_path / "t.csv"
    twice.write_text("question,answer,answer\nq,a,b\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="column 'answer' is a duplicate"):
        check(twice)
    sound = dataset(tmp_path / "d.csv", question(1))
    with pytest.raises(DatasetError, match=r"column 'question_id', .* missing"):
        check(sound, "--against", sound)
    with pytest.raises(DatasetError, match="no such file"):
        check(sound, "--against", tmp_path / "missing.csv")
    damaged = tmp_path / "t.jsonl"
    damaged.write_text(json.dumps(question(1)) + "\n" + json.dumps({"question": "q"}) + "\n")
    with pytest.raises(DatasetError, match="row 2: 'answer' is missing"):
        check(damaged)


@pytest.mark.parametrize("cell", ["11.0", "[11]", '"11"', " 11 "])
def test_two_spellings_of_an_id_are_duplicates(tmp_path, capsys, cell):
    posts = [row(11, "One"), row(12, "Two", question_id=cell, answer_id="1011.0")]
    corpus = write_corpus(tmp_path / "c.csv", posts)
    asked = dataset(tmp_path / "d.csv", question(1, eval_id="11"), question(2, eval_id=cell))
    for path in (corpus, asked):
        findings = document(capsys, path)[1]["findings"]
        assert [one["count"] for one in findings if one["kind"] == "duplicate id"] == [1]


def test_code_in_markdown_bodies_is_compared(tmp_path, capsys):
    bodies = [f"I use `Map<{names}>` and\n\n    it fails" for names in ("String", "Integer")]
    posts = [row(number, "The same", body, answer_body=body) for number, body in enumerate(bodies)]
    findings = document(capsys, write_corpus(tmp_path / "c.csv", posts))[1]["findings"]
    assert [one for one in findings if one["kind"] == "exact duplicate"] == []

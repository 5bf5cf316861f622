"""python -m dataset check: what it takes a file for, what it prints, and how it ends."""

import argparse
import contextlib
import json

import pytest

from dataset.check.command import Tools, add_arguments, run
from dataset.errors import InputError
from dataset.schema import CORPUS
from graph.retrieval.documents import COLUMNS
from graph.support.errors import DatasetError
from graph.support.table_files import read_rows
from graph.support.terminal import safe_text
from tests.fakes.corpora import row, small_corpus, write_corpus


class Bar:
    def __init__(self):
        self.done = 0

    def advance(self, count, note=""):
        self.done += count


class Progress:
    def __init__(self):
        self.bars = []

    @contextlib.contextmanager
    def __call__(self, label, total, *, unit=""):
        bar = Bar()
        self.bars.append((label, total, bar))
        yield bar


def checked(*arguments, progress=None):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    tools = Tools(read_rows, progress or Progress(), safe_text)
    return run(parser.parse_args([str(argument) for argument in arguments]), tools)


def document(capsys, *arguments):
    code = checked(*arguments, "--json")
    return code, json.loads(capsys.readouterr().out)


def dataset(path, *rows):
    names = list(rows[0])
    return write_corpus(path, [dict(zip(names, one.values(), strict=True)) for one in rows])


def question(number, text="", **changes):
    made = {
        "eval_id": f"q{number}",
        "question": text or f"How do I get number {number}?",
        "answer": f"With {number} + 0",
    }
    return {**made, **changes}


def test_the_corpus_columns_are_the_ones_that_the_graph_needs():
    assert CORPUS == COLUMNS


def test_a_sound_corpus_ends_with_0_and_says_what_it_is(tmp_path, capsys):
    path = small_corpus(tmp_path / "c.csv")
    progress = Progress()
    assert checked(path, progress=progress) == 0
    printed = capsys.readouterr().out
    assert printed == f"{path}: a corpus of 8 rows\nproblems: none\n"
    assert [(label, total, bar.done) for label, total, bar in progress.bars] == [
        ("checking c.csv", 8, 8)
    ]


def test_a_sound_dataset_against_a_corpus_that_it_is_not_in(tmp_path, capsys):
    corpus = small_corpus(tmp_path / "c.csv")
    path = dataset(tmp_path / "d.csv", question(1), question(2))
    code, found = document(capsys, path, "--against", corpus)
    assert code == 0
    assert found["taken_for"] == "dataset"
    assert (found["rows"], found["columns"]) == (2, ["eval_id", "question", "answer"])
    assert (found["problems"], found["findings"], found["corpus"]) == (0, [], str(corpus))
    assert found["leaks"]["by_reason"] == {"id": 0, "title": 0, "question": 0, "answer": 0}
    assert found["limits"]["leak_run_words"] == 13


def test_leaks_are_problems_and_are_named(tmp_path, capsys):
    corpus = small_corpus(tmp_path / "c.csv")
    path = dataset(
        tmp_path / "d.csv",
        question("x", "HOW TO: merge two git branches\n\n" + "They have grown apart. " * 9),
        question(2),
        question("z", eval_id="3"),
    )
    code, found = document(capsys, path, "--against", corpus)
    assert (code, found["problems"]) == (1, 2)
    assert found["leaks"]["leaks"] == [
        {"question_id": "3", "eval_id": "3", "reasons": ["id"], "share": 0.0},
        {"question_id": "4", "eval_id": "qx", "reasons": ["title"], "share": 0.0},
    ]
    assert checked(path, "--against", corpus, "--examples", "1") == 1
    printed = capsys.readouterr().out
    assert printed == (
        f"{path}: an evaluation dataset of 3 rows\n"
        f"leaks: 2 of the dataset's questions stand in {corpus}, in 2 of its questions: "
        "same id 1, same title 1, same question 0, same answer 0\n"
        "  3 stands in 3: same id\n"
        "problems: 2\n"
    )


def test_problems_are_shown_with_rows_and_ids(tmp_path, capsys):
    rows = [row(n, f"How to do thing number {n} well?", f"<p>Thing {n}.</p>") for n in range(1, 6)]
    rows[2]["answer_body"] = "half a \ufffd"
    rows[3]["answer_body"] = "\x1b[31mred"
    rows[4]["question_id"], rows[4]["answer_id"] = "1\u202e[b]", "5"
    path = write_corpus(tmp_path / "c.csv", rows)
    assert checked(path) == 1
    printed = capsys.readouterr().out
    assert "row 3 (3/1003)" in printed
    assert "(control character)" in printed
    assert printed.endswith("\nproblems: 1\n")
    assert "\x1b[31m" not in printed

    write_corpus(path, [{**one, "answer_body": ""} for one in rows])
    assert checked(path, "--examples", "9") == 1
    printed = capsys.readouterr().out
    assert "(1<U+202E>[b]/5)" in printed
    assert "\u202e" not in printed


def test_examples_are_as_many_as_asked_for(tmp_path, capsys):
    rows = [row(n, f"How to do thing number {n} well?", "", answer_body="") for n in range(1, 9)]
    path = write_corpus(tmp_path / "c.csv", rows)
    _, found = document(capsys, path, "--examples", "2")
    finding = next(one for one in found["findings"] if one["column"] == "answer_body")
    assert (finding["kind"], finding["count"], finding["problem"]) == ("empty", 8, True)
    assert [(one["row"], one["id"]) for one in finding["examples"]] == [
        (1, "1/1001"),
        (2, "2/1002"),
    ]
    _, found = document(capsys, path, "--examples", "0")
    assert {len(one["examples"]) for one in found["findings"]} == {0}
    for wrong in ("-1", "x", "1.5", "9999999"):
        with pytest.raises(SystemExit):
            checked(path, "--examples", wrong)


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
    with pytest.raises(InputError, match=message) as caught:
        checked(path)
    assert "\n" not in str(caught.value)


def test_a_corpus_is_not_checked_against_a_corpus(tmp_path):
    corpus = small_corpus(tmp_path / "c.csv")
    with pytest.raises(InputError, match="is a corpus: --against is for an evaluation dataset"):
        checked(corpus, "--against", corpus)


def test_what_the_reader_refuses_passes_through(tmp_path):
    twice = tmp_path / "t.csv"
    twice.write_text("question,answer,answer\nq,a,b\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="column 'answer' stands there twice"):
        checked(twice)
    sound = dataset(tmp_path / "d.csv", question(1))
    with pytest.raises(DatasetError, match=r"column 'question_id', .* missing"):
        checked(sound, "--against", sound)
    with pytest.raises(DatasetError, match="no such file"):
        checked(sound, "--against", tmp_path / "missing.csv")
    damaged = tmp_path / "t.jsonl"
    damaged.write_text(json.dumps(question(1)) + "\n" + json.dumps({"question": "q"}) + "\n")
    with pytest.raises(DatasetError, match="row 2: 'answer' is missing"):
        checked(damaged)

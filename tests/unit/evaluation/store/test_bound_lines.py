"""A journal belongs to one run: lines of another run, question or type are refused by their number."""

import os
import shutil

import pytest

from evaluation.commands import eval_command as cli
from evaluation.store.checked_lines import encode, read_checked_lines
from evaluation.store.journal import Journal, record_lines
from evaluation.store.recorded_run import read_run
from graph.support import terminal
from graph.support.errors import DatasetError
from tests.fakes.corpora import small_corpus
from tests.fakes.fake_models import reply, verdict
from tests.fakes.processes import in_child
from tests.fakes.records import failed, key_of, record
from tests.fakes.run_folders import make_run
from tests.fakes.scripted_runs import command, without_weights, write_dataset

COUNT = 4
KEY = key_of([record(index) for index in range(COUNT)])


def refusal(path, content):
    """Return the message with which both a run and a reader refuse a journal, which stays as it is."""
    path.write_bytes(content)
    messages = set()
    for read in (
        lambda: Journal(path, KEY),
        lambda: read_checked_lines(path, record_lines(KEY)),
        lambda: read_checked_lines(path, record_lines(KEY), torn_end=False),
    ):
        with pytest.raises(DatasetError) as caught:
            read()
        messages.add(str(caught.value))
    assert path.read_bytes() == content
    [message] = messages
    assert len(message.splitlines()) == 1
    assert "start over with --fresh (the old run is kept)" in message
    return message


@pytest.mark.parametrize("number", [1, 2, 4])
@pytest.mark.parametrize("owner", ["f" * 64, KEY.digest[:-1] + "1", KEY.digest[:12], "", 7, None])
def test_a_line_of_another_run_is_refused(tmp_path, number, owner):
    lines = [encode(record(index), KEY.digest) for index in range(COUNT)]
    lines[number - 1] = encode(record(number - 1), owner)
    message = refusal(tmp_path / "journal.jsonl", b"".join(lines))
    assert (
        f"line {number} belongs to another run ({str(owner)[:12]}, this is 0123456789ab)" in message
    )


@pytest.mark.parametrize("index", [-1, COUNT, 99, 10**12, -(10**30)])
def test_a_question_that_the_run_does_not_have_is_refused(tmp_path, index):
    lines = [encode(record(0), KEY.digest), encode(record(index), KEY.digest)]
    message = refusal(tmp_path / "journal.jsonl", b"".join(lines))
    assert (
        f"line 2 is of question {str(index)[:20]}, and the run has the questions 0 to 3" in message
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"index": 2},
        {"eval_id": "q2"},
        {"question": "why not?"},
        {"question": "why? "},
        {"reference": "because not"},
        {"relevant_question_ids": ["7"]},
    ],
)
def test_a_record_of_another_question_is_refused(tmp_path, changes):
    lines = [encode(entry, KEY.digest) for entry in (record(0), {**record(1), **changes})]
    message = refusal(tmp_path / "journal.jsonl", b"".join(lines))
    index = changes.get("index", 1)
    assert (
        f"line 2 holds another question than the run's question {index} (its eval_id is " in message
    )


GENERATE, JUDGE = record(1)["steps"]
ODD = {
    "index": [True, 1.0, "1", None, [1], {}],
    "steps": [None, {}, "x", [None], [{}], [[]], [{"node": 7}], [{**GENERATE, "seconds": "1"}]],
    "steps.1": [
        {**JUDGE, "verdicts": [{**verdict({"4": 1.0}), "mass": "1"}]},
        {**JUDGE, "verdicts": [{**verdict({"4": 1.0}), "probabilities": {"4": None}}]},
        {**GENERATE, "replies": [{**reply("x"), "new_tokens": 1.5}]},
        {**GENERATE, "replies": [{**reply("x"), "cached": 0}]},
        {**GENERATE, "replies": [{}]},
        {**GENERATE, "candidates": [{"text": "x"}]},
        {**GENERATE, "chosen": True},
        {**GENERATE, "points": "a point"},
        {**GENERATE, "preferences": [{"first": 0, "second": 1, "first_wins": 1.0}]},
    ],
    "metrics": [None, [], {"BLEU": "0.5"}, {"BLEU": True}, {"BLEU": [0.5]}, {"BLEU": {}}],
    "error": ["no", {}, {"type": "ValueError"}, {"type": 3, "message": "no"}, [], False],
    "passages": [None, {}, [{}], ["text"], [{"number": 1, "text": "x"}]],
    "candidates": [None, {}, [{}], [{"step": 0, "candidate": 0}], [[0, 0, {}]]],
    "relevant_question_ids": [None, "7", [7], {}],
    "eval_id": [None, 1],
    "question": [None, 1, ["why?"]],
    "reference": [None, 1],
    "answer": [None, 1],
    "reasoning": [None, 0.5],
}


@pytest.mark.parametrize(
    ("field", "value"),
    [(field.partition(".")[0], value) for field, values in ODD.items() for value in values],
)
def test_a_field_of_another_type_is_named(tmp_path, field, value):
    if isinstance(value, dict) and "node" in value:
        value = [GENERATE, value]
    lines = [encode(entry, KEY.digest) for entry in (record(0), {**record(1), field: value})]
    message = refusal(tmp_path / "journal.jsonl", b"".join(lines))
    assert f"line 2 holds no record of a question ({field}" in message


@pytest.mark.parametrize("field", list(record(0)))
def test_a_missing_field_is_named(tmp_path, field):
    entry = record(1)
    del entry[field]
    message = refusal(tmp_path / "journal.jsonl", encode(entry, KEY.digest))
    assert f"line 1 holds no record of a question ({field}: Field required)" in message


@pytest.mark.parametrize("entry", [None, 3, "text", [], [record(0)], {}])
def test_a_line_without_a_record_is_refused(tmp_path, entry):
    message = refusal(tmp_path / "journal.jsonl", encode(entry, KEY.digest))
    assert "line 1 holds no record of a question (" in message


def test_fields_of_a_later_stage_are_read_unchanged(tmp_path):
    path = tmp_path / "journal.jsonl"
    entry = {**record(0), "further": 1, "steps": [{"node": "new", "field": [1]}]}
    journal = Journal(path, KEY)
    journal.append([entry, failed(1)])
    journal.close()
    assert read_checked_lines(path, record_lines(KEY)) == {0: entry, 1: failed(1)}


@pytest.mark.parametrize(
    "changes",
    [{"index": 9}, {"question": "another"}, {"answer": None}, {"metrics": {"BLEU": "1"}}],
)
def test_a_record_that_could_not_be_read_again_is_not_written(tmp_path, changes):
    journal = Journal(tmp_path / "journal.jsonl", KEY)
    with pytest.raises(ValueError, match="question"):
        journal.append([record(0), {**record(1), **changes}])
    journal.close()
    assert (tmp_path / "journal.jsonl").read_bytes() == b""
    assert journal.entries == {}


def test_a_run_does_not_take_over_the_journal_of_another_run(tmp_path, monkeypatch):
    without_weights(monkeypatch)
    dataset = write_dataset(tmp_path / "q.csv", 3)
    data = ("--profile", "embedded", "--dataset", dataset, "--runs", tmp_path / "runs")

    def evaluate(*flags):
        command(monkeypatch, "--config", "baseline", *data, "--no-report", *flags)
        return in_child(lambda: terminal.run(cli.main))

    assert evaluate().code == 0
    [first] = (tmp_path / "runs").iterdir()
    assert evaluate("--seed", "1").code == 0
    [second] = set((tmp_path / "runs").iterdir()) - {first}
    assert read_run(first).records != []
    shutil.copy(first / "journal.jsonl", second / "journal.jsonl")
    before = (second / "journal.jsonl").read_bytes()
    ended = evaluate("--seed", "1")
    assert (ended.code, ended.out) == (2, "")
    [line] = [line for line in ended.err.splitlines() if "error: " in line]
    assert (
        f"line 1 belongs to another run ({first.name[-12:]}, this is {second.name[-12:]})" in line
    )
    assert (second / "journal.jsonl").read_bytes() == before
    assert evaluate("--seed", "1", "--fresh").code == 0
    assert [entry["index"] for entry in read_run(second).records] == [0, 1, 2]


@pytest.mark.parametrize("text", ["[" * 200_000, '{"leaks": [1]}', "", None])
def test_a_run_with_a_damaged_manifest_starts_over_with_fresh(tmp_path, monkeypatch, text):
    without_weights(monkeypatch)
    files = {"dataset": write_dataset(tmp_path / "q.csv", 2), "runs": tmp_path / "runs"}
    files["corpus"] = small_corpus(tmp_path / "corpus.csv")
    flags = [value for name, path in files.items() for value in (f"--{name}", path)]

    def evaluate(*further):
        named = ("--config", "keyword", "--profile", "embedded", "--no-report")
        command(monkeypatch, *named, *flags, *further)
        return in_child(lambda: terminal.run(cli.main))

    assert evaluate().code == 0
    [run] = (tmp_path / "runs").iterdir()
    (run / "manifest.json").unlink()
    if text is None:
        os.mkfifo(run / "manifest.json")
    else:
        (run / "manifest.json").write_text(text, encoding="utf-8")
    ended = evaluate()
    assert (ended.code, ended.out) == (2, "")
    assert [line for line in ended.err.splitlines() if f"error: {run / 'manifest.json'}" in line]
    ended = evaluate("--fresh")
    assert ended.code == 0, ended.err
    assert len(read_run(run).records) == 2


def test_readers_refuse_the_journal_of_another_run(tmp_path):
    first = make_run(tmp_path / "first", [record(0), record(1)])
    second = make_run(tmp_path / "second", [record(0), record(1)], seed=1)
    shutil.copy(first / "journal.jsonl", second / "journal.jsonl")
    for torn_end in (True, False):
        with pytest.raises(DatasetError, match="line 1 belongs to another run"):
            read_run(second, torn_end=torn_end)

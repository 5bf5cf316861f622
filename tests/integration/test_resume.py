"""Runs that are killed at any moment: they lose nothing, repeat nothing and end with the same bytes."""

import json
import os
import shutil
import signal
import sys

import pytest

from evaluation.commands import eval_command as cli
from evaluation.store.journal import Journal
from graph.support import terminal
from tests.fakes.crashing import dying_at, dying_in_write
from tests.fakes.processes import in_child, kill_self
from tests.fakes.run_folders import key_of_run
from tests.fakes.scripted_runs import answer_for, command, number_of, without_weights, write_dataset

QUESTIONS, BATCH = 24, 4


class Runs:
    """A command that a test repeats, each time with a runs folder of its choice."""

    def __init__(self, monkeypatch, tmp_path):
        self.monkeypatch = monkeypatch
        self.dataset = write_dataset(tmp_path / "questions.csv", QUESTIONS)
        self.log = tmp_path / "asked"
        self.at = {}
        """From the number of a question to a function that is called when a model answers it."""
        without_weights(monkeypatch, self.answer)
        # Data that a killed process has written is not lost: syncs protect from power cuts. The tests
        # of the journal check that they happen; here they would take most of the time.
        monkeypatch.setattr(os, "fsync", lambda _: None)

    def answer(self, prompt):
        """Log the question in a file, so that the questions of a killed child count too."""
        number = number_of(prompt)
        with self.log.open("ab", buffering=0) as file:
            file.write(b"%d\n" % number)
        self.at.get(number, lambda: None)()
        return answer_for(prompt)

    def start_over(self, runs):
        """Set the command line and empty the log of questions."""
        self.log.write_bytes(b"")
        data = ("--dataset", self.dataset, "--runs", runs)
        command(
            self.monkeypatch,
            *("--config", "baseline", "--profile", "embedded", "--batch_size", BATCH, *data),
        )

    def asked_numbers(self):
        return [int(line) for line in self.log.read_bytes().split()]


@pytest.fixture
def runs(monkeypatch, tmp_path):
    return Runs(monkeypatch, tmp_path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Return the runs folder of an uninterrupted run."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        runs = Runs(patch, folder)
        runs.start_over(folder / "runs")
        assert cli.main() == 0
    assert sorted(runs.asked_numbers()) == list(range(QUESTIONS))
    return folder / "runs"


@pytest.fixture
def golden(finished, tmp_path):
    """Return the results that every run must have; `golden` is a copy of the finished run."""
    shutil.copytree(finished, tmp_path / "golden")
    return results(tmp_path / "golden")


def results(folder):
    """Return the bytes of the files of a run that hold no times."""
    (run,) = folder.iterdir()
    return {
        name: (run / name).read_bytes() for name in ("journal.jsonl", "metrics.json", "summary.md")
    }


def assert_nothing_lost_or_done_twice(runs, folder, golden):
    assert cli.main() == 0
    assert results(folder) == golden
    numbers = runs.asked_numbers()
    repeated = [number for number in range(QUESTIONS) if numbers.count(number) > 1]
    assert set(numbers) == set(range(QUESTIONS))
    assert max(map(numbers.count, repeated), default=0) <= 2
    assert len({number // BATCH for number in repeated}) <= 1
    assert len(numbers) <= QUESTIONS + BATCH


def run_of_ten_records(runs, folder):
    """Finish a run and cut its journal after ten records: the third batch is 8 to 11."""
    runs.start_over(folder)
    assert cli.main() == 0
    (run,) = folder.iterdir()
    lines = (run / "journal.jsonl").read_bytes().splitlines(keepends=True)
    (run / "journal.jsonl").write_bytes(b"".join(lines[:10]))


def crash_sweep(runs, golden, tmp_path, dying):
    """Kill runs at their first point, their second, and so on; return the number of points."""
    points = 0
    while True:
        folder = tmp_path / f"runs{points}"
        runs.start_over(folder)
        ended = dying(points + 1, cli.main)
        if ended.code != -signal.SIGKILL:
            assert ended.code == 0, ended.err
            assert results(folder) == golden
            return points
        points += 1
        assert_nothing_lost_or_done_twice(runs, folder, golden)


def test_a_run_may_die_at_every_operation_on_files(runs, golden, tmp_path):
    points = crash_sweep(runs, golden, tmp_path, dying_at)
    # At least a write and a sync of each batch, and a sync and a replace of manifest and metrics.
    assert points >= 2 * QUESTIONS // BATCH + 4


def test_a_run_may_die_in_the_middle_of_every_write(runs, golden, tmp_path):
    assert crash_sweep(runs, golden, tmp_path, dying_in_write) >= QUESTIONS // BATCH


def test_a_torn_write_is_cut_off_and_kept_aside(runs, golden, tmp_path):
    runs.start_over(tmp_path / "runs")
    # The first write is that of the lock, the second that of the first batch.
    assert dying_in_write(3, cli.main).code == -signal.SIGKILL
    (run,) = (tmp_path / "runs").iterdir()
    left = (run / "journal.jsonl").read_bytes()
    assert golden["journal.jsonl"].startswith(left)
    assert BATCH <= left.count(b"\n") < 2 * BATCH
    assert not left.endswith(b"\n")
    assert_nothing_lost_or_done_twice(runs, tmp_path / "runs", golden)
    torn = (run / "journal.torn").read_bytes()
    assert torn == left[left.rindex(b"\n") + 1 :] + b"\n"


def test_a_run_may_be_killed_while_a_model_answers(runs, golden, tmp_path):
    for number in (0, 3, 4, 17, 23):
        folder = tmp_path / f"runs{number}"
        runs.start_over(folder)
        runs.at = {number: kill_self}
        assert in_child(cli.main).code == -signal.SIGKILL
        runs.at = {}
        assert_nothing_lost_or_done_twice(runs, folder, golden)


def test_a_run_that_is_killed_again_and_again_still_ends(runs, golden, tmp_path):
    runs.start_over(tmp_path / "runs")
    lives = 0
    while (ended := dying_in_write(3, cli.main)).code == -signal.SIGKILL:
        lives += 1
        assert lives < QUESTIONS
    assert ended.code == 0, ended.err
    assert lives >= QUESTIONS // BATCH - 1
    assert results(tmp_path / "runs") == golden


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_says_how_to_go_on(runs, golden, tmp_path, number, code):
    runs.start_over(tmp_path / "runs")
    runs.at = {9: lambda: os.kill(os.getpid(), number)}
    ended = in_child(lambda: terminal.run(cli.main))
    runs.at = {}
    assert ended.code == code
    assert "Traceback" not in ended.err
    assert "interrupted: 8 of 24 questions are done and kept" in ended.err
    assert "to go on: python eval.py --config baseline" in ended.err
    assert_nothing_lost_or_done_twice(runs, tmp_path / "runs", golden)


def test_the_same_command_again_shows_the_finished_result(runs, golden, tmp_path, capfd):
    runs.start_over(tmp_path / "golden")
    capfd.readouterr()
    assert cli.main() == 0
    assert runs.asked_numbers() == []
    assert results(tmp_path / "golden") == golden
    (run,) = (tmp_path / "golden").iterdir()
    out = capfd.readouterr().out
    assert "24 questions, 0 failed" in out
    assert out.endswith(f"run: {run}\n")


def test_metrics_come_from_the_journal_alone(runs, golden, tmp_path):
    (run,) = (tmp_path / "golden").iterdir()
    for name in ("metrics.json", "summary.md", "timings.json"):
        (run / name).unlink()
    runs.start_over(tmp_path / "golden")
    assert cli.main() == 0
    assert results(tmp_path / "golden") == golden


def test_fresh_starts_over_and_deletes_nothing(runs, golden, tmp_path):
    runs.start_over(tmp_path / "golden")
    (run,) = (tmp_path / "golden").iterdir()
    for count in (1, 2):
        runs.start_over(tmp_path / "golden")
        runs.monkeypatch.setattr("sys.argv", [*sys.argv, "--fresh"])
        assert cli.main() == 0
        assert len(runs.asked_numbers()) == QUESTIONS
        aside = run.with_name(f"{run.name}.replaced-{count}")
        assert (aside / "journal.jsonl").read_bytes() == golden["journal.jsonl"]
        assert (aside / "metrics.json").read_bytes() == golden["metrics.json"]
    assert len(list((tmp_path / "golden").iterdir())) == 3
    assert (run / "metrics.json").read_bytes() == golden["metrics.json"]


def test_a_zero_score_and_an_empty_answer_are_not_done_again(runs, golden, tmp_path):
    folder = tmp_path / "runs"
    runs.start_over(folder)
    answer = runs.answer
    empty = {2: "", 3: " \n"}
    without_weights(
        runs.monkeypatch, lambda prompt: answer(prompt) and empty.get(number_of(prompt), "x")
    )
    assert cli.main() == 0
    runs.start_over(folder)
    assert cli.main() == 0
    assert runs.asked_numbers() == []
    (run,) = folder.iterdir()
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    assert (metrics["n"], metrics["failed"], metrics["empty_answers"]) == (24, 0, 2)
    assert metrics["metrics"]["BLEU"]["n"] == 24


def test_a_batch_that_was_cut_in_two_is_computed_whole_and_compared(runs, golden, tmp_path, caplog):
    folder = tmp_path / "runs"
    run_of_ten_records(runs, folder)
    runs.start_over(folder)
    with caplog.at_level("INFO", logger="opencoder"):
        assert cli.main() == 0
    assert sorted(runs.asked_numbers()) == list(range(8, QUESTIONS))
    assert results(folder) == golden
    assert "2 questions of an interrupted batch were computed again, 0 came out differently" in (
        caplog.text
    )


def test_a_recomputed_question_that_differs_is_reported_and_the_first_record_stays(
    runs, golden, tmp_path, caplog
):
    folder = tmp_path / "runs"
    run_of_ten_records(runs, folder)
    changed = {8: "another answer this time"}
    without_weights(runs.monkeypatch, lambda p: changed.get(number_of(p), answer_for(p)))
    with caplog.at_level("INFO", logger="opencoder"):
        assert cli.main() == 0
    assert "2 questions of an interrupted batch were computed again, 1 came out differently" in (
        caplog.text
    )
    assert results(folder) == golden


def test_a_damaged_journal_stops_a_run_before_any_model_is_asked(runs, golden, tmp_path):
    runs.start_over(tmp_path / "golden")
    (run,) = (tmp_path / "golden").iterdir()
    damaged = golden["journal.jsonl"].replace(b'"index": 5', b'"index": 6')
    (run / "journal.jsonl").write_bytes(damaged)
    ended = in_child(lambda: terminal.run(cli.main))
    assert ended.code == 2
    assert "line 6 is damaged" in ended.err
    assert runs.asked_numbers() == []
    assert (run / "journal.jsonl").read_bytes() == damaged


def test_a_finished_journal_holds_every_question_once(golden, tmp_path):
    (run,) = (tmp_path / "golden").iterdir()
    journal = Journal(run / "journal.jsonl", key_of_run(run))
    journal.close()
    assert list(journal.entries) == list(range(QUESTIONS))
    assert all(record["error"] is None for record in journal.entries.values())

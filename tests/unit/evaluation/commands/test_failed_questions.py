"""Failed questions and failures of the environment as a user of eval.py meets them."""

import errno
import json
import os
import shutil
from pathlib import Path

import pytest

from evaluation.answering.run_job import command_line
from evaluation.commands import eval_command as cli
from evaluation.store.recorded_run import read_run
from graph.support import terminal
from tests.fakes.fake_models import ScriptedEngine
from tests.fakes.processes import in_child
from tests.fakes.scripted_runs import (
    answer_for,
    command,
    number_of,
    without_weights,
    write_dataset,
)

COUNT = 10


class Commands:
    """The command of one run, which a test repeats with other flags and other models."""

    def __init__(self, monkeypatch, tmp_path):
        self.monkeypatch = monkeypatch
        self.runs = tmp_path / "runs"
        self.arguments = (
            *("--config", "baseline", "--profile", "embedded"),
            *("--dataset", write_dataset(tmp_path / "questions.csv", COUNT), "--runs", self.runs),
            "--no-report",
        )

    def prepare(self, *flags, bad=(), error=None, at=lambda number: None):
        """Set the command line; the questions `bad` will fail, and `at` will see every question."""

        def answer(prompt):
            number = number_of(prompt)
            at(number)
            if number in bad:
                raise error or ValueError("no number")
            return answer_for(prompt)

        without_weights(self.monkeypatch, answer)
        batches = () if "--batch_size" in flags else ("--batch_size", "2")
        command(self.monkeypatch, *self.arguments, *batches, *flags)

    def eval(self, *flags, **events):
        """Run eval.py in a child process; for the events see `prepare`."""
        self.prepare(*flags, **events)
        return in_child(lambda: terminal.run(cli.main))

    @property
    def folder(self):
        (folder,) = self.runs.iterdir()
        return folder

    def failed(self):
        return [record["index"] for record in read_run(self.folder).records if record["error"]]

    def results(self):
        return {
            name: (self.folder / name).read_bytes()
            for name in ("journal.jsonl", "metrics.json", "summary.md")
        }


@pytest.fixture
def commands(monkeypatch, tmp_path, undisturbed):
    return Commands(monkeypatch, tmp_path)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The results of a run in which nothing fails.

    It runs in this process, so that each child starts with all modules loaded.
    """
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("undisturbed")
        commands = Commands(patch, folder)
        commands.prepare()
        assert cli.main() == 0
        return commands.results()


# Failed questions


@pytest.mark.parametrize(
    ("bad", "flags", "code"),
    [
        ([], [], 0),
        ([3], [], 1),
        ([3], ["--allow-failed", "0.1"], 0),
        ([3, 4], ["--allow-failed", "0.1"], 1),
        ([3, 4], ["--allow-failed", "0.2"], 0),
        (range(COUNT), ["--allow-failed", "1", "--batch_size", "10"], 0),
        (range(COUNT), ["--batch_size", "10"], 1),
        ([], ["--allow-failed", "0"], 0),
    ],
)
def test_more_failed_questions_than_allowed_give_exit_code_one(commands, bad, flags, code):
    ended = commands.eval(*flags, bad=bad)
    assert ended.code == code, ended.err
    assert ("questions failed (" in ended.out) == bool(code)
    assert ("that --allow-failed allows" in ended.out) == bool(code)
    # The same command shows the same, and ends with the same code.
    assert commands.eval(*flags).code == code


def test_the_commands_to_see_the_errors_and_to_ask_again_are_named(commands, undisturbed):
    ended = commands.eval(bad=[3])
    lines = ended.out.splitlines()
    assert (
        "1 of 10 questions failed (10.0%), more than the 1.0% that --allow-failed allows: the means "
        "leave it out."
    ) in lines
    assert f"to see the errors: python -m evaluation report {commands.folder}" in lines
    (again,) = [line for line in lines if line.startswith("to ask them again: python eval.py ")]
    assert again.endswith(" --retry-failed")
    assert "\x1b" not in ended.out
    ended = commands.eval("--retry-failed")
    assert ended.code == 0, ended.err
    assert "questions failed" not in ended.out
    assert commands.results() == undisturbed


def test_on_a_terminal_the_line_is_red(commands, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    ended = commands.eval(bad=[3])
    (line,) = [line for line in ended.out.splitlines() if "that --allow-failed allows" in line]
    assert line.startswith("\x1b[1;31m")
    assert ended.code == 1


@pytest.mark.parametrize("share", ["1.1", "-0.1", "one", "nan", "", "1%", "inf"])
def test_a_share_is_a_number_from_0_to_1(commands, share):
    ended = commands.eval(f"--allow-failed={share}")
    assert ended.code == 2
    assert "is not a number from 0 to 1" in ended.err
    assert not commands.runs.exists()


@pytest.mark.parametrize("bad", [[0], [9], [2, 3], [0, 4, 5, 9]])
def test_a_retry_gives_the_bytes_of_a_run_without_failures(commands, undisturbed, bad):
    assert commands.eval(bad=bad).code == 1
    assert commands.failed() == bad
    numbers = []
    assert commands.eval("--retry-failed", at=numbers.append).code == 0
    assert commands.results() == undisturbed


def test_a_retry_of_an_unfinished_run_also_answers_the_rest(commands, undisturbed):
    stopped = commands.eval(bad=[1], at=lambda number: number == 5 and os._exit(9))
    assert stopped.code == 9
    assert commands.failed() == [1]
    ended = commands.eval("--retry-failed")
    assert ended.code == 0, ended.err
    assert commands.results() == undisturbed


def test_a_retry_that_is_killed_loses_nothing(commands, undisturbed):
    assert commands.eval(bad=[1, 5, 6]).code == 1
    killed = commands.eval("--retry-failed", at=lambda number: number == 6 and os._exit(9))
    assert killed.code == 9
    assert commands.failed() == [6]
    # Without the flag the run is shown as it is recorded.
    assert commands.eval(at=lambda number: os._exit(9)).code == 1
    assert commands.failed() == [6]
    assert commands.eval("--retry-failed").code == 0
    assert commands.results() == undisturbed


# The environment


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"),
        OSError(errno.ENOSPC, "No space left on device"),
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        type("APIConnectionError", (Exception,), {})("Connection error."),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_failure_of_the_environment_is_one_line_and_the_same_command_goes_on(
    commands, undisturbed, error
):
    ended = commands.eval(bad=[5], error=error)
    assert ended.code == 1
    (line,) = [line for line in ended.err.splitlines() if "error: " in line]
    assert line.startswith(
        f"opencoder: error: the run stopped: {type(error).__name__}: {error}; 4 of 10 questions are "
        "recorded; when the cause is gone, the same command goes on: python eval.py --config baseline"
    )
    assert "Traceback" not in ended.err
    assert ended.out == ""
    assert commands.failed() == []
    assert commands.eval().code == 0
    assert commands.results() == undisturbed


def test_a_run_folder_that_is_removed_ends_the_run_with_what_is_lost(commands, undisturbed):
    ended = commands.eval(at=lambda number: number == 5 and shutil.rmtree(commands.folder))
    assert ended.code == 1
    (line,) = [line for line in ended.err.splitlines() if "error: " in line]
    assert "journal.jsonl was removed during the run: its 4 entries are lost; the same comm" in line
    assert "goes on" not in line
    assert not commands.runs.exists() or not list(commands.runs.iterdir())
    assert commands.eval().code == 0
    assert commands.results() == undisturbed


def test_a_run_folder_that_is_removed_after_the_last_batch_is_noticed_too(commands, monkeypatch):
    real = os.fsync
    done = []

    def fsync(descriptor):
        real(descriptor)
        done.append(descriptor)
        path = commands.folder / "journal.jsonl"
        if path.exists() and path.read_bytes().count(b"\n") == COUNT:
            shutil.rmtree(commands.folder)

    monkeypatch.setattr(os, "fsync", fsync)
    ended = commands.eval()
    assert ended.code == 1
    assert "was removed during the run: its 10 entries are lost" in ended.err


# A disk that cannot be written to


def refuse_to_write(monkeypatch, number):
    """Let every call fail that would change the runs folder, as on a read-only file system."""
    real = {name: getattr(os, name) for name in ("open", "mkdir", "rename", "replace", "unlink")}

    def refusing(name):
        def call(path, *rest, **options):
            writes = name != "open" or rest[0] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            if writes and "runs" in Path(os.fspath(path)).parts:
                raise OSError(number, os.strerror(number), str(path))
            return real[name](path, *rest, **options)

        return call

    for name in real:
        monkeypatch.setattr(os, name, refusing(name))


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EPERM])
def test_a_finished_run_is_shown_where_nothing_can_be_written(commands, monkeypatch, number):
    first = commands.eval()
    before = {path: path.read_bytes() for path in commands.folder.iterdir()}
    with monkeypatch.context() as patch:
        refuse_to_write(patch, number)
        ended = commands.eval(at=lambda number: os._exit(9))
    assert ended.code == 0, ended.err
    assert ended.out == first.out
    assert (
        f"cannot write to {commands.folder}: {os.strerror(number)}; make it writable or name another "
        "folder with --runs: the finished run is shown, and nothing is written"
    ) in ended.err
    assert {path: path.read_bytes() for path in commands.folder.iterdir()} == before


def test_a_finished_run_with_failures_has_its_exit_code_there_too(commands, monkeypatch):
    assert commands.eval(bad=[2]).code == 1
    refuse_to_write(monkeypatch, errno.EROFS)
    assert commands.eval().code == 1
    assert commands.eval("--allow-failed", "0.5").code == 0


def unfinished(commands):
    assert commands.eval(at=lambda number: number == 5 and os._exit(9)).code == 9


def of_failed_questions(commands):
    commands.eval(bad=[2])


def of_a_failed_judge(commands):
    own = ScriptedEngine.choose_all

    def choose_all(self, prompts, options):
        outcomes = own(self, prompts, options)
        return [
            ValueError("no") if number_of(prompt) == 2 else outcome
            for prompt, outcome in zip(self.calls[-1], outcomes, strict=True)
        ]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ScriptedEngine, "choose_all", choose_all)
        assert commands.eval().code == 0


@pytest.mark.parametrize(
    ("start", "flags"),
    [
        (unfinished, []),
        (of_a_failed_judge, ["--retry-failed"]),
        (lambda commands: None, []),
        (lambda commands: commands.eval(), ["--fresh"]),
        (of_failed_questions, ["--retry-failed"]),
    ],
)
def test_a_run_that_has_to_write_is_refused_in_one_line(commands, monkeypatch, start, flags):
    start(commands)
    refuse_to_write(monkeypatch, errno.EROFS)
    ended = commands.eval(*flags, at=lambda number: os._exit(9))
    assert ended.code == 2
    assert ended.out == ""
    (line,) = [line for line in ended.err.splitlines() if "error: " in line]
    assert line.startswith("opencoder: error: cannot write to ")
    assert "Read-only file system; make it writable or name another folder with --runs" in line


def test_a_run_of_other_data_is_not_shown_for_this_one(commands, monkeypatch):
    commands.eval()
    manifest = commands.folder / "manifest.json"
    fields = json.loads(manifest.read_text(encoding="utf-8"))
    manifest.write_text(json.dumps({**fields, "digest": "0" * 64}), encoding="utf-8")
    refuse_to_write(monkeypatch, errno.EROFS)
    assert commands.eval().code == 2


@pytest.mark.parametrize(("failed", "total"), [(29, 100), (57, 100), (1, 3), (0, 7)])
def test_a_share_that_is_allowed_exactly_is_not_too_large(failed, total):
    results = {"failed": failed, "n": total}
    assert not cli._too_many_failed(results, failed / total)
    assert cli._too_many_failed({"failed": failed + 1, "n": total}, failed / total)


def test_the_command_that_continues_does_not_start_over(monkeypatch):
    monkeypatch.setattr("sys.argv", ["eval.py", "--fresh", "--config", "baseline"])
    assert command_line("--retry-failed") == "python eval.py --config baseline --retry-failed"

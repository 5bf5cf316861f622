"""A run folder has one writer at a time, belongs to one run, and loses nothing."""

import json
import os
import signal
from pathlib import Path

import pytest

from evaluation.commands import eval_command as cli
from evaluation.store import run_folder
from evaluation.store.identity import SCHEMA, digest
from evaluation.store.manifest import read_manifest, with_checksum
from evaluation.store.run_folder import locked, set_aside, write_manifest
from graph.support import terminal
from graph.support.errors import DatasetError, RunLockedError
from tests.fakes.json_files import edited_json
from tests.fakes.processes import in_child
from tests.fakes.scripted_runs import command, without_weights, write_dataset


class Holder:
    """Another process that holds a folder until it is killed."""

    def __init__(self, folder):
        ready, done = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                with locked(folder):
                    os.write(done, b"x")
                    signal.pause()
            finally:
                os._exit(1)
        assert os.read(ready, 1) == b"x"
        os.close(ready)
        os.close(done)

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        _, status = os.waitpid(self.pid, 0)
        assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL


@pytest.fixture
def held(tmp_path):
    folder = tmp_path / "run"
    holder = Holder(folder)
    yield folder, holder
    if holder.pid:
        os.kill(holder.pid, signal.SIGKILL)
        os.waitpid(holder.pid, 0)


def enter(folder):
    with locked(folder):
        pass


def test_a_folder_that_another_process_holds_is_refused_and_the_process_named(held):
    folder, holder = held
    with pytest.raises(RunLockedError) as caught:
        enter(folder)
    assert str(caught.value).startswith(f"{folder} is held by process {holder.pid} on ")
    assert str(caught.value).endswith(": wait for it to end, or name another folder with --runs")
    assert caught.value.exit_code == 3


def test_the_lock_dies_with_its_process(held):
    folder, holder = held
    holder.kill()
    holder.pid = 0
    enter(folder)


def test_a_refused_process_does_not_take_the_lock_away(held):
    folder, _ = held
    for _ in range(3):
        with pytest.raises(RunLockedError):
            enter(folder)


def test_a_folder_is_free_again_when_its_block_ends_or_fails(tmp_path):
    with pytest.raises(ZeroDivisionError), locked(tmp_path / "run"):
        raise ZeroDivisionError
    enter(tmp_path / "run")
    with locked(tmp_path / "run"):
        assert in_child(lambda: enter(tmp_path / "run")).err.endswith(
            f"is held by process {os.getpid()} on {os.uname().nodename}: wait for it to "
            "end, or name another folder with --runs\n"
        )


def test_of_eight_processes_at_once_one_goes_on(tmp_path):
    # Each child holds the lock until the parent closes its end of the pipe.
    gate_out, gate_in = os.pipe()
    report_out, report_in = os.pipe()
    pids = []
    for _ in range(8):
        pid = os.fork()
        if pid == 0:
            os.close(gate_in)
            code = 3
            try:
                with locked(tmp_path / "run"):
                    os.write(report_in, b"+")
                    os.read(gate_out, 1)
                    code = 0
            except RunLockedError:
                os.write(report_in, b"-")
            finally:
                os._exit(code)
        pids.append(pid)
    reports = b""
    while len(reports) < 8:
        reports += os.read(report_out, 8)
    os.close(gate_in)
    codes = sorted(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids)
    for descriptor in (gate_out, report_out, report_in):
        os.close(descriptor)
    assert sorted(reports) == sorted(b"+-------")
    assert codes == [0] + [3] * 7


def test_a_second_run_ends_with_code_three_and_touches_nothing(tmp_path, monkeypatch):
    without_weights(monkeypatch)
    dataset = write_dataset(tmp_path / "q.csv", 3)
    data = ("--dataset", dataset, "--runs", tmp_path / "runs")
    command(monkeypatch, "--config", "baseline", "--profile", "embedded", *data)
    assert cli.main() == 0
    (run,) = (tmp_path / "runs").iterdir()
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.name != "lock"}
    holder = Holder(run)
    try:
        for extra in ([], ["--fresh"]):
            command(monkeypatch, *("--config", "baseline", "--profile", "embedded", *data, *extra))
            ended = in_child(lambda: terminal.run(cli.main))
            assert ended.code == 3
            assert f"opencoder: error: {run} is held by process {holder.pid}" in ended.err
            assert "Traceback" not in ended.err
            assert ended.out == ""
    finally:
        holder.kill()
    assert {path.name: path.read_bytes() for path in run.iterdir() if path.name != "lock"} == before
    assert list((tmp_path / "runs").iterdir()) == [run]


@pytest.mark.parametrize("name", ["file", "file/run"])
def test_a_place_that_cannot_be_written_to_is_named(tmp_path, name):
    (tmp_path / "file").touch()
    with pytest.raises(DatasetError, match=r"cannot write to .*file"):
        enter(tmp_path / name)


def test_setting_aside_moves_and_never_overwrites(tmp_path):
    run = tmp_path / "run"
    for number in (1, 2, 3):
        run.mkdir()
        (run / "journal.jsonl").write_text(str(number), encoding="utf-8")
        assert set_aside(run) == tmp_path / f"run.replaced-{number}"
        assert not run.exists()
    for number in (1, 2, 3):
        journal = tmp_path / f"run.replaced-{number}" / "journal.jsonl"
        assert journal.read_text(encoding="utf-8") == str(number)


def test_there_is_nothing_to_set_aside_in_an_unused_folder(tmp_path):
    enter(tmp_path / "run")
    for name in ("run", "none"):
        assert set_aside(tmp_path / name) is None
        assert [path.name for path in (tmp_path / name).iterdir()] == ["lock"]


def test_a_held_folder_is_not_set_aside(held):
    folder, _ = held
    (folder / "journal.jsonl").touch()
    with pytest.raises(RunLockedError):
        set_aside(folder)
    assert (folder / "journal.jsonl").exists()


def test_a_folder_that_cannot_move_while_its_lock_is_open_moves_after(tmp_path, monkeypatch):
    monkeypatch.setattr(run_folder, "_OPEN_FILES_STAY", True)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "journal.jsonl").touch()
    open_locks = []
    rename = Path.rename

    def unlocked_rename(folder, target):
        open_locks.append(in_child(lambda: enter(folder)).code)
        return rename(folder, target)

    monkeypatch.setattr(Path, "rename", unlocked_rename)
    assert set_aside(tmp_path / "run") == tmp_path / "run.replaced-1"
    assert open_locks == [0]


def test_where_there_are_no_locks_the_run_goes_on_with_a_warning(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(run_folder, "lock_file", lambda _: None)
    enter(tmp_path / "run")
    assert caplog.messages == [
        f"{tmp_path / 'run'}: its file system has no locks: do not start this run twice at the same time"
    ]


def manifest(**changes):
    identity = {"schema": SCHEMA, "seed": 0, "limit": None, "batch_size": 8, **changes}
    return {
        "digest": digest(identity),
        "identity": identity,
        "config": "baseline",
        "profile": "embedded",
        "questions": 1,
        "question_digests": ["q"],
        "created": "now",
        "versions": {"numpy": "2.0", "torch": "2.13"},
    }


def test_the_first_manifest_stays(tmp_path):
    write_manifest(tmp_path, manifest())
    first = (tmp_path / "manifest.json").read_bytes()
    write_manifest(tmp_path, {**manifest(), "created": "later"})
    assert (tmp_path / "manifest.json").read_bytes() == first
    assert json.loads(first) == with_checksum(manifest())


@pytest.mark.parametrize(("field", "value"), [("seed", 1), ("limit", 5), ("batch_size", 4)])
def test_a_manifest_of_another_run_is_refused_by_field(tmp_path, field, value):
    write_manifest(tmp_path, manifest())
    with pytest.raises(DatasetError) as caught:
        write_manifest(tmp_path, manifest(**{field: value}))
    assert str(caught.value) == (
        f"{tmp_path} belongs to another run: its {field} differs; start over with --fresh"
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("config", "semantib"),
        ("profile", "gpu"),
        ("question_digests", ["r"]),
        ("question_digests", ["q", "q"]),
    ],
)
def test_a_damaged_field_that_follows_from_the_run_is_refused(tmp_path, field, value):
    damaged = {**manifest(), field: value}
    damaged["questions"] = len(damaged["question_digests"])
    write_manifest(tmp_path, damaged)
    before = (tmp_path / "manifest.json").read_bytes()
    named = "questions" if damaged["questions"] != 1 else field
    with pytest.raises(DatasetError, match=f"belongs to another run: its {named} differs"):
        write_manifest(tmp_path, manifest())
    assert (tmp_path / "manifest.json").read_bytes() == before


@pytest.mark.parametrize(
    "changes", [{"digest": "z" * 64}, {"identity": {"seed": 1}}, {"identity": {"config": {}}}]
)
def test_an_identity_that_is_not_its_digest_is_refused(tmp_path, changes):
    damaged = manifest()
    damaged["identity"] |= changes.pop("identity", {})
    write_manifest(tmp_path, {**damaged, **changes})
    with pytest.raises(DatasetError, match="its identity does not have its digest: restore"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("size", [0, -3, True, "8", 8.0, None])
def test_an_identity_without_a_batch_size_is_refused(tmp_path, size):
    write_manifest(tmp_path, manifest(batch_size=size))
    with pytest.raises(DatasetError, match="its identity has no batch size"):
        read_manifest(tmp_path)


def test_other_versions_than_at_the_start_are_said_and_the_run_goes_on(tmp_path, caplog):
    write_manifest(tmp_path, manifest())
    write_manifest(tmp_path, {**manifest(), "versions": {"numpy": "2.1", "torch": "2.13"}})
    assert caplog.messages == ["other versions than at the run's start: numpy"]


def test_a_manifest_says_no_nan(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_manifest(tmp_path, manifest(seed=float("nan")))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("changes", [{"leaks": {"leaks": []}}, {"created": "x"}, {"more": 1}])
def test_a_manifest_of_which_any_field_was_changed_is_refused(tmp_path, changes):
    write_manifest(tmp_path, {**manifest(), "leaks": None})
    with edited_json(tmp_path / "manifest.json") as document:
        document.update(changes)
    with pytest.raises(DatasetError, match=r"manifest.json: a field was changed"):
        write_manifest(tmp_path, {**manifest(), "leaks": None})

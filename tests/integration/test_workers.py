"""Runs in workers on a real Ray: kills of workers and of the command change no byte of the results."""

import json
import random
import signal

import pytest

from evaluation.commands import eval_command as cli
from tests.fakes import worker_runs
from tests.fakes.processes import run_python
from tests.fakes.project_files import SAMPLE_CORPUS
from tests.fakes.properties import ALL_TESTS
from tests.fakes.scripted_runs import command, without_weights, write_dataset
from tests.integration.test_resume import results

pytest.importorskip("ray")
pytestmark = pytest.mark.skipif(
    not ALL_TESTS,
    reason="takes minutes: make faults runs it, or OPENCODER_ALL_TESTS=1",
)

QUESTIONS, BATCH = 120, 4


def test_kills_of_workers_and_of_the_command_change_no_byte(tmp_path, monkeypatch):
    dataset = write_dataset(tmp_path / "questions.csv", QUESTIONS)
    arguments = ("--config", "baseline", "--profile", "embedded", "--batch_size", BATCH)
    arguments = (*arguments, "--dataset", dataset, "--no-cache", "--no-report")
    without_weights(monkeypatch)
    command(monkeypatch, *arguments, "--runs", tmp_path / "golden")
    assert cli.main() == 0

    # One fault in a batch: three workers that are lost with one batch would end the run.
    in_batch = [number * BATCH + random.Random(5).randrange(BATCH) for number in range(30)]
    chosen = random.Random(7).sample(in_batch, 5)
    faults = tmp_path / "faults"
    faults.mkdir()
    for number in chosen:
        (faults / f"kill-worker-{number}").touch()
    free = [number for number in in_batch if number not in chosen]
    (faults / f"kill-command-{free[10]}").touch()
    in_workers = (*arguments, "--runs", tmp_path / "runs", "--workers", 3)
    process = worker_runs.start(faults, *in_workers)
    output = process.communicate()
    assert process.returncode == -signal.SIGKILL, output
    # Ray's agents look for its scheduler for a minute.
    worker_runs.wait_for_the_end_of_all(faults, but="Agent")
    (run,) = (tmp_path / "runs").iterdir()
    written = (run / "journal.jsonl").read_bytes()
    assert 0 < written.count(b"\n") < QUESTIONS

    (faults / f"interrupt-command-{free[-3]}").touch()
    process = worker_runs.start(faults, *in_workers)
    _, err = process.communicate()
    assert process.returncode == 130, err
    assert "questions are done and kept" in err
    assert "Traceback" not in err
    assert "a worker was lost" in err
    worker_runs.wait_for_the_end_of_all(faults)
    assert [fault.name for fault in faults.glob("*-*")] == []

    command(monkeypatch, *arguments, "--runs", tmp_path / "runs")
    assert cli.main() == 0
    assert results(tmp_path / "runs") == results(tmp_path / "golden")
    assert (run / "journal.jsonl").read_bytes().startswith(written)


@pytest.mark.usefixtures("embedded_models")
def test_two_workers_with_the_embedded_models_give_the_records_of_one_process(tmp_path):
    # Of the two configs, one writes and the other retrieves. Reading prompts takes most of the time.
    dataset = write_dataset(tmp_path / "questions.csv", 8)
    arguments = (
        *("eval.py", "--config", "baseline,extract", "--profile", "embedded", "--batch_size", 4),
        *("--dataset", dataset, "--corpus", SAMPLE_CORPUS, "--no-cache", "--no-report"),
        *("--set", "generation.max_new_tokens=6", "generator.window=320", "judge.window=320"),
    )
    alone = run_python(*arguments, "--runs", tmp_path / "alone")
    assert alone.returncode == 0, alone.stderr
    workers = run_python(*arguments, "--runs", tmp_path / "workers", "--workers", 2)
    assert workers.returncode == 0, workers.stderr
    assert all(line.startswith("opencoder: ") for line in workers.stderr.splitlines())
    runs = sorted((tmp_path / "alone").iterdir())
    assert len(runs) == 2
    for run in runs:
        other = tmp_path / "workers" / run.name
        assert records(other) == records(run)
        assert (other / "metrics.json").read_bytes() == (run / "metrics.json").read_bytes()


def records(run):
    """Return the records of a run, without the times of their steps."""
    lines = (run / "journal.jsonl").read_text(encoding="utf-8").splitlines()
    return [without_times(json.loads(line)["record"]) for line in lines]


def without_times(value):
    if isinstance(value, dict):
        return {name: without_times(part) for name, part in value.items() if name != "seconds"}
    return [without_times(part) for part in value] if isinstance(value, list) else value

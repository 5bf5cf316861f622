"""A real llama.cpp server is generator and judge of eval.py, and is lost in the middle of a run."""

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from evaluation.store.recorded_run import read_run
from graph.models.engines import server_probe
from nodes.state import calls_of
from tests.fakes.processes import run_python, wait_for_records
from tests.fakes.project_files import ROOT
from tests.fakes.scripted_runs import write_dataset
from tests.integration.llama_server import LlamaServer
from tests.integration.loopback import allow_this_machine

pytest.importorskip(
    "xllamacpp", reason="xllamacpp, a llama.cpp server as a wheel, is not for this machine"
)
pytestmark = pytest.mark.usefixtures("embedded_models")

COUNT, BATCH, NEW_TOKENS = 3, 2, 8


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    """Replace the fixture of all tests, which allows no connection to this machine either."""
    allow_this_machine(monkeypatch)


def command(server, dataset, runs):
    """Return the arguments of a run; nothing comes from the cache, so that each call is the server's."""
    return (
        *("eval.py", "--config", "semantic_cot", "--profile", "server", "--limit", str(COUNT)),
        *("--dataset", str(dataset), "--runs", str(runs), "--batch_size", str(BATCH)),
        *("--no-cache", "--no-report"),
        *("--set", f"generator.base_url={server.address}", f"judge.base_url={server.address}"),
        f"generation.max_new_tokens={NEW_TOKENS}",
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory, embedded_models):
    """Lose the server of one run in its second batch, and let the run go on later.

    The client tries again for some 20 seconds. Meanwhile the other run is done with another server:
    it is not disturbed.
    """
    folder = tmp_path_factory.mktemp("runs")
    # Short questions and references: what is read here takes most of the time.
    dataset = write_dataset(folder / "questions.csv", COUNT)
    with LlamaServer() as lost, LlamaServer() as server:
        stopped = subprocess.Popen(
            [sys.executable, *command(lost, dataset, folder / "lost")],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        lost_run = wait_for_records(folder / "lost", BATCH, stopped)
        lost.lose()
        whole = run_python(*command(server, dataset, folder / "whole"))
        assert whole.returncode == 0, whole.stderr
        totals = server.totals()
        _, messages = stopped.communicate()
        journal = (lost_run / "journal.jsonl").read_bytes()
        lost.start()
        resumed = run_python(*command(lost, dataset, folder / "lost"))
        (whole_run,) = (folder / "whole").iterdir()
        yield SimpleNamespace(
            **{"server": server, "totals": totals, "whole": whole_run, "lost": lost_run},
            **{"stopped": (stopped.returncode, messages), "journal": journal, "resumed": resumed},
        )


def calls_by_node(record):
    return [(step["node"], call) for step in record["steps"] for call in calls_of(step)]


def calls_of_run(folder):
    records = read_run(folder).records
    return [call for record in records for _, call in calls_by_node(record)]


def test_three_questions_have_answers_and_verdicts_with_probabilities(runs):
    run = read_run(runs.whole)
    assert run.finished
    assert len(run.records) == COUNT
    for record in run.records:
        assert record["error"] is None
        assert record["answer"]
        [verdict] = record["steps"][-1]["verdicts"]
        assert set(verdict["probabilities"]) == set("01234")
        assert sum(verdict["probabilities"].values()) == pytest.approx(1)
        assert 0 < verdict["mass"] <= 1
        assert 0 <= record["metrics"]["LLM_judge"] <= 1
    identity = run.identity["generator"]
    assert identity["served"]["id"] == "SmolLM2"
    assert run.identity["judge"]["verdicts"] == identity["verdicts"] == "log-probabilities"


def test_the_tokens_of_every_call_are_those_of_the_server(runs):
    calls = calls_of_run(runs.whole)
    for call in calls:
        assert call["prompt_tokens"] == runs.server.count_tokens(call["prompt"])
        assert call["tokens_estimated"] is call["cached"] is False
        assert 0 < call.get("new_tokens", 1) <= NEW_TOKENS
    # The server counts the probe at the start too; it is one token, as a verdict.
    probe_tokens = runs.server.count_tokens(server_probe.PROBE)
    cached_tokens = sum(call["cached_tokens"] for call in calls)
    prompt_tokens = sum(call["prompt_tokens"] for call in calls)
    new_tokens = sum(call.get("new_tokens", 1) for call in calls)
    assert runs.totals["tokens_predicted_total"] == new_tokens + 1
    assert runs.totals["prompt_tokens_cached_total"] == cached_tokens
    assert runs.totals["prompt_tokens_total"] == probe_tokens + prompt_tokens - cached_tokens


def test_the_second_step_of_a_question_reads_at_most_a_fifth_of_its_prompt(runs):
    # Two questions at a time and their verdicts have four slots: no prompt of a question is dropped.
    for record in read_run(runs.whole).records:
        _, second, *later = [call for node, call in calls_by_node(record) if node != "judge"]
        assert second["cached_tokens"] >= 0.8 * second["prompt_tokens"]
        # These hold a draft and longer instructions.
        assert all(call["cached_tokens"] >= 0.7 * call["prompt_tokens"] for call in later)
        assert later


def test_a_lost_server_stops_the_run_and_costs_no_question(runs):
    code, messages = runs.stopped
    assert code == 1
    (line,) = [line for line in messages.splitlines() if "error: " in line]
    assert "the run stopped: the server at http://127.0.0.1:" in line
    assert "; 2 of 3 questions are recorded; when the cause is gone, the same command goes on" in (
        line
    )
    assert "Traceback" not in messages
    recorded = [json.loads(line)["record"] for line in runs.journal.splitlines()]
    assert [record["index"] for record in recorded] == [0, 1]
    assert all(record["answer"] for record in recorded)


def test_the_resumed_run_equals_the_undisturbed_one_in_questions_and_counts(runs):
    assert runs.resumed.returncode == 0, runs.resumed.stderr
    assert (runs.lost / "journal.jsonl").read_bytes().startswith(runs.journal)
    resumed, whole = (read_run(folder) for folder in (runs.lost, runs.whole))
    assert resumed.identity == whole.identity
    assert counts_of(resumed) == counts_of(whole)
    assert questions_of(resumed) == questions_of(whole)


def counts_of(run):
    results = json.loads((run.folder / "metrics.json").read_text(encoding="utf-8"))
    counts = {name: results[name] for name in ("n", "failed", "empty_answers")}
    scored = {name: (row["n"], row["unscored"]) for name, row in results["metrics"].items()}
    return {**counts, **scored}


def questions_of(run):
    """Return each question with its passages and the first prompt, on which no reply has an effect."""
    return [
        (
            *(record[name] for name in ("index", "eval_id", "question", "reference", "passages")),
            *(calls_by_node(record)[0][1][name] for name in ("prompt", "prompt_tokens")),
        )
        for record in run.records
    ]

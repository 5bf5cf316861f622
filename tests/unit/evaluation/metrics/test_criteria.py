"""The metric `criteria`: from the dataset's column to every figure of a run, and to none without it."""

import json
from dataclasses import replace

import pytest

from dataset.criteria import read_criteria
from evaluation.analysis.headroom import run_headroom
from evaluation.analysis.run_results import results_of
from evaluation.answering.batch_records import answer_batch
from evaluation.answering.questions import load_items, question_digests
from evaluation.commands import verify_command as verify
from evaluation.metrics.criteria import CRITERIA
from evaluation.metrics.registry import METRIC_NAMES, STAGE_METRICS
from evaluation.report.run_figures import judge_correlations
from evaluation.store.recorded_run import read_run
from evaluation.tables.headroom_table import headroom_table
from evaluation.tables.results_tables import notes, results_table, stages_table
from graph.config import load_settings
from tests.fakes.command_lines import run_evaluation
from tests.fakes.corpora import EMBEDDER, FakeEncoder
from tests.fakes.csv_files import read_csv, write_csv
from tests.fakes.run_folders import make_run
from tests.fakes.scripted_runs import Scripted, items, number_of

KEYWORDS = json.dumps({"keywords": ["lock", "queue"]})
TESTS = json.dumps({"unit_test": {"tests": ["t.py"]}})
CONFIG = "semantic_rerank_initial"


def answer(prompt):
    """Answer question 0 with one keyword in the draft, and with both in the refinement."""
    words = "a lock and a queue" if "<draft" in prompt else "a lock"
    return f"{words} for question {number_of(prompt)}, after {len(prompt)} characters"


def run_of(folder, *criteria, config=CONFIG):
    """Write a run over one question for each criteria; the empty text means none."""
    asked = [
        replace(item, criteria=text)
        for item, text in zip(items(len(criteria)), criteria, strict=True)
    ]
    records = answer_batch(Scripted(answer, config=config).setup, asked)
    embedder = EMBEDDER.model_dump(mode="json")
    make_run(folder, records, config=config, embedder=embedder)
    return read_run(folder)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    return run_of(tmp_path_factory.mktemp("runs") / "mixed", KEYWORDS, TESTS, "", KEYWORDS)


def results(run):
    return results_of(load_settings(CONFIG, "embedded", []), run.records)


def test_the_answer_and_each_candidate_are_scored_by_the_criteria_of_their_question(mixed):
    first, tests, without, _ = mixed.records
    expected = read_criteria(json.loads(KEYWORDS)).score(first["answer"])
    assert first["metrics"][CRITERIA.name] == expected > 0
    scores = {candidate["metrics"][CRITERIA.name] for candidate in first["candidates"]}
    assert scores == {0.5, 1.0}
    assert first["criteria"] == KEYWORDS
    assert "criteria_unscored" not in first
    assert tests["metrics"][CRITERIA.name] is None
    assert tests["criteria_unscored"] == "needs unit tests"
    assert {*without["metrics"]} == {*METRIC_NAMES}
    assert not {"criteria", "criteria_unscored"} & without.keys()


def test_the_mean_has_its_counts_and_the_reasons_are_a_note(mixed):
    summary = results(mixed)["metrics"][CRITERIA.name]
    assert (summary["n"], summary["unscored"]) == (2, 2)
    assert "criteria: 1 answer is unscored (needs unit tests: 1)." in notes(results(mixed))
    assert results_table(results(mixed)).row_count > len(METRIC_NAMES)


def test_stages_and_headroom_show_the_metric_too(mixed):
    document = results(mixed)
    assert document["stages"]["refine"][CRITERIA.name]["n"] == 2
    assert document["added"]["refine"]["metrics"][CRITERIA.name]["n"] == 2
    columns = len(STAGE_METRICS) + 2
    assert len(stages_table(document["added"]).columns) == columns
    [headroom] = run_headroom(mixed).values()
    assert headroom["metrics"][CRITERIA.name]["best of n"]["score"]["unscored"] == 2
    assert len(headroom_table(headroom).columns) == columns


def test_the_metric_is_no_judge(mixed):
    [judge] = judge_correlations(mixed, [*METRIC_NAMES, CRITERIA.name])
    assert judge.judge == "LLM_judge"
    assert CRITERIA.name in judge.against


def test_without_criteria_nothing_has_the_metric(tmp_path):
    run = run_of(tmp_path / "run", "", "")
    document = results(run)
    assert "criteria" not in json.dumps(document)
    assert len(stages_table(document["added"]).columns) == len(STAGE_METRICS) + 1
    assert not [note for note in notes(document) if "criteria" in note]


def test_verify_recomputes_the_scores_of_the_criteria(mixed, monkeypatch):
    monkeypatch.setattr(verify, "open_encoder", FakeEncoder)
    assert list(verify.differences(mixed, with_encoder=True)) == []
    changed = read_run(mixed.folder)
    changed.records[0]["metrics"][CRITERIA.name] = 0.25
    lines = list(verify.differences(changed, with_encoder=False))
    assert lines[0].startswith("question 0: criteria: stored 0.25, recomputed ")


def test_compare_export_and_report_show_the_metric(mixed, tmp_path, monkeypatch):
    other = run_of(tmp_path / "other", KEYWORDS, TESTS, "", KEYWORDS, config="semantic").folder
    compared = json.loads(run_evaluation(monkeypatch, "compare", mixed.folder, other, "--json").out)
    [row] = [pair for pair in compared["pairs"] if pair["metric"] == CRITERIA.name]
    assert (row["n"], row["unscored"], row["failed"]) == (2, 2, 0)
    exported = run_evaluation(
        monkeypatch, "export", other, "--to", "csv", "--out", tmp_path / "o.csv"
    )
    assert exported.code == 0
    rows = [row for row in read_csv(tmp_path / "o.csv") if row["metric"] == CRITERIA.name]
    assert [row["status"] for row in rows] == ["scored", "unscored", "unscored", "scored"]
    page = tmp_path / "report.html"
    assert run_evaluation(monkeypatch, "report", mixed.folder, "--out", page).code == 0
    assert f">{CRITERIA.name}<" in page.read_text(encoding="utf-8")


def test_a_record_is_bound_to_the_criteria_of_its_row(tmp_path):
    row = {"question": "q", "answer": "a"}
    paths = [
        write_csv(tmp_path / f"{n}.csv", [{**row, "criteria": text}])
        for n, text in enumerate(["", KEYWORDS, TESTS])
    ]
    write_csv(tmp_path / "plain.csv", [row])
    digests = [question_digests(load_items(path))[0] for path in [*paths, tmp_path / "plain.csv"]]
    assert len({*digests}) == 3
    assert digests[0] == digests[3]

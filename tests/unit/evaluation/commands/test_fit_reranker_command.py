"""python -m evaluation fit-reranker: tables, a file that a config can use, and refusals of one line."""

import json

import pytest

from evaluation.commands import fit_reranker_command
from graph.reranking.formula import load_reranker
from tests.fakes.command_lines import run_evaluation
from tests.fakes.corpora import FakeEncoder
from tests.fakes.records import record
from tests.fakes.run_folders import identity, make_run
from tests.unit.evaluation.reranking.test_reranker_fit import pools_where


@pytest.fixture
def fit(tmp_path, monkeypatch):
    """Return the command over a run whose candidates have made-up features."""
    folder = make_run(tmp_path / "run", [record(0)])
    monkeypatch.setattr(fit_reranker_command, "open_encoder", FakeEncoder)
    monkeypatch.setattr(
        fit_reranker_command,
        "pools_of",
        lambda runs, encoder, judge: pools_where(lambda row: row["word_agreement"], 40),
    )
    return lambda *arguments: run_evaluation(monkeypatch, "fit-reranker", folder, *arguments)


def test_the_tables_say_what_the_formula_gains_and_what_each_feature_is_worth(fit):
    code, out, _ = fit()
    assert code == 0
    assert "40 questions with 200 candidates" in out
    assert "learned minus the first candidate, semantic_similarity: +" in out
    assert "word_agreement" in out
    assert "nearest to the question" in out


def test_the_file_can_be_used_and_names_its_runs(fit, tmp_path):
    path = tmp_path / "mine.json"
    code, out, _ = fit("--out", path, "--json")
    reranker = load_reranker(path)
    assert code == 0
    assert "word_agreement" in reranker.formula.terms
    assert reranker.provenance["runs"][0]["config"] == "semantic"
    document = json.loads(out)
    share = document["captured"]["metrics"]["ROUGE-1"]["learned"]["share"]["mean"]
    assert reranker.provenance["cross_validated"]["ROUGE-1"]["share_of_headroom"] == share


def test_runs_of_different_encoders_are_refused(fit, tmp_path):
    other = {**identity()["embedder"], "model": "another"}
    folder = make_run(tmp_path / "other", [record(0)], embedder=other)
    code, _, err = fit(folder)
    assert code == 2
    assert "different encoders" in err
    assert "Traceback" not in err

"""Recorded runs: folders of older versions are read as the runs they are."""

import json
from pathlib import Path

import pytest

from evaluation import __main__ as cli
from evaluation.analysis.comparison import unlike_fields, unlike_metrics
from evaluation.metrics.record_scores import score_texts
from evaluation.store.identity import digest
from evaluation.store.recorded_run import read_run
from graph.support.errors import DatasetError
from tests.fakes.fake_models import reply, verdict
from tests.fakes.json_files import edited_json
from tests.fakes.records import failed, record
from tests.fakes.run_folders import contents, identity, make_run

OLD_MODEL = {
    "model": "m",
    "revision": "r1",
    "engine": "huggingface",
    "dtype": "float32",
    "chat_format": "template",
    "stop": [],
    "repetition_penalty": 1.0,
    "window": None,
}
OLD_ENCODER = {"model": "e", "revision": "x==1", "engine": "embedded", "dtype": "float32"}
NEW_MODEL = {**OLD_MODEL, "weights": "hub"}
NEW_ENCODER = {"model": "e", "revision": "x==1", "weights": "package", "dtype": "float32"}
FORMULA = {"intercept": -1.0, "weights": {"ROUGE-1": 2.0}}


def records():
    """Return records with a step of the node that added controls to the candidates."""
    draft, control = ({"text": text, "reasoning": ""} for text in ("Sort it.", "Sort by key."))
    answered = record(
        0,
        question="How to sort?",
        reference="Sort by key.",
        answer="Sort by key.",
        steps=[
            {"node": "controls", "seconds": 0.1, "replies": [reply("x")], "candidates": [control]},
            {"node": "generate", "candidates": [draft], "answer": "Sort it."},
            {"node": "judge", "verdicts": [verdict({"4": 1.0})], "score": 1.0},
        ],
        metrics={"LLM_judge": 1.0},
    )
    score_texts(None, [answered])
    return [answered, failed(1)]


def make_old_run(folder: Path, **changes) -> Path:
    """Write a run whose manifest names engines instead of weights, and no metrics."""
    specs = {"generator": OLD_MODEL, "judge": OLD_MODEL, "embedder": OLD_ENCODER}
    make_run(folder, records(), config="baseline", **{**specs, **changes})
    with edited_json(folder / "manifest.json") as manifest:
        del manifest["identity"]["metrics"]
        manifest["digest"] = digest(manifest["identity"])
    return folder


def make_new_run(folder: Path, **changes) -> Path:
    specs = {"generator": NEW_MODEL, "judge": NEW_MODEL, "embedder": NEW_ENCODER}
    return make_run(folder, records(), config="baseline", **{**specs, **changes})


def test_the_models_of_an_old_run_are_those_of_a_new_one(tmp_path):
    old = read_run(make_old_run(tmp_path / "old"))
    new = read_run(make_new_run(tmp_path / "new"))
    for role in ("generator", "judge", "embedder"):
        assert old.identity[role] == new.identity[role]
    assert unlike_metrics(old, new) == {}
    assert unlike_fields(old, new) == ["metrics"]
    assert old.records == new.records


def test_the_encoder_of_an_old_calibrated_judge_is_that_of_a_new_one(tmp_path):
    old = make_old_run(tmp_path / "old", calibrated_judge={**FORMULA, "encoder": OLD_ENCODER})
    new = make_new_run(tmp_path / "new", calibrated_judge={**FORMULA, "encoder": NEW_ENCODER})
    assert unlike_metrics(read_run(old), read_run(new)) == {}
    assert read_run(old).identity_digest == read_run(old).digest


@pytest.mark.parametrize("changes", [{}, {"judge": None}])
def test_an_old_run_is_verified_against_its_own_digest(tmp_path, monkeypatch, capsys, changes):
    folder = make_old_run(tmp_path / "run", **changes)
    before = contents(folder)
    monkeypatch.setattr("sys.argv", ["evaluation", "verify", str(folder), "--no-encoder"])
    assert cli.main() == 0, capsys.readouterr()
    assert contents(folder) == before
    with edited_json(folder / "manifest.json") as manifest:
        manifest["identity"]["generator"]["engine"] = "embedded"
    assert cli.main() == 1
    assert capsys.readouterr().out.startswith("manifest.json: digest: stored ")


def test_old_runs_are_compared_with_new_ones_and_reported(tmp_path, monkeypatch, capsys):
    folders = [make_old_run(tmp_path / "old"), make_new_run(tmp_path / "new", batch_size=4)]
    monkeypatch.setattr("sys.argv", ["evaluation", "compare", *map(str, folders), "--json"])
    assert cli.main() == 0
    document = json.loads(capsys.readouterr().out)
    assert not [note for note in document["notes"] if "left out: another" in note]
    page = tmp_path / "report.html"
    monkeypatch.setattr("sys.argv", ["evaluation", "report", str(folders[0]), "--out", str(page)])
    assert cli.main() == 0
    assert capsys.readouterr().out == f"report: {page}\n"
    assert "1 questions failed" in page.read_text(encoding="utf-8")


def test_records_without_a_newer_metric_count_as_unscored(tmp_path, monkeypatch, capsys):
    older = records()
    for metrics in (older[0]["metrics"], *(s["metrics"] for s in older[0]["candidates"])):
        del metrics["ROUGE-L"]
    older[0]["relevant_question_ids"] = ["7"]
    folder = make_run(tmp_path / "run", older, config="semantic")
    results = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert results["metrics"]["ROUGE-L"]["unscored"] == 1
    assert results["stages"]["generate"]["ROUGE-L"]["unscored"] == 1
    outcome = results["retrieval"]["outcomes"]["not retrieved"]
    assert outcome["metrics"]["ROUGE-L"]["unscored"] == 1
    monkeypatch.setattr(
        "sys.argv", ["evaluation", "report", str(folder), "--out", str(tmp_path / "page.html")]
    )
    assert cli.main() == 0, capsys.readouterr()


def test_another_schema_is_refused_in_one_line(tmp_path):
    folder = make_run(tmp_path / "run", records(), schema=1)
    with pytest.raises(DatasetError) as caught:
        read_run(folder)
    assert str(caught.value) == (
        f"{folder}: its records are of schema 1, this version reads {identity()['schema']}: use "
        "the version that wrote it"
    )

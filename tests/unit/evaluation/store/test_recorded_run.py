"""Recorded runs: a run of another version, or with an odd manifest, is one line."""

import json

import pytest

from evaluation import __main__ as cli
from evaluation.metrics.record_scores import score_texts
from evaluation.store import manifest as manifest_module
from evaluation.store.identity import SCHEMA
from evaluation.store.recorded_run import read_run
from evaluation.store.run_folder import write_manifest
from graph.support.errors import DatasetError
from tests.fakes.command_lines import run_evaluation
from tests.fakes.fake_models import reply, verdict
from tests.fakes.json_files import edited_manifest
from tests.fakes.records import failed, record
from tests.fakes.run_folders import contents, make_run


def records():
    """Return an answered record and a failed one."""
    draft = {"text": "Sort it.", "reasoning": ""}
    answered = record(
        0,
        question="How to sort?",
        reference="Sort by key.",
        answer="Sort by key.",
        steps=[
            {
                "node": "generate",
                "replies": [reply("x")],
                "candidates": [draft],
                "answer": "Sort it.",
            },
            {"node": "judge", "verdicts": [verdict({"4": 1.0})], "score": 1.0},
        ],
        metrics={"LLM_judge": 1.0},
    )
    score_texts(None, [answered])
    return [answered, failed(1)]


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


@pytest.fixture
def old(tmp_path):
    """A run as the version before this one wrote it: other lines, and no question digests."""
    folder = make_run(tmp_path / "old", records(), schema=2)
    with edited_manifest(folder) as manifest:
        del manifest["question_digests"]
        manifest["created"] = "2026-11-20T10:00:00+00:00"
        manifest["versions"] = {"numpy": "2.0"}
    return folder


COMMANDS = [
    ["verify"],
    ["verify", "--no-encoder"],
    ["headroom"],
    ["judge", "--judge", "calibrated"],
    ["ragas"],
    ["report", "--out", "page.html"],
    ["compare"],
    ["export", "--to", "csv"],
    ["export", "--to", "inspect"],
    ["slices"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_refuses_a_run_of_an_older_version_in_one_line(
    monkeypatch, old, tmp_path, command
):
    before = contents(old)
    name, *flags = command
    runs = [str(old), str(make_run(tmp_path / "new", records()))][: 1 + (name == "compare")]
    flags = [str(tmp_path / flag) if flag == "page.html" else flag for flag in flags]
    ended = run_evaluation(monkeypatch, name, *runs, *flags)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.splitlines() == [
        f"opencoder: error: {old}: was written by another version of opencoder on 2026-11-20, with "
        f"records of schema 2; this version reads schema {SCHEMA}: use the version that wrote it, or "
        "run eval.py again"
    ]
    assert contents(old) == before


@pytest.mark.parametrize(
    ("changes", "writer"),
    [
        ({}, "another version of opencoder on 2026-11-20"),
        ({"versions": {"opencoder": "0.0.9"}}, "opencoder 0.0.9 on 2026-11-20"),
        ({"created": 7}, "another version of opencoder"),
        ({"versions": ["opencoder"], "created": None}, "another version of opencoder"),
    ],
)
def test_the_version_that_wrote_a_run_is_named(old, changes, writer):
    with edited_manifest(old) as manifest:
        manifest.update(changes)
    with pytest.raises(
        DatasetError, match=f": was written by {writer}, with records of schema 2; "
    ):
        read_run(old)


@pytest.mark.parametrize("schema", [None, 0, "3", 3.5, [3], 10**30, {"a": "b" * 10_000}])
def test_another_schema_of_any_kind_is_one_short_line(tmp_path, schema):
    folder = make_run(tmp_path / "run", records(), schema=schema)
    with pytest.raises(DatasetError, match="with records of schema ") as caught:
        read_run(folder)
    assert len(str(caught.value)) < len(str(folder)) + 250


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "null", "[]", "{}", "3", '"text"', "\x00", "\ufeff{}", "NaN", '{"identity": 3}'),
        *("[" * 200_000, '{"a":' * 200_000, "9" * 5_000, '{"identity": {}}', '{"identity": null}'),
    ],
    ids=lambda text: repr(text[:20]),
)
def test_a_manifest_that_cannot_be_read_is_one_line(tmp_path, text):
    folder = make_run(tmp_path / "run", records())
    (folder / "manifest.json").write_text(text, encoding="utf-8")
    for read in (read_run, lambda path: write_manifest(path, {"identity": {}, "versions": {}})):
        with pytest.raises(DatasetError) as caught:
            read(folder)
        assert len(str(caught.value).splitlines()) == 1
    assert (folder / "manifest.json").read_text(encoding="utf-8") == text


def test_an_endless_manifest_is_not_read(tmp_path, monkeypatch):
    folder = make_run(tmp_path / "run", records())
    monkeypatch.setattr(manifest_module, "MOST_BYTES", 1 << 20)
    with (folder / "manifest.json").open("r+b") as file:
        file.truncate(1 << 40)
    with pytest.raises(DatasetError, match="is larger than 1 MiB"):
        read_run(folder)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("questions", value) for value in (-1, 1, 3, True, 2.0, "2", None, 10**30)),
        *(("question_digests", value) for value in ([], ["a"], ["a", 1], "ab", None, {"0": "a"})),
        *(("digest", value) for value in (7, None, "\ud800")),
        *(("versions", value) for value in ([], {"numpy": 2}, None)),
        *(("config", value) for value in ("\ud800", None, ["semantic"])),
        *(("profile", value) for value in ("\udfff", 0)),
    ],
)
def test_a_field_of_a_manifest_that_is_odd_is_named(tmp_path, field, value):
    folder = make_run(tmp_path / "run", records())
    with edited_manifest(folder) as manifest:
        manifest[field] = value
    with pytest.raises(DatasetError) as caught:
        read_run(folder)
    start, _, message = str(caught.value).partition("manifest.json: ")
    assert start == f"{folder}/"
    assert field in message.partition(":")[0]
    assert len(str(caught.value).splitlines()) == 1

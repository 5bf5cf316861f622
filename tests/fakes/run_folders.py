"""Run folders as eval.py leaves them: a real journal, a manifest of the real shape."""

from collections.abc import Sequence
from pathlib import Path

from evaluation.analysis.run_results import results_of
from evaluation.metrics.registry import METRIC_NAMES
from evaluation.store.checked_lines import encode
from evaluation.store.identity import SCHEMA, digest, versions
from evaluation.store.journal import Record, RunKey
from evaluation.store.manifest import read_manifest, run_key
from evaluation.store.run_folder import write_manifest
from evaluation.tables.results_tables import write_results
from graph.config import config_names, load_settings
from graph.schema import Config
from tests.fakes.records import digests_of, record


def identity(**changes) -> dict[str, object]:
    model = {"model": "m", "weights": "hub", "revision": "r1", "dtype": "float32"}
    fields = {
        "schema": SCHEMA,
        "config": load_settings("baseline", "embedded", []).config.model_dump(mode="json"),
        "generator": model,
        "judge": {**model, "model": "j"},
        "embedder": {"model": "e", "weights": "hub", "revision": None, "dtype": "float32"},
        "prompts": "11",
        "nodes": "22",
        "metrics": "44",
        "index": None,
        "weights": None,
        "leaks": None,
        "dataset_sha256": "33",
        "limit": None,
        "batch_size": 8,
        "seed": 0,
    }
    return {**fields, **changes}


def make_run(
    folder: Path,
    records: Sequence[Record],
    *,
    config: str = "semantic",
    questions: int | None = None,
    results: bool = True,
    **changes,
) -> Path:
    """Write a run; `changes` are of its identity. Records that no run writes are written too."""
    folder.mkdir(parents=True)
    settings = load_settings(config if config in config_names() else "baseline", "embedded", [])
    # Another config is another identity, also for a name made up by a test.
    generation = {"max_new_tokens": 100 + sum(config.encode()) % 900}
    changed_config = Config.model_validate(
        {**settings.config.model_dump(mode="json"), "generation": generation}
    )
    fields = identity(**{"config": changed_config.model_dump(mode="json"), **changes})
    digests = digests_of(records, questions)
    manifest = {
        "digest": digest(fields),
        "identity": fields,
        "config": config,
        "profile": "embedded",
        "questions": len(digests),
        "question_digests": digests,
        "corpus": None,
        "dataset": "questions.csv",
        "leaks": None,
        "command": "python eval.py",
        "created": "2026-01-01T00:00:00+00:00",
        "python": "3.11.0",
        "hardware": {"machine": "x", "system": "y", "cpus": 2, "gpu": None},
        "versions": versions(),
    }
    write_manifest(folder, manifest)
    lines = [encode(record, manifest["digest"]) for record in records]
    (folder / "journal.jsonl").write_bytes(b"".join(lines))
    if results:
        named = settings.model_copy(update={"config_name": config, "config": changed_config})
        write_results(folder, results_of(named, records))
    return folder


def key_of_run(folder: Path) -> RunKey:
    """Return the key of a run by its manifest."""
    return run_key(read_manifest(folder))


def scored(values: Sequence[float | None], **changes) -> list[Record]:
    """Return records whose every metric is the value given for the question."""
    return [
        record(
            index, question=f"why {index}?", metrics=dict.fromkeys(METRIC_NAMES, value), **changes
        )
        for index, value in enumerate(values)
    ]


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Return the bytes and the modification time of each file in a folder."""
    return {
        path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in sorted(folder.iterdir())
    }

"""A run as a log of Inspect (inspect_ai), version 2 of its JSON format, written without Inspect.

Every question is a sample of one epoch. A metric without a score is NaN, as Inspect writes it, with
the reason as its explanation.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from evaluation.analysis.costs import question_cost
from evaluation.export.portable_text import portable
from evaluation.export.rows import ExportedRun, failure_text, status_of, unscored_reason
from evaluation.metrics.registry import metric_names
from evaluation.statistics.summaries import summarise
from evaluation.store.journal import Record
from evaluation.store.manifest import read_manifest
from evaluation.store.recorded_run import RecordedRun, known_records
from graph.support.errors import DatasetError

_VERSION = 2
_NO_MODEL = "none"
_Object = dict[str, Any]


def inspect_log(run: ExportedRun) -> bytes:
    """Return the log of a run.

    Raises:
        DatasetError: The manifest has no date, or records are not those that this version writes.
    """
    recorded = run.recorded
    metrics = metric_names(record["metrics"] for record in recorded.records)
    manifest: _Object = {**read_manifest(recorded.folder)}
    created = _date(manifest.get("created"), recorded.folder)
    with known_records(recorded.folder):
        samples = _samples(run, metrics)
    # Inspect reads the head of a log alone, so the order of the fields counts.
    log = {
        "version": _VERSION,
        "status": "success" if recorded.finished else "started",
        "eval": _spec(run, manifest, created, [sample["id"] for sample in samples]),
        "plan": {"name": recorded.config, "steps": [{"solver": recorded.config, "params": {}}]},
        "results": _results(recorded, metrics),
        "stats": {"started_at": created},
        "samples": samples,
    }
    return (json.dumps(portable(log), indent=1) + "\n").encode("ascii")


def _date(value: object, folder: Path) -> str:
    try:
        return datetime.fromisoformat(str(value)).isoformat()
    except ValueError:
        raise DatasetError(
            f"{folder}: its manifest has no date, which an Inspect log needs: use --to jsonl"
        ) from None


def _spec(run: ExportedRun, manifest: _Object, created: str, ids: Sequence[str | int]) -> _Object:
    recorded = run.recorded
    dataset = manifest.get("dataset")
    return {
        "eval_id": recorded.digest,
        "run_id": recorded.digest,
        "task_id": recorded.digest,
        "created": created,
        "task": recorded.config,
        "solver": recorded.config,
        "dataset": {
            "name": Path(dataset).name if isinstance(dataset, str) else None,
            "samples": recorded.questions,
            "sample_ids": [*ids],
            "shuffled": False,
        },
        "model": _model(recorded),
        "config": {"epochs": 1},
        "packages": recorded.versions,
        "metadata": {"run": run.name, "profile": recorded.profile, "identity": recorded.identity},
    }


def _model(run: RecordedRun) -> str:
    """Return the name of the run's generator."""
    generator = run.identity.get("generator")
    model = generator.get("model") if isinstance(generator, dict) else None
    return model if isinstance(model, str) else _NO_MODEL


def _results(run: RecordedRun, metrics: Sequence[str]) -> _Object:
    scores = []
    for metric in metrics:
        summary = summarise([record["metrics"].get(metric) for record in run.answered])
        mean = summary["mean"]
        scores.append(
            {
                "name": metric,
                "scorer": metric,
                "scored_samples": summary["n"],
                "unscored_samples": summary["unscored"],
                "metrics": {} if mean is None else {"mean": {"name": "mean", "value": mean}},
                "metadata": {"ci95": summary["ci95"], "failed": run.failed},
            }
        )
    return {
        "total_samples": run.questions,
        "completed_samples": len(run.answered),
        "scores": scores,
    }


def _samples(run: ExportedRun, metrics: Sequence[str]) -> list[_Object]:
    records = run.recorded.records
    # Inspect finds a sample by its id.
    are_unique = len({record["eval_id"] for record in records}) == len(records)
    return [
        _sample(run, record, metrics, record["eval_id"] if are_unique else record["index"])
        for record in records
    ]


def _sample(
    run: ExportedRun, record: Record, metrics: Sequence[str], identifier: str | int
) -> _Object:
    sample: _Object = {
        "id": identifier,
        "epoch": 1,
        "input": record["question"],
        "target": record["reference"],
        "metadata": {
            "index": record["index"],
            "eval_id": record["eval_id"],
            "reasoning": record["reasoning"],
            "relevant_question_ids": record["relevant_question_ids"],
        },
    }
    if (message := failure_text(record)) is not None:
        return {**sample, "error": {"message": message, "traceback": "", "traceback_ansi": ""}}
    return {
        **sample,
        "output": _output(record["answer"], _model(run.recorded)),
        "scores": {metric: _score(run, record, metric) for metric in metrics},
        **_cost_fields(record, _model(run.recorded)),
    }


def _output(answer: str, model: str) -> _Object:
    # As a part and not as a string: some versions of Inspect look for reasoning in a string.
    message = {"role": "assistant", "content": [{"type": "text", "text": answer}]}
    return {
        "model": model,
        "choices": [{"message": message, "stop_reason": "unknown"}],
        "completion": answer,
    }


def _score(run: ExportedRun, record: Record, metric: str) -> _Object:
    value = record["metrics"].get(metric)
    if value is not None:
        return {"value": float(value)}
    reason = unscored_reason(run, record, metric)
    return {"value": float("nan"), "explanation": reason, "reason": status_of(record, metric)}


def _cost_fields(record: Record, model: str) -> _Object:
    cost = question_cost(record)
    fields: _Object = {} if cost.seconds is None else {"working_time": cost.seconds}
    tokens = cost.tokens
    # Inspect has no mark for estimates.
    if model != _NO_MODEL and not tokens["estimated"]:
        usage = {
            "input_tokens": tokens["prompt"] - tokens["cached"],
            "input_tokens_cache_read": tokens["cached"],
            "output_tokens": tokens["new"],
            "total_tokens": tokens["prompt"] + tokens["new"],
        }
        fields["model_usage"] = {model: usage}
    return fields

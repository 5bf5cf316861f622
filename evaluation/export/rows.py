"""The rows of an export: one for each question and metric (long), or one for each question (wide).

A value that is not known is None, never 0.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from evaluation.analysis.costs import question_cost
from evaluation.answering.model_calls import judge_error, judge_reason
from evaluation.metrics.llm_judge import LLM_JUDGE
from evaluation.metrics.registry import metric_names
from evaluation.rescoring.pass_summary import metric_in_pass, with_scores
from evaluation.rescoring.score_files import RecordedPass, read_scores, score_of
from evaluation.store.journal import Record, digest_of_record
from evaluation.store.recorded_run import RecordedRun, known_records
from graph.support.errors import DatasetError
from nodes.state import WITHHELD, is_withheld

Value = str | int | float | None
Row = dict[str, Value]
Type = Literal["string", "int64", "float64"]
"""The name of a column's type, as pyarrow names it."""

_RUN: dict[str, Type] = {
    "run": "string",
    "run_digest": "string",
    "config": "string",
    "profile": "string",
    "index": "int64",
    "eval_id": "string",
    "question_digest": "string",
}
_COST: dict[str, Type] = {"tokens": "int64", "estimated_calls": "int64", "seconds": "float64"}
LONG_COLUMNS: dict[str, Type] = {
    **_RUN,
    "metric": "string",
    "score": "float64",
    "status": "string",
    "error": "string",
    **_COST,
}
_WIDE_COLUMNS: dict[str, Type] = {
    **_RUN,
    "question": "string",
    "reference": "string",
    "answer": "string",
    "status": "string",
    "error": "string",
    **_COST,
}


@dataclass(frozen=True)
class ExportedRun:
    """A run with the metrics of its passes beside its own."""

    name: str
    """The name of its folder; its path where two runs have folders of one name."""
    recorded: RecordedRun
    passes: Sequence[RecordedPass]


def exported_runs(runs: Sequence[RecordedRun]) -> list[ExportedRun]:
    """Return the runs with the scores of every pass over them.

    Raises:
        DatasetError: The scores of a run are damaged, or of other answers.
    """
    names = [run.folder.resolve().name for run in runs]
    counts = Counter(names)
    exported = []
    for run, name in zip(runs, names, strict=True):
        passes = read_scores(run)
        unique_name = name if counts[name] == 1 else str(run.folder)
        exported.append(ExportedRun(unique_name, with_scores(run, passes), passes))
    return exported


def wide_columns(runs: Sequence[ExportedRun]) -> dict[str, Type]:
    """Return the columns of wide rows: those of a question, then the metrics of all runs.

    Raises:
        DatasetError: A metric has the name of another column.
    """
    records = [record for run in runs for record in run.recorded.records]
    metrics = metric_names(record["metrics"] for record in records)
    for metric in metrics:
        if metric in _WIDE_COLUMNS:
            raise DatasetError(
                f"the metric {metric!r} has the name of another column: export without --wide"
            )
    return {**_WIDE_COLUMNS, **dict.fromkeys(metrics, "float64")}


def wide_rows(runs: Sequence[ExportedRun], columns: Iterable[str]) -> Iterator[Row]:
    """Yield a row with these `wide_columns` for each recorded question, in the order of the runs."""
    metrics = [name for name in columns if name not in _WIDE_COLUMNS]
    for run in runs:
        with known_records(run.recorded.folder):
            for record in run.recorded.records:
                yield {
                    **_run_fields(run, record),
                    "question": record["question"],
                    "reference": record["reference"],
                    # A failed question has no answer; an empty text would be one.
                    "answer": record["answer"] if record["error"] is None else None,
                    "status": "answered" if record["error"] is None else "failed",
                    "error": failure_text(record),
                    **_cost_fields(record),
                    **{metric: _score(record["metrics"], metric) for metric in metrics},
                }


def long_rows(runs: Sequence[ExportedRun]) -> Iterator[Row]:
    """Yield a row for each recorded question and each metric of its run."""
    for run in runs:
        metrics = metric_names(record["metrics"] for record in run.recorded.records)
        with known_records(run.recorded.folder):
            for record in run.recorded.records:
                run_fields, cost_fields = _run_fields(run, record), _cost_fields(record)
                for metric in metrics:
                    yield {
                        **run_fields,
                        "metric": metric,
                        "score": _score(record["metrics"], metric),
                        "status": status_of(record, metric),
                        "error": failure_text(record) or unscored_reason(run, record, metric),
                        **cost_fields,
                    }


def status_of(record: Record, metric: str) -> str:
    """Return `scored`, `unscored` or `failed`."""
    if record["error"] is not None:
        return "failed"
    return "unscored" if record["metrics"].get(metric) is None else "scored"


def failure_text(record: Record) -> str | None:
    """Return the error of a failed question, as `ValueError: no number`; None for an answered one."""
    error = record["error"]
    return None if error is None else f"{error['type']}: {error['message']}"


def unscored_reason(run: ExportedRun, record: Record, metric: str) -> str | None:
    """Return the recorded reason why an answer has no score; None if it has one or none was recorded."""
    if status_of(record, metric) != "unscored":
        return None
    if is_withheld(record["steps"]):
        return WITHHELD
    if metric == LLM_JUDGE.name:
        error = judge_error(record["steps"])
        return None if error is None else judge_reason(error)
    for recorded in run.passes:
        for pass_metric in recorded.spec.metrics:
            if metric == metric_in_pass(recorded, pass_metric):
                score = score_of(record, recorded.scores)
                return "not scored yet" if score is None else score["reasons"].get(pass_metric)
    return None


def _run_fields(run: ExportedRun, record: Record) -> Row:
    return {
        "run": run.name,
        "run_digest": run.recorded.digest,
        "config": run.recorded.config,
        "profile": run.recorded.profile,
        "index": record["index"],
        "eval_id": record["eval_id"],
        "question_digest": digest_of_record(record),
    }


def _cost_fields(record: Record) -> Row:
    if record["error"] is not None:
        # The calls before the error are not all recorded.
        return dict.fromkeys(_COST)
    cost = question_cost(record)
    return {
        "tokens": cost.tokens["prompt"] + cost.tokens["new"],
        "estimated_calls": cost.tokens["estimated"],
        "seconds": cost.seconds,
    }


def _score(metrics: Mapping[str, float | None], metric: str) -> float | None:
    value = metrics.get(metric)
    return None if value is None else float(value)

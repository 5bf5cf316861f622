"""Summaries of a pass over a run, and a run with the metrics of its passes beside its own."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from evaluation.rescoring.score_files import PassScore, RecordedPass, read_scores, score_of
from evaluation.statistics.summaries import Summary, summarise
from evaluation.store.journal import Record
from evaluation.store.recorded_run import RecordedRun

_DIGEST_CHARS = 6


class PassSummary(Summary):
    """The mean of one metric of a pass, over the questions that the run answered."""

    failed: int
    """Number of questions that have no answer, so that there is nothing to score."""
    waiting: int
    """Number of answered questions that the pass has not scored yet."""
    reasons: dict[str, int]
    """By reason why a question is unscored, the number of questions."""


def summarise_pass(run: RecordedRun, scores: dict[int, PassScore], metric: str) -> PassSummary:
    """Return the summary of a pass's values of one metric."""
    pass_scores = [score_of(record, scores) for record in run.answered]
    scored = [score for score in pass_scores if score is not None]
    reasons = Counter(
        score["reasons"].get(metric, "no reason was kept")
        for score in scored
        if score["scores"].get(metric) is None
    )
    return {
        **summarise([score["scores"].get(metric) for score in scored]),
        "failed": run.failed,
        "waiting": len(pass_scores) - len(scored),
        "reasons": dict(reasons.most_common()),
    }


def summarise_own(run: RecordedRun, scores: dict[int, PassScore], metric: str) -> PassSummary:
    """Return the summary of the run's own values of a metric, on the questions of a pass."""
    answered = run.answered
    scored = [record for record in answered if score_of(record, scores) is not None]
    values = [record["metrics"].get(metric) for record in scored]
    unscored = values.count(None)
    return {
        **summarise(values),
        "failed": run.failed,
        "waiting": len(answered) - len(scored),
        "reasons": {"as the run recorded it": unscored} if unscored else {},
    }


def with_scores(run: RecordedRun, passes: Sequence[RecordedPass]) -> RecordedRun:
    """Return the run with the metrics of passes beside its own, named by `metric_in_pass`."""
    records = []
    for record in run.records:
        metrics = dict(record["metrics"])
        for recorded in passes:
            score = score_of(record, recorded.scores) if record["error"] is None else None
            if score is not None:
                for metric in recorded.spec.metrics:
                    metrics[metric_in_pass(recorded, metric)] = score["scores"].get(metric)
        records.append(Record(**{**record, "metrics": metrics}))
    return replace(run, records=records)


def with_shared_scores(runs: Sequence[RecordedRun]) -> tuple[list[RecordedRun], list[str]]:
    """Return the runs with the metrics of those passes that two or more runs have, and notes.

    A note names what scored for each pass.

    Raises:
        DatasetError: scores of a run are damaged, or of other answers.
    """
    passes_by_run = [read_scores(run) for run in runs]
    counts = Counter(recorded.name for passes in passes_by_run for recorded in passes)
    shared_by_run = [[p for p in passes if counts[p.name] > 1] for passes in passes_by_run]
    merged = [with_scores(run, passes) for run, passes in zip(runs, shared_by_run, strict=True)]
    return merged, pass_notes(recorded for passes in shared_by_run for recorded in passes)


def pass_notes(passes: Iterable[RecordedPass]) -> list[str]:
    """Return a note for each pass: what scored its metrics."""
    notes = {
        f"Metrics @{_short_digest(recorded)} are scored by {recorded.spec.kind}, "
        f"{recorded.spec.label}."
        for recorded in passes
    }
    return sorted(notes)


def metric_in_pass(recorded: RecordedPass, metric: str) -> str:
    """Return a metric's name with the digest of the pass: equal names are the same measurement."""
    return f"{metric}@{_short_digest(recorded)}"


def _short_digest(recorded: RecordedPass) -> str:
    return recorded.name.rpartition("-")[2][:_DIGEST_CHARS]

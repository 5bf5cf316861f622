"""What a pass over a run amounts to: means with all that is not in them, and agreement with others."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from evaluation.rescoring.score_files import PassScore, RecordedPass, read_scores, scored
from evaluation.statistics.summaries import Summary, summarise
from evaluation.store.journal import Record
from evaluation.store.recorded_run import RecordedRun


class Scored(Summary):
    """The mean of one metric of a pass, over the questions that the run answered."""

    failed: int
    """Questions that have no answer: nothing to score."""
    waiting: int
    """Answered questions that the pass has not come to."""
    reasons: dict[str, int]
    """Why questions are unscored."""


def summary(run: RecordedRun, scores: dict[int, PassScore], metric: str) -> Scored:
    """Return what a pass says by one metric."""
    sound = run.answered
    found = [each for record in sound if (each := scored(record, scores)) is not None]
    reasons = Counter(
        each["reasons"].get(metric, "no reason was kept")
        for each in found
        if each["scores"].get(metric) is None
    )
    return {
        **summarise([each["scores"].get(metric) for each in found]),
        "failed": run.failed,
        "waiting": len(sound) - len(found),
        "reasons": dict(reasons.most_common()),
    }


def own_summary(run: RecordedRun, scores: dict[int, PassScore], metric: str) -> Scored:
    """Return what the run itself says by one of its metrics, on the questions of a pass."""
    sound = run.answered
    found = [record for record in sound if scored(record, scores) is not None]
    values = [record["metrics"].get(metric) for record in found]
    unscored = values.count(None)
    return {
        **summarise(values),
        "failed": run.failed,
        "waiting": len(sound) - len(found),
        "reasons": {"as the run recorded it": unscored} if unscored else {},
    }


def with_scores(run: RecordedRun, scorings: Sequence[RecordedPass]) -> RecordedRun:
    """Return the run with the metrics of passes beside its own, under names of their own.

    A name ends with the digest of what scored: equal names are the same measurement.
    """
    records = []
    for record in run.records:
        metrics = dict(record["metrics"])
        for scoring in scorings:
            found = scored(record, scoring.scores) if record["error"] is None else None
            if found is not None:
                for metric in scoring.plan.metrics:
                    metrics[column(scoring, metric)] = found["scores"].get(metric)
        records.append(Record(**{**record, "metrics": metrics}))
    return replace(run, records=records)


def with_shared_scores(runs: Sequence[RecordedRun]) -> tuple[list[RecordedRun], list[str]]:
    """Return the runs with the metrics of passes that two or more of them have, and what those are.

    Raises:
        DatasetError: scores of a run are damaged, or of other answers.
    """
    passes = [read_scores(run.folder) for run in runs]
    counts = Counter(scoring.name for found in passes for scoring in found)
    shared = [[each for each in found if counts[each.name] > 1] for found in passes]
    notes = {
        f"@{_mark(scoring)} is scored by {scoring.plan.kind}, {scoring.plan.label}."
        for found in shared
        for scoring in found
    }
    merged = [with_scores(run, found) for run, found in zip(runs, shared, strict=True)]
    return merged, sorted(notes)


def column(scoring: RecordedPass, metric: str) -> str:
    """Return a metric's name among the metrics of a run."""
    return f"{metric}@{_mark(scoring)}"


def _mark(scoring: RecordedPass) -> str:
    return scoring.name.rpartition("-")[2][:6]

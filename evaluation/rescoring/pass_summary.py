"""What a pass over a run amounts to: means with all that is not in them, and agreement with others."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TypedDict

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from evaluation.rescoring.score_files import Score, Scoring, read_scores, scored
from evaluation.statistics.summaries import Summary, summarise
from evaluation.store.journal import Record
from evaluation.store.recorded_run import RecordedRun
from evaluation.tables.results_tables import shown
from graph.support.terminal import safe_text


class Scored(Summary):
    """The mean of one metric of a pass, over the questions that the run answered."""

    failed: int
    """Questions that have no answer: nothing to score."""
    waiting: int
    """Answered questions that the pass has not come to."""
    reasons: dict[str, int]
    """Why questions are unscored."""


class Correlation(TypedDict):
    """How two scores of the same answers rank them."""

    n: int
    spearman: float | None
    ci95: list[float] | None
    why_none: str | None


def summary(run: RecordedRun, scores: dict[int, Score], metric: str) -> Scored:
    """Return what a pass says by one metric."""
    sound = sound_records(run)
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


def own_summary(run: RecordedRun, scores: dict[int, Score], metric: str) -> Scored:
    """Return what the run itself says by one of its metrics, on the questions of a pass."""
    sound = sound_records(run)
    found = [record for record in sound if scored(record, scores) is not None]
    values = [record["metrics"].get(metric) for record in found]
    unscored = values.count(None)
    return {
        **summarise(values),
        "failed": run.failed,
        "waiting": len(sound) - len(found),
        "reasons": {"as the run recorded it": unscored} if unscored else {},
    }


def sound_records(run: RecordedRun) -> list[Record]:
    """Return the records that hold an answer, by index."""
    return [record for record in run.records if record["error"] is None]


def correlation(ours: Sequence[float | None], theirs: Sequence[float | None]) -> Correlation:
    """Return Spearman's rank correlation with a 95 % bootstrap interval over questions."""
    from evaluation.statistics.agreement import draw_questions, spearman
    from evaluation.statistics.intervals import draws_interval

    pairs = [(a, b) for a, b in zip(ours, theirs, strict=True) if a is not None and b is not None]
    why = None
    if len(pairs) < 3:
        why = "fewer than three questions have both scores"
    elif any(len(set(values)) == 1 for values in zip(*pairs, strict=True)):
        why = "one of the two gives every answer the same score"
    if why:
        return {"n": len(pairs), "spearman": None, "ci95": None, "why_none": why}
    x, y = np.array(pairs, dtype=float).T
    place = np.arange(len(pairs))
    draws = spearman(x, y, place, draw_questions(len(pairs)))
    return {
        "n": len(pairs),
        "spearman": float(draws[0]),
        "ci95": draws_interval(draws),
        "why_none": None,
    }


def with_scores(run: RecordedRun, scorings: Sequence[Scoring]) -> RecordedRun:
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


def column(scoring: Scoring, metric: str) -> str:
    """Return a metric's name among the metrics of a run."""
    return f"{metric}@{_mark(scoring)}"


def _mark(scoring: Scoring) -> str:
    return scoring.name.rpartition("-")[2][:6]


def scores_table(rows: Sequence[tuple[str, str, Scored]]) -> Table:
    """Return a row for each (metric, by whom, summary)."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("metric", no_wrap=True)
    table.add_column("by", overflow="fold")
    for name in ("mean", "95 % interval", "n", "unscored", "failed"):
        table.add_column(name, justify="right", no_wrap=True)
    for metric, by, each in rows:
        mean, ends = shown(each)
        counts = (str(each["n"]), str(each["unscored"]), str(each["failed"]))
        table.add_row(Text(safe_text(metric)), Text(safe_text(by)), mean, ends, *counts)
    return table


def reason_lines(rows: Sequence[tuple[str, str, Scored]]) -> list[str]:
    """Return a line for each row with unscored questions: how many, and why."""
    lines = []
    for metric, _, each in rows:
        if each["reasons"]:
            why = "; ".join(f"{reason}: {count}" for reason, count in each["reasons"].items())
            lines.append(f"{metric}: unscored {each['unscored']} ({why})")
    return lines

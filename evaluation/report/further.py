"""What was measured of a run after it ended, and how far its judges and metrics agree."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from evaluation.rescoring.pass_summary import (
    Correlation,
    column,
    correlation,
    sound_records,
    summary,
    with_scores,
)
from evaluation.rescoring.score_files import Scoring, read_scores
from evaluation.store.recorded_run import RecordedRun, read_run

JUDGE = "LLM_judge"


class Read(NamedTuple):
    """A run with the scores that were made of it later beside its own, and what those are."""

    run: RecordedRun
    notes: list[str]


class Agreement(NamedTuple):
    """How a judge ranks the answers of a run, against each metric."""

    judge: str
    against: dict[str, Correlation]


def read_with_scores(folder: Path) -> Read:
    """Read a run and every pass over it.

    Raises:
        DatasetError: it is no run, or damaged.
    """
    run, scorings = read_run(folder), read_scores(folder)
    notes = [_said(run, each, metric) for each in scorings for metric in each.plan.metrics]
    return Read(with_scores(run, scorings), notes)


def _said(run: RecordedRun, scoring: Scoring, metric: str) -> str:
    found = summary(run, scoring.scores, metric)
    said = f"{column(scoring, metric)} is {metric} by {scoring.plan.label}, scored after the run"
    reasons = "; ".join(f"{why}: {count}" for why, count in found["reasons"].items())
    unscored = f", {found['unscored']} unscored ({reasons})" if found["unscored"] else ""
    waiting = f", {found['waiting']} answers wait for it" if found["waiting"] else ""
    return f"{said}{unscored}{waiting}."


def agreements(run: RecordedRun, metrics: Sequence[str]) -> list[Agreement]:
    """Return how each judge of a run ranks its answers against every metric before it.

    A judge is the run's own, and whatever was measured beside the fixed metrics.
    """
    first = list(metrics).index(JUDGE)
    scores = {
        name: [record["metrics"].get(name) for record in sound_records(run)] for name in metrics
    }
    return [
        Agreement(
            judge, {name: correlation(scores[judge], scores[name]) for name in metrics[:place]}
        )
        for place, judge in enumerate(metrics)
        if place >= first and any(value is not None for value in scores[judge])
    ]

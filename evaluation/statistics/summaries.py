"""Means that say what they rest on: n, unscored, and an interval."""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np

RESAMPLES = 5_000
CONFIDENCE = 0.95


class Summary(TypedDict):
    """The mean of one metric."""

    mean: float | None
    """None when nothing was scored."""
    n: int
    unscored: int
    ci95: list[float] | None
    """Bootstrap interval of the mean; None below two values."""


def summarise(values: Sequence[float | None]) -> Summary:
    """Return the mean of the scored values with a 95 % percentile bootstrap interval.

    Efron and Tibshirani 1993, chapter 13; resampled with a fixed seed, so that equal values give
    equal intervals.
    """
    from scipy.stats import bootstrap

    scored = [value for value in values if value is not None]
    unscored = len(values) - len(scored)
    if not scored:
        return {"mean": None, "n": 0, "unscored": unscored, "ci95": None}
    mean = float(np.mean(scored))
    if len(scored) < 2:
        return {"mean": mean, "n": 1, "unscored": unscored, "ci95": None}
    interval = bootstrap(
        (np.array(scored),),
        np.mean,
        n_resamples=RESAMPLES,
        batch=max(1, 2_000_000 // len(scored)),
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    ends = [float(interval.low), float(interval.high)]
    return {"mean": mean, "n": len(scored), "unscored": unscored, "ci95": ends}

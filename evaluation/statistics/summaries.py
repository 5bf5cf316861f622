"""Means that name what they rest on: n, unscored, and an interval."""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from evaluation.statistics.intervals import mean_interval


class Summary(TypedDict):
    """The mean of one metric."""

    mean: float | None
    """None when nothing was scored."""
    n: int
    unscored: int
    ci95: list[float] | None
    """See `intervals.mean_interval`; None below two values."""


def summarise(values: Sequence[float | None]) -> Summary:
    """Summarise the scored values: mean, n, unscored, 95 % bootstrap interval."""
    scored = [value for value in values if value is not None]
    n, unscored = len(scored), len(values) - len(scored)
    if not scored:
        return {"mean": None, "n": 0, "unscored": unscored, "ci95": None}
    mean = float(np.mean(scored))
    interval = mean_interval(np.array(scored)) if n > 1 else None
    return {"mean": mean, "n": n, "unscored": unscored, "ci95": interval}

"""The summary of a metric: mean, n, unscored, and an interval."""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from evaluation.statistics.intervals import mean_interval


class Summary(TypedDict):
    """The mean of one metric over questions."""

    mean: float | None
    """None if nothing was scored."""
    n: int
    """Scored questions."""
    unscored: int
    ci95: list[float] | None
    """See `intervals.mean_interval`; None below two values."""


def summarise(values: Sequence[float | None]) -> Summary:
    """Summarise a metric; None is unscored."""
    scored = [value for value in values if value is not None]
    n, unscored = len(scored), len(values) - len(scored)
    if not scored:
        return {"mean": None, "n": 0, "unscored": unscored, "ci95": None}
    mean = float(np.mean(scored))
    interval = mean_interval(np.array(scored)) if n > 1 else None
    return {"mean": mean, "n": n, "unscored": unscored, "ci95": interval}

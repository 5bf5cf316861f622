"""The summary of a metric: mean, n, unscored, and an interval."""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from evaluation.statistics.intervals import mean_interval

LEAST_RELIABLE = 20
"""The mean of fewer questions says little, and its interval too: tables mark it."""


class Summary(TypedDict):
    """The mean of one metric over questions."""

    mean: float | None
    """None if nothing was scored."""
    n: int
    """Scored questions."""
    unscored: int
    ci95: list[float] | None
    """See `intervals.mean_interval`; None below two values and for equal ones other than 0 and 1."""


def summarise(values: Sequence[float | None], *, bounded: bool = True) -> Summary:
    """Summarise a metric.

    Args:
        values: One for each question; None is unscored.
        bounded: Whether the values are scores in [0, 1]; differences and counts are not.
    """
    scored = [value for value in values if value is not None]
    n, unscored = len(scored), len(values) - len(scored)
    if not scored:
        return {"mean": None, "n": 0, "unscored": unscored, "ci95": None}
    mean = float(np.mean(scored))
    interval = mean_interval(np.array(scored, dtype=float), bounded=bounded)
    return {"mean": mean, "n": n, "unscored": unscored, "ci95": interval}


def lacks_interval(summary: Summary) -> bool:
    """Tell whether a mean has no interval because all its values are the same."""
    return summary["n"] > 1 and summary["ci95"] is None

"""The intervals behind every `ci95`: one method for each kind of figure.

| function | figure | method | reason |
|---|---|---|---|
| `mean_interval` | mean of one metric over questions | percentile | questions are independent; only \
the mean is estimated |
| `share_interval` | mean of scores that are all 0 or 1 | Wilson | 20 hits of 20 do not prove a rate \
of 1, but every resample of them has this rate |
| `paired_interval` | mean difference of two runs | bootstrap-t | a verdict rests on it, and it \
covers skewed differences of few questions where the percentile interval does not \
(`bench/coverage.py`) |
| `cluster_intervals` | means over queries that share documents | percentile, groups drawn | such \
queries succeed or fail together: the group is the independent unit |
| `draws_interval` | agreement with people's grades | percentile, whole questions drawn | answers \
to one question are graded together; one set of draws serves every statistic |
| `ratio_interval` | share of the headroom | percentile of a ratio | numerator and denominator vary \
together, so both come from the same draw |

Whether scores are all 0 or 1 is read from the values, not from the metric. Other values that are all
the same have no interval: nothing is known about their spread.

Percentile intervals: Efron and Tibshirani 1993, chapter 13; groups: Cameron, Gelbach and Miller 2008.
All are 95 % intervals with a fixed seed: equal values give equal intervals.
"""

from statistics import NormalDist
from typing import Any

import numpy as np
from numpy import float64, int64
from numpy.typing import NDArray

CONFIDENCE = 0.95
_TAIL = (1 - CONFIDENCE) / 2

MEAN_RESAMPLES = 5_000
PAIRED_RESAMPLES = 5_000
CLUSTER_RESAMPLES = 5_000
AGREEMENT_DRAWS = 1_000
"""Fewer than for a mean: every statistic ranks all answers anew in each draw."""
RATIO_RESAMPLES = 2_000

_MOST_DRAWN = 20_000_000
_LEAST_PAIRED_RESAMPLES = 1_000
"""Thousands of questions need fewer resamples: their quantiles are close to Student's."""
_CELLS = 300_000
"""Numbers drawn at once by `paired_interval`: bounds its memory, whatever n is."""
_BATCH_CELLS = 2_000_000
"""Numbers that scipy draws at once."""
_LEAST_SPREAD = 0.1
"""A resample whose standard error is below this share of the sample's cannot be studentised."""
_LEAST_RANGE = 1e-9
"""Values within this range are the same up to rounding."""


def share_interval(share: float, n: float) -> list[float]:
    """Return Wilson's score interval of a share of `n` independent trials (Wilson 1927).

    A mean of scores that are all 0 or 1 is such a share. At a given mean, scores in [0, 1] vary most
    if all are 0 or 1, so that the interval is wide enough for other scores too.
    """
    z = NormalDist().inv_cdf(1 - _TAIL)
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * (share * (1 - share) / n + z**2 / (4 * n**2)) ** 0.5 / (1 + z**2 / n)
    # A rounding error must not move an end that is exactly 0 or 1.
    return [centre - half if share > 0 else 0.0, centre + half if share < 1 else 1.0]


def is_binary(values: NDArray[float64]) -> bool:
    """Tell whether all values are 0 or 1."""
    return bool(((values == 0) | (values == 1)).all())


def is_constant(values: NDArray[float64]) -> bool:
    """Tell whether all values are the same, up to rounding."""
    return bool(np.ptp(values) < _LEAST_RANGE)


def mean_interval(values: NDArray[float64], *, bounded: bool = True) -> list[float] | None:
    """Return the interval of a mean: Wilson's if all values are 0 or 1, else the percentile one.

    None below two values, and for other values that are all the same.

    Args:
        values: Shape (n,), n at least 1.
        bounded: Whether the values are scores in [0, 1]. Differences and counts are not: all 0,
            they are no share of hits.
    """
    if len(values) < 2:
        return None
    if bounded and is_binary(values):
        return share_interval(float(values.mean()), len(values))
    if is_constant(values):
        return None
    interval = _scipy_bootstrap(
        values,
        np.mean,
        n_resamples=MEAN_RESAMPLES,
        batch=max(1, _BATCH_CELLS // len(values)),
    )
    # The quantiles of equal values can differ by a rounding error, in either direction.
    return sorted([float(interval.low), float(interval.high)])


def cluster_intervals(
    sums: NDArray[float64], sizes: NDArray[int64], *, bounded: bool = True
) -> list[list[float] | None]:
    """Return the interval of sum(sums) / sum(sizes) for each row of `sums`.

    Percentile intervals, for which all rows use the same draws. Where the mean of every group is 0
    or 1, Wilson's, of as many trials as equal groups would be (Kish 1965: the square of the sum of
    sizes over the sum of their squares). None below two groups, and where all groups have another
    mean in common.

    Args:
        sums: Sum of each group, shape (metrics, groups).
        sizes: Members of each group, shape (groups,).
        bounded: As for `mean_interval`.
    """
    if len(sizes) < 2:
        return [None] * len(sums)
    trials = float(sizes.sum()) ** 2 / float((sizes**2).sum())
    ends: list[list[float] | None] = []
    for row, drawn in zip(sums, _drawn_intervals(sums, sizes), strict=True):
        means = row / sizes
        if bounded and is_binary(means):
            ends.append(share_interval(float(row.sum() / sizes.sum()), trials))
        else:
            ends.append(None if is_constant(means) else drawn)
    return ends


def _drawn_intervals(sums: NDArray[float64], sizes: NDArray[int64]) -> list[list[float]]:
    """Return the percentile interval of each row of `sums`, by a bootstrap over groups."""

    def ratio(drawn: NDArray[int64], axis: int) -> NDArray[float64]:
        return np.asarray(sums[:, drawn].sum(axis=axis) / sizes[drawn].sum(axis=axis))

    interval = _scipy_bootstrap(
        np.arange(len(sizes)),
        ratio,
        vectorized=True,
        axis=-1,
        n_resamples=CLUSTER_RESAMPLES,
        batch=max(1, _BATCH_CELLS // sums.size),
    )
    ends: list[list[float]] = np.column_stack((interval.low, interval.high)).tolist()
    return ends


def _scipy_bootstrap(sample: NDArray[Any], statistic: Any, **options: Any) -> Any:
    from scipy.stats import bootstrap

    return bootstrap(
        (sample,),
        statistic,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(0),
        **options,
    ).confidence_interval


def draws_interval(draws: NDArray[float64]) -> list[float] | None:
    """Return the percentile interval of a statistic from its draws, shape (1 + draws,).

    The first value is the sample's own; NaN marks a draw in which the statistic is undefined.
    Returns None where it is undefined in the sample or in half of the draws or more, and where all
    draws have the same value.
    """
    defined = draws[1:][~np.isnan(draws[1:])]
    if np.isnan(draws[0]) or 2 * len(defined) <= len(draws) - 1 or is_constant(defined):
        return None
    low, high = np.quantile(defined, [_TAIL, 1 - _TAIL]).tolist()
    return [low, high]


def ratio_interval(
    numerators: NDArray[float64], denominators: NDArray[float64]
) -> list[float] | None:
    """Return the percentile interval of sum(numerators) / sum(denominators), shape (n,) each.

    Resamples whose denominators sum to 0 or less have no ratio and are left out. Returns None below
    two questions, and where all resamples have the same ratio.
    """
    n = len(numerators)
    if n < 2:
        return None
    drawn = np.random.default_rng(0).integers(0, n, (RATIO_RESAMPLES, n))
    tops, bottoms = numerators[drawn].sum(axis=1), denominators[drawn].sum(axis=1)
    ratios = tops[bottoms > 0] / bottoms[bottoms > 0]
    if is_constant(ratios):
        return None
    return [float(end) for end in np.quantile(ratios, [_TAIL, (1 + CONFIDENCE) / 2])]


def paired_interval(
    gains: NDArray[float64], resamples: int | None = None, seed: int = 0
) -> list[float] | None:
    """Return the interval of the mean of paired differences, within [-1, 1].

    The bootstrap-t interval (Efron and Tibshirani 1993, chapter 12.5): the quantiles of each
    resample's mean in its own standard errors replace Student's. Where Student's interval reaches
    further at one end, that end lies halfway to it. Chosen by simulation
    (`bench/coverage.py`): on skewed differences of 40 questions the percentile, BCa and Student's
    intervals cover the true mean too rarely, and so does the bootstrap-t interval at its short end;
    the further end of both would make the interval wider than necessary.

    Student's interval is used alone if more than one resample in forty has lost its spread, as with
    few questions or few that differ. Constant differences have no interval.

    Args:
        gains: a - b of each question, shape (n,), n at least 2, each in [-1, 1].
        resamples: Number of resamples; by default `PAIRED_RESAMPLES`, fewer for thousands of
            questions.
        seed: Seed of the draws.
    """
    from scipy.stats import t

    n, mean = len(gains), float(gains.mean())
    error = spread(gains) / n**0.5
    if error == 0:
        return None
    count = resamples or min(PAIRED_RESAMPLES, max(_LEAST_PAIRED_RESAMPLES, _MOST_DRAWN // n))
    quantiles = np.quantile(
        studentised(gains - mean, error, count, seed), [_TAIL, 1 - _TAIL], method="nearest"
    )
    student = float(t.ppf(1 - _TAIL, n - 1))
    low, high = quantiles.tolist() if np.isfinite(quantiles).all() else (-student, student)
    return [
        max(-1.0, mean - max(high, (high + student) / 2) * error),
        min(1.0, mean - min(low, (low - student) / 2) * error),
    ]


def studentised(
    centred: NDArray[float64], error: float, resamples: int, seed: int
) -> NDArray[float64]:
    """Return each resample's mean over its own standard error, shape (resamples,).

    A resample that has lost its spread gives plus or minus infinity.

    Args:
        centred: Differences less their mean, shape (n,).
        error: Standard error of their mean.
        resamples: Number of resamples.
        seed: Seed of the draws.
    """
    rng, n = np.random.default_rng(seed), len(centred)
    ratios = np.empty(resamples)
    rows = max(1, _CELLS // n)
    for start in range(0, resamples, rows):
        shape = (min(rows, resamples - start), n)
        drawn = centred[rng.integers(0, n, shape, dtype=np.int32)]
        means = drawn.mean(axis=1)
        squares = np.einsum("ij,ij->i", drawn, drawn) / n - means**2
        errors = np.sqrt(np.maximum(squares, 0) / (n - 1))
        lost = errors < _LEAST_SPREAD * error
        ratios[start : start + shape[0]] = np.where(
            lost, np.copysign(np.inf, means), means / np.where(lost, 1, errors)
        )
    return ratios


def spread(gains: NDArray[float64]) -> float:
    """Return the standard deviation of a sample, shape (n,); exactly 0 if `is_constant`."""
    return 0.0 if is_constant(gains) else float(gains.std(ddof=1))

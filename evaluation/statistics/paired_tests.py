"""Inference from paired differences: interval, test, effect size, smallest detectable difference.

Everything is seeded: equal differences give equal results. `gains` are always the differences
a - b of questions that both runs scored, shape (n,).
"""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from numpy import float64
from numpy.typing import NDArray

from evaluation.statistics.intervals import paired_interval, spread

ALPHA = 0.05
"""Level of every test."""
POWER = 0.8
"""Power of the smallest detectable difference."""
PERMUTATIONS = 9_999
"""Sign patterns at most; up to 13 questions have fewer, and the test is exact."""
_DIGITS = 9
"""Decimals of a difference: equal scores may differ in their last bits, and then differ by 0."""
_CELLS = 300_000
"""Signs drawn at once: bounds the memory, whatever n is."""


class Inference(TypedDict):
    """The inference from n differences; None where n is too small for a figure."""

    ci95: list[float] | None
    p: float | None
    test: str | None
    """`mcnemar` or `permutation`."""
    effect: float | None
    """Cohen's d_z."""
    smallest_detectable: float | None


def paired_gains(a: NDArray[float64], b: NDArray[float64]) -> NDArray[float64]:
    """Return the differences a - b, rounded: scores that differ in their last bits are equal."""
    return np.round(a - b, _DIGITS)


def infer(a: NDArray[float64], b: NDArray[float64]) -> Inference:
    """Return the inference about the mean of paired differences; all None below two questions.

    McNemar's test where all scores are 0 or 1, else the permutation test.

    Args:
        a: Scores of the one run, shape (n,).
        b: Scores of the other run, shape (n,).
    """
    gains = paired_gains(a, b)
    if len(gains) < 2:
        return {"ci95": None, "p": None, "test": None, "effect": None, "smallest_detectable": None}
    binary = bool(((a == 0) | (a == 1)).all() and ((b == 0) | (b == 1)).all())
    return {
        "ci95": paired_interval(gains),
        "p": mcnemar(gains) if binary else permutation(gains),
        "test": "mcnemar" if binary else "permutation",
        "effect": effect(gains),
        "smallest_detectable": smallest_detectable(gains),
    }


def permutation(gains: NDArray[float64], permutations: int = PERMUTATIONS, seed: int = 0) -> float:
    """Return the two-sided p of the paired permutation test (Fisher 1935, section 21).

    If the two runs do not differ, each difference could as well have the other sign. All sign
    patterns are counted if there are at most `permutations`; else that many are drawn, and the
    observed one counts as one of them, so that p is never 0 and never too small (Phipson and
    Smyth 2010, arXiv:1603.05766). It is the test of `scipy.stats.permutation_test` with
    `permutation_type="samples"`, which takes a minute on 10,000 questions.

    Args:
        gains: Shape (n,).
        permutations: Number of patterns at most.
        seed: Seed of the draws.
    """
    n = len(gains)
    # 2**n of thousands of questions would be a number of thousands of bits.
    exact = n < 60 and 2**n <= permutations
    count = 2**n if exact else permutations
    rng = np.random.default_rng(seed)
    total = gains.sum()
    # Sums of the same numbers in another order differ in their last digits: a pattern with the
    # observed sum has to count as extreme.
    bound = abs(total) - 1e-12 * max(1.0, float(np.abs(gains).sum()))
    rows, extreme = max(1, _CELLS // n), 0
    for start in range(0, count, rows):
        size = min(rows, count - start)
        if exact:
            patterns = np.arange(start, start + size, dtype=np.uint64)
            octets = np.ascontiguousarray(patterns[:, None]).view(np.uint8)
        else:
            # Eight signs are drawn as one byte: eight times faster than one number a sign.
            octets = rng.integers(0, 256, (size, -(-n // 8)), dtype=np.uint8)
        flips = np.unpackbits(octets, axis=1, count=n, bitorder="little").astype(np.float64)
        extreme += int((np.abs(total - 2 * (flips @ gains)) >= bound).sum())
    return extreme / count if exact else (extreme + 1) / (count + 1)


def mcnemar(gains: NDArray[float64]) -> float:
    """Return the two-sided p of McNemar's exact test (McNemar 1947; Edwards 1948 on exactness).

    If two runs of right and wrong answers do not differ, each is right on half of the questions on
    which they differ: a binomial test. p is 1 if no question differs.
    """
    from scipy.stats import binomtest

    better, worse = int((gains > 0).sum()), int((gains < 0).sum())
    return float(binomtest(better, better + worse, 0.5).pvalue) if better + worse else 1.0


def holm(values: Sequence[float | None]) -> list[float | None]:
    """Return p values adjusted for all tests of a table (Holm 1979, Scand. J. Statist. 6:65-70).

    The smallest of m is multiplied by m, the next by m - 1 and so on; none is smaller than the one
    before it, and none above 1. A None, for no test, stays None.
    """
    order = sorted((value, index) for index, value in enumerate(values) if value is not None)
    adjusted: list[float | None] = [None] * len(values)
    least = 0.0
    for rank, (value, index) in enumerate(order):
        least = max(least, min(1.0, (len(order) - rank) * value))
        adjusted[index] = least
    return adjusted


def effect(gains: NDArray[float64]) -> float | None:
    """Return Cohen's d_z: mean over standard deviation of the differences (Cohen 1988, 2.3.5).

    None for constant differences.
    """
    deviation = spread(gains)
    return float(gains.mean()) / deviation if deviation else None


def smallest_detectable(gains: NDArray[float64]) -> float | None:
    """Return the mean difference that n such questions detect with a power of 0.8.

    Two-sided at 0.05, as if the standard deviation were known: (1.96 + 0.84) SD / sqrt(n)
    (Cohen 1988, section 2.4). None for constant differences, whose spread is unknown.
    """
    from scipy.stats import norm

    deviation = spread(gains)
    factor = float(norm.ppf(1 - ALPHA / 2) + norm.ppf(POWER))
    return factor * deviation / len(gains) ** 0.5 if deviation else None

"""The reliability of the intervals and tests of `python -m evaluation compare`.

Run `python -m bench.coverage [--runs N] [--resamples N] [--rejected]`. `--runs 200` is a quick trial;
the default of 2,000 runs takes a minute on one core, and with `--rejected` some minutes more. The
seed is fixed.

Draws paired scores with a known true mean difference and passes them to the functions that compare
uses. Prints how often the 95 % interval holds the true mean and how often it is above or below it,
how often the test finds a difference where there is none, and how often it finds a difference of half
a standard deviation among 60 questions. With `--rejected`, also prints the coverage of the intervals
that compare does not use.
"""

import argparse
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap, norm, t

from evaluation.statistics.intervals import paired_interval, studentised
from evaluation.statistics.paired_tests import ALPHA, permutation

Scores = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Scores]
SIZES = (40, 300)
"""Numbers of questions."""


class Case(NamedTuple):
    """A distribution of paired differences, and its mean."""

    name: str
    draw: Draw
    """Draws the differences of n questions, shape (n,)."""
    mean: float


def _like(rng: np.random.Generator, n: int) -> Scores:
    """Draw differences of two independent scores of the same distribution: mean 0."""
    return rng.beta(0.6, 6, n) - rng.beta(0.6, 6, n)


def _beta(rng: np.random.Generator, n: int) -> Scores:
    """Draw differences of two independent right-skewed scores."""
    return rng.beta(0.8, 3, n) - rng.beta(0.6, 6, n)


def _lognormal(rng: np.random.Generator, n: int) -> Scores:
    """Draw differences of two correlated scores, each lognormal and cut at 1."""
    b = rng.normal(size=n)
    a = 0.5 * b + math.sqrt(0.75) * rng.normal(size=n)
    return np.minimum(1, 0.10 * np.exp(a)) - np.minimum(1, 0.05 * np.exp(b))


def _gain(rng: np.random.Generator, n: int) -> Scores:
    """Draw differences that are never negative, mostly small, seldom large: skewness 2.3."""
    return (1 - rng.beta(0.6, 6, n)) * rng.beta(0.3, 3, n)


def _sparse(rng: np.random.Generator, n: int) -> Scores:
    """Draw differences that are 0 for four of five questions, else positive: skewness 3.1."""
    return (rng.random(n) < 0.2) * rng.beta(1, 3, n)


def _cut_mean(scale: float) -> float:
    """Return the mean of min(1, scale * exp(z)) for a standard normal z."""
    edge = -math.log(scale)
    return float(scale * math.exp(0.5) * norm.cdf(edge - 1) + norm.sf(edge))


BETA = Case("beta", _beta, 0.8 / 3.8 - 0.6 / 6.6)
GAIN = Case("gain", _gain, (1 - 0.6 / 6.6) * 0.3 / 3.3)
CASES = (
    BETA,
    Case("lognormal", _lognormal, _cut_mean(0.10) - _cut_mean(0.05)),
    GAIN,
    Case("sparse gain", _sparse, 0.2 * 0.25),
)


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2_000)
    parser.add_argument("--resamples", type=int, default=2_000)
    parser.add_argument("--rejected", action="store_true", help="also the intervals not used")
    arguments = parser.parse_args()
    print(f"{arguments.runs} runs, {arguments.resamples} resamples and permutations in each")
    _print_coverage(arguments.runs, arguments.resamples, rejected=arguments.rejected)
    _print_differences(arguments.runs, arguments.resamples)


def _print_coverage(runs: int, resamples: int, *, rejected: bool) -> None:
    print(f"{'coverage':<14}{'n':>5}{'interval':>10}{'above':>8}{'below':>8}")
    for case in CASES:
        for n in SIZES:
            print(f"{case.name:<14}{n:>5}{_coverage(case, n, runs, resamples)}", flush=True)
            if rejected:
                print(f"{'':<14}{_rejected(case, n, runs, resamples)}", flush=True)


def _print_differences(runs: int, resamples: int) -> None:
    for n in SIZES:
        like = _significant_share(_like, n, runs, resamples)
        skewed = _significant_share(lambda rng, n: _gain(rng, n) - GAIN.mean, n, runs, resamples)
        print(
            f"n={n}: finds a difference where there is none in {like:.1%} of the runs with like "
            f"scores, in {skewed:.1%} with skewed differences of mean 0",
            flush=True,
        )
    shift = 0.5 * math.sqrt(_variance(0.8, 3) + _variance(0.6, 6)) - BETA.mean
    power = _significant_share(lambda rng, n: _beta(rng, n) + shift, 60, runs, resamples)
    print(f"n=60: finds a difference of 0.5 SD in {power:.1%} of the runs")


def _variance(a: float, b: float) -> float:
    """Return the variance of a beta distribution."""
    return a * b / ((a + b) ** 2 * (a + b + 1))


def _coverage(case: Case, n: int, runs: int, resamples: int) -> str:
    rng, above, below = np.random.default_rng(1), 0, 0
    for seed in range(runs):
        # None of the distributions draws constant differences, which have no interval.
        low, high = paired_interval(case.draw(rng, n), resamples, seed) or (math.nan, math.nan)
        above, below = above + (low > case.mean), below + (high < case.mean)
    return f"{1 - (above + below) / runs:>10.1%}{above / runs:>8.1%}{below / runs:>8.1%}"


def _rejected(case: Case, n: int, runs: int, resamples: int) -> str:
    """Return the coverage of the intervals that compare does not use."""
    rng = np.random.default_rng(1)
    covered = dict.fromkeys(("Student", "percentile", "BCa", "bootstrap-t"), 0)
    for seed in range(runs):
        gains = case.draw(rng, n)
        mean, error = gains.mean(), gains.std(ddof=1) / n**0.5
        if error == 0:
            continue
        student = t.ppf(0.975, n - 1)
        covered["Student"] += int(abs(mean - case.mean) <= student * error)
        ends = np.quantile(
            studentised(gains - mean, error, resamples, seed), [0.025, 0.975], method="nearest"
        )
        # A resample of equal values has no standard error: its studentised mean is infinite.
        low, high = ends if np.isfinite(ends).all() else (-student, student)
        covered["bootstrap-t"] += int(mean - high * error <= case.mean <= mean - low * error)
        for name in ("percentile", "BCa"):
            interval = bootstrap(
                (gains,),
                np.mean,
                n_resamples=resamples,
                batch=max(1, 1_000_000 // n),
                method=name,
                rng=np.random.default_rng(seed),
            ).confidence_interval
            covered[name] += int(interval.low <= case.mean <= interval.high)
    return ", ".join(f"{name} {count / runs:.1%}" for name, count in covered.items())


def _significant_share(draw: Draw, n: int, runs: int, permutations: int) -> float:
    """Return the share of runs in which the test finds a difference."""
    rng = np.random.default_rng(2)
    return sum(permutation(draw(rng, n), permutations, s) < ALPHA for s in range(runs)) / runs


if __name__ == "__main__":
    main()

"""How far the figures of `python -m evaluation compare` can be trusted: python -m bench.coverage.

Draws paired scores whose true mean difference is known, many times, and hands them to the very
functions that compare uses. Printed are: how often the 95 % interval holds the true mean (and how
often it lies above or below it), how often the test finds a difference where there is none, and
how often it finds one of half a standard deviation among 60 questions. With `--rejected` the
intervals that were not taken stand below each line. The seed is fixed. `--runs 200` is a quick
trial; the full size, two thousand runs, takes a minute on one core, with `--rejected` some minutes more.
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


class Case(NamedTuple):
    """Differences of n questions, and their true mean."""

    name: str
    draw: Draw
    mean: float


def _beta(rng: np.random.Generator, n: int) -> Scores:
    """Differences of two independent right-skewed scores."""
    return rng.beta(0.8, 3, n) - rng.beta(0.6, 6, n)


def _lognormal(rng: np.random.Generator, n: int) -> Scores:
    """Differences of two correlated scores, each lognormal and cut at 1."""
    b = rng.normal(size=n)
    a = 0.5 * b + math.sqrt(0.75) * rng.normal(size=n)
    return np.minimum(1, 0.10 * np.exp(a)) - np.minimum(1, 0.05 * np.exp(b))


def _gain(rng: np.random.Generator, n: int) -> Scores:
    """Never worse, mostly little better, seldom much: skewness 2.3."""
    return (1 - rng.beta(0.6, 6, n)) * rng.beta(0.3, 3, n)


def _sparse(rng: np.random.Generator, n: int) -> Scores:
    """Four of five questions do not differ at all, the others gain: skewness 3.1."""
    return (rng.random(n) < 0.2) * rng.beta(1, 3, n)


def _cut_mean(scale: float) -> float:
    """Return the mean of min(1, scale * exp(z)) for a standard normal z."""
    edge = -math.log(scale)
    return float(scale * math.exp(0.5) * norm.cdf(edge - 1) + norm.sf(edge))


CASES = (
    Case("beta", _beta, 0.8 / 3.8 - 0.6 / 6.6),
    Case("lognormal", _lognormal, _cut_mean(0.10) - _cut_mean(0.05)),
    Case("gain", _gain, (1 - 0.6 / 6.6) * 0.3 / 3.3),
    Case("sparse gain", _sparse, 0.2 * 0.25),
)


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2_000)
    parser.add_argument("--resamples", type=int, default=2_000)
    parser.add_argument("--rejected", action="store_true", help="the intervals not taken, too")
    arguments = parser.parse_args()
    runs, resamples = arguments.runs, arguments.resamples
    print(f"{runs} runs, {resamples} resamples and permutations in each")
    print(f"{'coverage':<14}{'n':>5}{'interval':>10}{'above':>8}{'below':>8}")
    for case in CASES:
        for n in (40, 300):
            print(f"{case.name:<14}{n:>5}{_coverage(case, n, runs, resamples)}", flush=True)
            if arguments.rejected:
                print(f"{'':<14}{_rejected(case, n, runs, resamples)}", flush=True)
    for n in (40, 300):
        false = _found(lambda rng, n: rng.beta(0.6, 6, n) - rng.beta(0.6, 6, n), n, runs, resamples)
        skewed = _found(lambda rng, n: _gain(rng, n) - CASES[2].mean, n, runs, resamples)
        print(
            f"n={n}: finds a difference where there is none in {false:.1%} of the runs with like "
            f"scores, in {skewed:.1%} with skewed differences of mean 0",
            flush=True,
        )
    spread = math.sqrt(_variance(0.8, 3) + _variance(0.6, 6))
    power = _found(lambda rng, n: _beta(rng, n) - CASES[0].mean + 0.5 * spread, 60, runs, resamples)
    print(f"n=60: finds a difference of 0.5 SD in {power:.1%} of the runs")


def _variance(a: float, b: float) -> float:
    return a * b / ((a + b) ** 2 * (a + b + 1))


def _coverage(case: Case, n: int, runs: int, resamples: int) -> str:
    rng, above, below = np.random.default_rng(1), 0, 0
    for seed in range(runs):
        low, high = paired_interval(case.draw(rng, n), resamples, seed)
        above, below = above + (low > case.mean), below + (high < case.mean)
    return f"{1 - (above + below) / runs:>10.1%}{above / runs:>8.1%}{below / runs:>8.1%}"


def _rejected(case: Case, n: int, runs: int, resamples: int) -> str:
    rng = np.random.default_rng(1)
    held = dict.fromkeys(("Student", "percentile", "BCa", "bootstrap-t"), 0)
    for seed in range(runs):
        gains = case.draw(rng, n)
        mean, error = gains.mean(), gains.std(ddof=1) / n**0.5
        if error == 0:
            continue
        student = t.ppf(0.975, n - 1)
        held["Student"] += abs(mean - case.mean) <= student * error
        ends = np.quantile(
            studentised(gains - mean, error, resamples, seed), [0.025, 0.975], method="nearest"
        )
        low, high = ends if np.isfinite(ends).all() else (-student, student)
        held["bootstrap-t"] += mean - high * error <= case.mean <= mean - low * error
        for name in ("percentile", "BCa"):
            found = bootstrap(
                (gains,),
                np.mean,
                n_resamples=resamples,
                batch=max(1, 1_000_000 // n),
                method=name,
                rng=np.random.default_rng(seed),
            ).confidence_interval
            held[name] += found.low <= case.mean <= found.high
    return ", ".join(f"{name} {count / runs:.1%}" for name, count in held.items())


def _found(draw: Draw, n: int, runs: int, permutations: int) -> float:
    rng = np.random.default_rng(2)
    return sum(permutation(draw(rng, n), permutations, s) < ALPHA for s in range(runs)) / runs


if __name__ == "__main__":
    main()

"""Intervals, tests and effects of paired differences, against values computed by hand."""

from math import inf, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, permutation_test, t

from evaluation.statistics.intervals import mean_interval, paired_interval
from evaluation.statistics.paired_tests import (
    effect,
    holm,
    infer,
    mcnemar,
    paired_gains,
    permutation,
    smallest_detectable,
)
from tests.fakes.properties import examples


def skewed(seed, n):
    rng = np.random.default_rng(seed)
    return (1 - rng.beta(0.6, 6, n)) * rng.beta(0.3, 3, n)


def test_holm_by_hand():
    # Sorted .01 .02 .03 .04 times 4 3 2 1: .04 .06 .06 .04, and none below the one before.
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.5]) == [1.0, 1.0]


def test_what_is_no_test_counts_for_nothing_in_holm():
    assert holm([None, 0.02, None, 0.03]) == [None, 0.04, None, 0.04]
    assert holm([None]) == [None]
    assert holm([]) == []


@examples(100)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_keeps_the_order_and_lies_between_p_and_bonferroni(values):
    adjusted = holm(values)
    for value, p_holm in zip(values, adjusted, strict=True):
        assert value <= p_holm <= min(1.0, len(values) * value)
    by_p = [p_holm for _, p_holm in sorted(zip(values, adjusted, strict=True))]
    assert by_p == sorted(by_p)


@pytest.mark.parametrize(
    ("gains", "p"),
    [
        ([0.1, 0.2, 0.3, 0.4, 0.5], 2 / 32),
        ([-0.1, -0.2, -0.3, -0.4, -0.5], 2 / 32),
        ([0.1, 0.2, 0.3], 2 / 8),
        # The sums of 1, 2 and 4 with any signs are 1, 3, 5 and 7, each with two signs.
        ([1.0, 2.0, -4.0], 1.0),
        ([-1.0, 2.0, 4.0], 4 / 8),
        ([0.0, 0.0], 1.0),
        ([0.1] * 13, 2 / 2**13),
    ],
)
def test_the_exact_permutation_test_by_hand(gains, p):
    assert permutation(np.array(gains)) == pytest.approx(p, abs=1e-12)


@pytest.mark.parametrize("n", [6, 11, 12])
def test_the_exact_test_is_scipys(n):
    gains = np.random.default_rng(n).normal(0.4, 1, n)
    theirs = permutation_test((gains,), np.mean, permutation_type="samples", n_resamples=inf).pvalue
    assert permutation(gains) == pytest.approx(theirs)


def test_the_drawn_test_is_near_the_exact_one_and_never_zero():
    gains = np.random.default_rng(3).normal(0.45, 1, 13)
    assert permutation(gains, 2**13 - 1) == pytest.approx(permutation(gains), abs=0.01)
    assert permutation(np.full(100, 0.5), 99) == 1 / 100
    assert permutation(np.full(40, 0.1)) == 1 / 10_000


def test_large_n_draws_every_sign_by_itself():
    """Were bits shared among questions, the drawn sums would spread too far or too little."""
    gains = np.tile([1.0, -1.0], 500)
    gains[:50] = 1.0
    assert gains.sum() == 50
    # A drawn sum is even and has a standard deviation of sqrt(1000).
    expected = 2 * norm.sf(49 / sqrt(1000))
    assert permutation(gains) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(
    ("better", "worse", "p"),
    [
        (1, 8, 2 * (1 + 9) / 2**9),
        (8, 1, 2 * (1 + 9) / 2**9),
        (5, 0, 2 / 2**5),
        (3, 3, 1.0),
        (0, 0, 1.0),
    ],
)
def test_mcnemar_by_hand(better, worse, p):
    gains = np.array([1.0] * better + [-1.0] * worse + [0.0] * 7)
    assert mcnemar(gains) == pytest.approx(p)


def test_the_effect_is_mean_over_standard_deviation():
    # 1, 2, 3: mean 2, standard deviation 1.
    assert effect(np.array([0.1, 0.2, 0.3])) == pytest.approx(2.0)
    assert effect(np.array([0.2, 0.2, 0.2])) is None


def test_the_smallest_detectable_difference_by_hand():
    gains = np.array([0.1, 0.2, 0.3])
    assert smallest_detectable(gains) == pytest.approx(
        (1.95996 + 0.84162) * 0.1 / sqrt(3), rel=1e-4
    )
    assert smallest_detectable(np.zeros(3)) is None


def test_on_symmetric_differences_the_interval_is_students():
    gains = np.random.default_rng(4).normal(0.05, 0.1, 400)
    half = t.ppf(0.975, 399) * gains.std(ddof=1) / 20
    assert paired_interval(gains) == pytest.approx(
        [gains.mean() - half, gains.mean() + half], abs=0.1 * half
    )


def test_on_skewed_differences_each_end_goes_by_the_resamples_own_standard_errors():
    for seed in range(3):
        gains = skewed(seed, 40)
        mean, error = gains.mean(), gains.std(ddof=1) / sqrt(40)
        drawn = np.random.default_rng(99).choice(gains, (20_000, 40))
        ratios = (drawn.mean(axis=1) - mean) / (drawn.std(axis=1, ddof=1) / sqrt(40))
        short, long = np.quantile(ratios, [0.975, 0.025])
        student = t.ppf(0.975, 39)
        assert short < 0.9 * student < student < -long
        ends = [mean - (short + student) / 2 * error, mean - long * error]
        # The long end rests on a few resamples that have hardly any spread: it is less sure.
        for interval in (paired_interval(gains), [-end for end in paired_interval(-gains)[::-1]]):
            assert interval[0] == pytest.approx(ends[0], abs=0.04 * student * error)
            assert interval[1] == pytest.approx(ends[1], abs=0.15 * student * error)


@pytest.mark.parametrize("n", [40, 300])
def test_the_interval_holds_the_true_mean_of_skewed_differences(n):
    mean = (1 - 0.6 / 6.6) * 0.3 / 3.3
    held = 0
    for seed in range(300):
        low, high = paired_interval(skewed(seed, n), resamples=500, seed=seed)
        held += low <= mean <= high
    # 300 runs: 95 % +- 3.5 points; Student's interval reaches 91 % at n=40.
    assert 0.92 <= held / 300 <= 0.98


def test_true_nulls_are_rarely_rejected_and_half_a_deviation_is_found():
    rng = np.random.default_rng(5)
    false = sum(
        permutation(rng.beta(0.6, 6, 40) - rng.beta(0.6, 6, 40), 499) < 0.05 for _ in range(400)
    )
    detected = sum(permutation(rng.normal(0.5, 1, 60), 499) < 0.05 for _ in range(200))
    assert 0.02 <= false / 400 <= 0.08
    assert detected / 200 >= 0.9


@pytest.mark.parametrize(
    "gains", [[0.0] * 39 + [1.0], [0.0, 1.0], [0.1, 0.2, 0.3], [1e-7, -1e-7] * 19 + [0.5, 0.6]]
)
def test_where_resamples_lose_their_spread_students_interval_is_taken(gains):
    gains = np.array(gains)
    n = len(gains)
    half = t.ppf(0.975, n - 1) * gains.std(ddof=1) / sqrt(n)
    ends = [max(-1, gains.mean() - half), min(1, gains.mean() + half)]
    assert paired_interval(gains) == pytest.approx(ends)


@pytest.mark.parametrize("gain", [0.25, 0.0, 1.0, -0.5])
def test_constant_differences_have_no_interval(gain):
    assert paired_interval(np.full(12, gain)) is None


@pytest.mark.parametrize(
    "gains",
    [
        [0.3 - 0.2, 0.4 - 0.3, 0.5 - 0.4, 0.6 - 0.5, 0.7 - 0.6],
        [0.1 + 0.2, 0.3],
        [-0.7, -(0.1 * 7), 0.2 - 0.9],
        [0.0, 1e-12, -1e-12],
    ],
)
def test_differences_that_rounding_alone_tells_apart_are_constant(gains):
    gains = np.array(gains)
    assert gains.min() < gains.max()
    assert paired_interval(gains) is None
    assert mean_interval(gains, bounded=False) is None
    assert effect(gains) is None
    assert smallest_detectable(gains) is None


def test_a_small_difference_between_gains_is_no_rounding_error():
    gains = np.array([0.1, 0.1 + 1e-6] * 10)
    for interval in (paired_interval(gains), mean_interval(gains, bounded=False)):
        low, high = interval
        assert 0.1 < low < 0.1 + 5e-7 < high < 0.1 + 1e-6


@examples(60)
@given(st.lists(st.floats(-1, 1).map(lambda x: round(x, 3)), min_size=2, max_size=12))
def test_nothing_is_ever_nan_or_outside_what_it_can_be(values):
    gains = np.array(values)
    interval = paired_interval(gains, resamples=100)
    assert (interval is None) == (len(set(values)) == 1)
    low, high = interval or [gains.mean()] * 2
    assert -1 <= low <= gains.mean() + 1e-9
    assert gains.mean() - 1e-9 <= high <= 1
    assert 0 < permutation(gains, 99) <= 1


def test_scores_of_0_and_1_get_mcnemars_test_and_others_do_not():
    a, b = np.array([1.0, 1, 1, 1, 0, 1]), np.array([0.0, 0, 0, 0, 0, 0])
    inference = infer(a, b)
    assert (inference["test"], inference["p"]) == ("mcnemar", pytest.approx(2 / 2**5))
    half = a * 0.5
    inference = infer(half, b)
    assert (inference["test"], inference["p"]) == ("permutation", pytest.approx(2 / 2**5))
    # a alone is of 0 and 1: the differences are no right or wrong.
    assert infer(a, b + 0.5)["test"] == "permutation"


@pytest.mark.parametrize("n", [0, 1])
def test_below_two_differences_nothing_is_said(n):
    one = np.full(n, 0.5)
    assert infer(one, one) == {
        "ci95": None,
        "p": None,
        "test": None,
        "effect": None,
        "smallest_detectable": None,
    }


def test_equal_differences_give_equal_answers():
    gains = skewed(1, 50)
    zeros = np.zeros(50)
    assert infer(gains, zeros) == infer(gains.copy(), zeros)


def test_scores_that_differ_in_their_last_bits_are_equal():
    assert paired_gains(np.array([0.1 + 0.2]), np.array([0.3])).tolist() == [0.0]

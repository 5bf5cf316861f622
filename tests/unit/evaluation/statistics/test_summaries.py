"""Means say what they rest on, and equal values give equal intervals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from evaluation.statistics.intervals import ratio_interval
from evaluation.statistics.summaries import lacks_interval, summarise
from tests.fakes.properties import examples

scores = st.one_of(st.none(), st.floats(0, 1))


def test_nothing_scored_has_no_mean():
    assert summarise([]) == {"mean": None, "n": 0, "unscored": 0, "ci95": None}
    assert summarise([None, None]) == {"mean": None, "n": 0, "unscored": 2, "ci95": None}


def test_one_value_has_a_mean_and_no_interval():
    summary = summarise([0.25, None])
    assert (summary["mean"], summary["n"], summary["unscored"]) == (0.25, 1, 1)
    assert summary["ci95"] is None


def test_zero_is_a_score_and_none_is_not():
    summary = summarise([0.0, 1.0, None, 0.0, 1.0, None])
    assert (summary["mean"], summary["n"], summary["unscored"]) == (0.5, 4, 2)


@pytest.mark.parametrize("value", [0.5, 0.1, 0.999, 1 / 3])
def test_a_constant_has_no_interval(value):
    summary = summarise([value] * 10)
    assert (summary["mean"], summary["ci95"]) == (pytest.approx(value), None)
    assert lacks_interval(summary)
    # Sums of equal numbers can differ in their last bits.
    assert summarise([value, value + 1e-15, value])["ci95"] is None


@pytest.mark.parametrize(
    ("values", "ends"),
    [
        ([1.0] * 20, (0.839, 1.0)),
        ([0.0] * 2, (0.0, 0.658)),
        ([1.0] * 2, (0.342, 1.0)),
        ([0.0] * 100, (0.0, 0.037)),
        ([1.0] * 9 + [0.0], (0.596, 0.982)),
        ([1.0, None, 0.0, 0.0, None, 0.0], (0.046, 0.699)),
        ([1, 1, 1], (0.4385, 1.0)),
    ],
)
def test_scores_of_0_and_1_have_wilsons_interval(values, ends):
    summary = summarise(values)
    assert summary["ci95"] == pytest.approx(ends, abs=5e-4)
    scored = [value for value in values if value is not None]
    reference = binomtest(int(sum(scored)), len(scored)).proportion_ci(method="wilson")
    assert summary["ci95"] == pytest.approx([reference.low, reference.high])
    assert not lacks_interval(summary)


@pytest.mark.parametrize("value", [0.0, 1.0, -1.0, 512.0])
def test_differences_and_counts_are_no_shares(value):
    assert summarise([value] * 20, bounded=False)["ci95"] is None
    low, high = summarise([0.0] * 10 + [1.0] * 10, bounded=False)["ci95"]
    assert (low, high) == (0.3, 0.7)


def test_the_interval_is_about_two_standard_errors_wide():
    values = np.random.default_rng(1).normal(0.5, 0.1, 400).tolist()
    summary = summarise(values)
    error = float(np.std(values)) / 20
    low, high = summary["ci95"]
    assert low == pytest.approx(summary["mean"] - 1.96 * error, abs=0.1 * error)
    assert high == pytest.approx(summary["mean"] + 1.96 * error, abs=0.1 * error)


def test_two_values_have_the_widest_interval():
    assert summarise([0.1, 0.9])["ci95"] == [0.1, 0.9]


@examples(40)
@given(values=st.lists(scores, max_size=12))
def test_counts_add_up_and_the_interval_holds_the_mean(values):
    summary = summarise(values)
    assert summary["n"] + summary["unscored"] == len(values)
    if summary["ci95"] is not None:
        low, high = summary["ci95"]
        assert low - 1e-12 <= summary["mean"] <= high + 1e-12
        scored = [value for value in values if value is not None]
        if not {*scored} <= {0.0, 1.0}:
            assert min(scored) - 1e-12 <= low <= high <= max(scored) + 1e-12


def test_equal_values_give_equal_intervals_every_time():
    values = [0.1, 0.9, 0.4, None, 0.35]
    assert summarise(values) == summarise(list(values))


def test_draws_of_a_ratio_without_a_positive_bottom_are_left_out():
    assert ratio_interval(np.ones(2), np.array([2.0, -1.0])) == [0.5, 2.0]


@pytest.mark.parametrize("ratio", [0.0, 0.5, 1.0, -2.0])
def test_a_ratio_that_no_draw_changes_has_no_interval(ratio):
    bottoms = np.array([1.0, 2.0, 4.0])
    assert ratio_interval(ratio * bottoms, bottoms) is None

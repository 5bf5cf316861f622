"""Means say what they rest on, and equal values give equal intervals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.statistics.intervals import ratio_interval
from evaluation.statistics.summaries import summarise
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


def test_a_constant_has_an_interval_of_no_width():
    summary = summarise([0.5] * 10)
    assert (summary["mean"], summary["ci95"]) == (0.5, [0.5, 0.5])


def test_the_interval_is_about_two_standard_errors_wide():
    values = np.random.default_rng(1).normal(0.5, 0.1, 400).tolist()
    summary = summarise(values)
    error = float(np.std(values)) / 20
    low, high = summary["ci95"]
    assert low == pytest.approx(summary["mean"] - 1.96 * error, abs=0.1 * error)
    assert high == pytest.approx(summary["mean"] + 1.96 * error, abs=0.1 * error)


def test_two_values_have_the_widest_interval():
    assert summarise([0.0, 1.0])["ci95"] == [0.0, 1.0]


@examples(40)
@given(values=st.lists(scores, max_size=12))
def test_counts_add_up_and_the_interval_holds_the_mean(values):
    summary = summarise(values)
    assert summary["n"] + summary["unscored"] == len(values)
    if summary["ci95"] is not None:
        low, high = summary["ci95"]
        assert low - 1e-12 <= summary["mean"] <= high + 1e-12
        scored = [value for value in values if value is not None]
        assert min(scored) - 1e-12 <= low <= high <= max(scored) + 1e-12


def test_equal_values_give_equal_intervals_every_time():
    values = [0.1, 0.9, 0.4, None, 0.35]
    assert summarise(values) == summarise(list(values))


def test_draws_of_a_ratio_without_a_positive_bottom_are_left_out():
    assert ratio_interval(np.ones(2), np.array([2.0, -1.0])) == [0.5, 2.0]

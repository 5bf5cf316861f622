"""Numbers and summaries as text."""

import pytest

from evaluation.statistics.summaries import summarise
from evaluation.tables.numbers import (
    decimal,
    exact_percent,
    interval_text,
    mean_over_interval,
    number,
    p_text,
    percent,
    signed,
    signed_decimal,
)
from evaluation.tables.summary_columns import (
    SUMMARY_COLUMNS,
    lines_below_mean,
    narrow_cell,
    summary_cells,
)


@pytest.mark.parametrize(
    ("style", "value", "text"),
    [
        (number, 0.2841, ".284"),
        (number, 1.0, "1.00"),
        (number, -0.0001, ".000"),
        (signed, 0.2841, "+.284"),
        (signed, -1.0, "-1.00"),
        (decimal, 0.2841, "0.284"),
        (signed_decimal, 0.2841, "+0.284"),
        (signed_decimal, -0.0001, "+0.000"),
        (decimal, -0.0001, "0.000"),
        (percent, 0.2841, "28%"),
        (percent, -0.001, "0%"),
        (exact_percent, -0.0001, "0.0%"),
        (p_text, 0.0004, "<.001"),
        (p_text, 0.04, ".040"),
    ],
)
def test_a_number_in_each_style_and_none_without_a_value(style, value, text):
    assert style(value) == text
    assert style(None) == "none"


def test_a_dash_between_the_ends_gives_way_to_a_word_beside_a_minus():
    assert interval_text([0.25, 0.31], joint="-") == ".250-.310"
    assert interval_text([-0.02, 0.04], joint="-") == "-.020 to .040"
    assert interval_text(None) == "no interval"


@pytest.mark.parametrize(
    ("ends", "style", "text"),
    [
        ([0.00312, 0.00338], decimal, "0.0031 to 0.0034"),
        ([0.00312, 0.00338], number, ".0031 to .0034"),
        ([0.50001, 0.50002], signed, "+.50001 to +.50002"),
        ([-0.00002, 0.00003], number, "-.00002 to .00003"),
        ([0.9996, 0.9999], number, ".9996 to .9999"),
        ([0.2841, 0.2842], signed_decimal, "+0.2841 to +0.2842"),
        ([0.2841, 0.2842], percent, "28.41% to 28.42%"),
        ([0.2841, 0.2842], exact_percent, "28.41% to 28.42%"),
        ([-0.0002, 0.0003], decimal, "-0.0002 to 0.0003"),
        ([-0.0002, 0.0003], signed_decimal, "-0.0002 to +0.0003"),
        ([-0.002, 0.003], percent, "-0.2% to 0.3%"),
        ([-0.0002, 0.0003], exact_percent, "-0.02% to 0.03%"),
        ([0.2841, 0.2851], percent, "28% to 29%"),
        ([0.25, 0.25], decimal, "0.250 to 0.250"),
        ([0.1 + 0.2, 0.3], decimal, "0.300 to 0.300"),
    ],
)
def test_ends_that_would_look_the_same_get_more_decimals(ends, style, text):
    assert interval_text(ends, style) == text


def test_a_mean_over_its_interval():
    assert mean_over_interval(0.3, [0.2, 0.4], signed) == "+.300\n+.200 to +.400"
    assert mean_over_interval(0.3, [0.2, 0.4], joint="-") == ".300\n.200-.400"
    assert mean_over_interval(0.3, None) == ".300\nno interval"
    assert mean_over_interval(None, None) == "none"


def test_a_summary_has_a_cell_for_each_column():
    summary = summarise([0.4, 0.6, None])
    cells = dict(zip(SUMMARY_COLUMNS, summary_cells(summary), strict=True))
    assert cells == {
        "mean": "0.500",
        "95 % interval": "0.400 to 0.600",
        "n": "2",
        "unscored": "1",
    }
    assert narrow_cell(summary) == ".500\n.400 to .600\n1 unscored"
    assert lines_below_mean(summary) == [".400 to .600", "n 2, 1 unscored"]
    assert lines_below_mean(summarise([0.5]))[0] == "no interval"
    assert lines_below_mean(summarise([0.5, 0.5]))[0] == "no interval"
    assert narrow_cell(summarise([0.5, 0.5])) == ".500\nno interval"
    many = summarise([0.5] * 1200 + [None] * 1000)
    assert lines_below_mean(many)[1] == "n 1,200, 1,000 unscored"

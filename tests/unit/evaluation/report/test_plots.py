"""The report's plots: scales that hold every value, marks where they belong, texts escaped."""

import re
from itertools import pairwise

import pytest
from lxml import etree

from evaluation.report.plots import _risk_points, metric_panels
from evaluation.report.run_figures import figures_of
from evaluation.report.svg import (
    WIDTH,
    Dot,
    Group,
    Line,
    Row,
    _apart,
    curve_plot,
    forest_plot,
    plane_plot,
    scale,
)
from evaluation.store.recorded_run import read_run
from evaluation.tables.risk_table import counts_line
from tests.fakes.candidate_pools import passage
from tests.fakes.run_folders import make_run, scored


def drawn(markup):
    return etree.fromstring(str(markup))


def of_kind(svg, kind):
    return svg.xpath(f"//*[contains(concat(' ', @class, ' '), ' {kind} ')]")


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([0.0, 1.0], [0, 0.5, 1]),
        ([0.5], [0.45, 0.5, 0.55]),
        ([0.0], [0, 0.005, 0.01]),
        ([-0.2, 0.3], [-0.2, 0, 0.2]),
        ([0, 14_000], [0, 5_000, 10_000]),
        ([], [0, 0.5, 1]),
    ],
)
def test_ticks_are_round_and_few(values, ticks):
    assert scale(values, 0, 100).ticks == pytest.approx(ticks)


@pytest.mark.parametrize("values", [[0.1, 0.9], [0.3], [-1.0, -0.5], [1e-9, 2e-9], [0, 1e6]])
def test_every_value_lies_on_the_scale(values):
    axis = scale(values, 10, 90)
    coordinates = [axis.at(value) for value in [*values, *axis.ticks]]
    assert all(10 <= coordinate <= 90 for coordinate in coordinates)
    assert coordinates[: len(values)] == sorted(coordinates[: len(values)])


def test_a_row_has_its_point_on_its_interval():
    svg = drawn(forest_plot([Group("", [Row("a", 0.5, [0.4, 0.7], "said", 3)])], "axis", "says"))
    [line], [point] = of_kind(svg, "interval"), of_kind(svg, "point")
    assert float(line.get("x1")) < float(point.get("cx")) < float(line.get("x2"))
    assert line.get("y1") == line.get("y2") == point.get("cy")
    assert "run-3" in point.get("class")
    assert "said" in svg.xpath("//*[name()='text']/text()")


def test_what_has_no_mean_has_no_point_and_without_an_interval_no_line_is_drawn():
    rows = [Row("a", None, None, "none, n 0"), Row("b", 0.5, None, "0.5", hollow=True)]
    svg = drawn(forest_plot([Group("head", rows)], "axis", "says", reference=0.2))
    assert of_kind(svg, "interval") == []
    [point] = of_kind(svg, "point")
    assert "hollow" in point.get("class")
    [reference] = of_kind(svg, "reference")
    assert float(reference.get("x1")) < float(point.get("cx"))
    assert "none, n 0" in svg.xpath("//*[name()='text']/text()")


def test_a_dot_has_an_interval_both_ways_and_better_is_higher():
    dots = [
        Dot("A", 100, 0.2, [90, 120], [0.1, 0.3], 0),
        Dot("B", 5_000, 0.6, [4_000, 6_000], [0.5, 0.7], 1),
    ]
    svg = drawn(plane_plot(dots, "tokens", "BLEU", "says"))
    low, high = of_kind(svg, "point")
    assert float(low.get("cy")) > float(high.get("cy"))
    assert float(low.get("cx")) < float(high.get("cx")) < WIDTH
    assert len(of_kind(svg, "interval")) == 4


def test_texts_are_escaped_and_what_cannot_be_seen_is_made_visible():
    hostile = '</text><script>alert(1)</script>"\x00\u202e'
    markup = forest_plot([Group(hostile, [Row(hostile, 0.5, None, hostile)])], hostile, hostile)
    svg = drawn(markup)
    assert {re.sub(r"{.*}", "", node.tag) for node in svg.iter()} == {
        "svg",
        "text",
        "line",
        "circle",
    }
    visible = '</text><script>alert(1)</script>"<U+0000><U+202E>'
    assert svg.get("aria-label") == visible
    assert svg.xpath("//*[name()='text']/text()").count(visible) == 4


def test_a_curve_is_named_at_its_right_end_in_whatever_order_its_points_come():
    points = [(1.0, 0.6, [0.5, 0.7]), (0.5, 0.3, None), (0.1, 0.2, [0.1, 0.4])]
    svg = drawn(curve_plot([Line("A", points, 2)], "coverage", "risk", "says"))
    dots = [(float(dot.get("cx")), float(dot.get("cy"))) for dot in of_kind(svg, "point")]
    [label] = of_kind(svg, "label")
    assert label.text == "A"
    right, height = max(dots)
    # Beside the last point, where no line is, and inside the frame.
    assert right < float(label.get("x")) < WIDTH - 18
    assert abs(height - float(label.get("y"))) < 5
    assert len(of_kind(svg, "curve")) == 2
    assert len(of_kind(svg, "interval")) == 2


@pytest.mark.parametrize("count", range(2, 9))
@pytest.mark.parametrize("end", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("step", [0.0, 0.001, 0.02])
def test_the_names_of_curves_that_end_close_together_are_inside_and_do_not_overlap(
    count, end, step
):
    ends = [abs(end - step * n) for n in range(count)]
    lines = [
        Line("ABCDEFGH"[n], [(0.5, 0.0, None), (0.7, 1.0, None), (1.0, own, None)], n)
        for n, own in enumerate(ends)
    ]
    svg = drawn(curve_plot(lines, "coverage", "risk", "says"))
    labels = of_kind(svg, "label")
    heights = [float(label.get("y")) for label in labels]
    # From the foot of a letter to its top are at most 12 units; above is the name of the axis.
    assert all(14 + 12 <= height < 230 for height in heights)
    assert all(lower - upper > 12.8 for upper, lower in pairwise(sorted(heights)))
    # A higher end has a higher label.
    pairs = sorted(zip(ends, heights, strict=True))
    assert all(low[1] > high[1] for low, high in pairwise(pairs) if low[0] < high[0])
    assert [label.text for label in labels] == list("ABCDEFGH"[:count])
    assert [label.get("class").split()[-1] for label in labels] == [
        f"run-{n}" for n in range(count)
    ]


def test_runs_that_cost_nothing_have_labels_that_do_not_overlap():
    dots = [Dot("ABCD"[n], 0.0, 0.3 + n / 200, None, [0.2, 0.4], n) for n in range(4)]
    dots.append(Dot("E", 0.0, 0.3, [0.0, 0.0], [0.2, 0.4], 4))
    svg = drawn(plane_plot(dots, "tokens", "BLEU", "says"))
    labels = of_kind(svg, "label")
    heights = sorted(float(label.get("y")) for label in labels)
    assert all(lower - upper > 12.8 for upper, lower in pairwise(heights))
    assert {label.text: label.get("class") for label in labels} == {
        "ABCDE"[n]: f"label run-{n}" for n in range(5)
    }
    # A hundredth of a token would mean nothing.
    assert {"0", "0.5", "1"} <= {tick.text for tick in of_kind(svg, "tick")}


def test_labels_of_points_that_stand_apart_stay_at_their_points():
    dots = [Dot("A", 10, 0.5, None, None, 0), Dot("B", 50, 0.5, None, None, 1)]
    labels = of_kind(drawn(plane_plot(dots, "tokens", "BLEU", "says")), "label")
    assert len({label.get("y") for label in labels}) == 1


def test_the_label_of_a_point_stays_beside_it_in_a_chain_of_near_points():
    dots = [Dot("ABCDEFGH"[n], 60 + 4.5 * n, 0.3 + 0.08 * n, None, None, n) for n in range(8)]
    svg = drawn(plane_plot(dots, "tokens", "BLEU", "says"))
    points = {round(float(circle.get("cx")), 1) for circle in svg.iter("{*}circle", "circle")}
    lefts = {round(float(label.get("x")) - 8, 1) for label in of_kind(svg, "label")}
    assert len(points) == 8
    assert lefts == points


def test_labels_move_no_further_than_they_must():
    assert _apart([50.0, 100.0], 28, 226) == [50, 100]
    assert _apart([100.0, 50.0, 52.0], 28, 226) == [100, 44.5, 57.5]
    assert _apart([20.0, 20.0], 28, 226) == [28, 41]
    assert _apart([230.0, 230.0, 100.0], 28, 226) == [213, 226, 100]
    # Forty labels do not fit.
    many = _apart([100.0] * 40, 28, 226)
    assert (many[0], many[-1]) == pytest.approx((28, 226))
    assert _apart([], 28, 226) == []


def test_the_panel_of_risk_names_the_confidence_of_each_run_as_the_command_does(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("evaluation.statistics.intervals.MEAN_RESAMPLES", 200)
    runs = {}
    for name in ("keyword", "hybrid_pick", "semantic", "baseline"):
        records = scored([index / 20 for index in range(20)])
        for index, entry in enumerate(records):
            if name != "baseline":
                entry["passages"] = [passage(1, "text", score=index / 20)]
            if name == "hybrid_pick":
                entry["steps"] = [{"node": "pick", "expected_score": index / 20, "answer": "a"}]
        runs[name] = read_run(make_run(tmp_path / name, records, config=name))
    figures = figures_of(runs)
    panels = [p for p in metric_panels(figures) if p.title == "Risk against coverage"]
    keys = {run.name: run.key for run in figures.runs}
    kinds = (
        f"retrieval score ({keys['keyword']}, {keys['semantic']}), "
        f"expected score ({keys['hybrid_pick']})"
    )
    for panel in panels:
        assert f"Confidence: {kinds}." in panel.explanation
        assert drawn(panel.svg).get("aria-label").endswith(f"; confidence: {kinds}")
        for run in figures.runs:
            if run.curves:
                kind = run.curves["confidence_kind"]
                assert counts_line(run.name, run.curves).endswith(f"confidence: {kind}")
                assert kind in kinds


def test_the_panel_of_risk_has_1_minus_the_scores_and_their_intervals(tmp_path, monkeypatch):
    monkeypatch.setattr("evaluation.statistics.intervals.MEAN_RESAMPLES", 200)
    records = scored([index / 20 for index in range(20)])
    for index, entry in enumerate(records):
        entry["passages"] = [passage(1, "text", score=index / 20)]
    figures = figures_of({"run": read_run(make_run(tmp_path / "run", records, config="keyword"))})
    [panel] = [p for p in metric_panels(figures) if p.title == "Risk against coverage"][:1]
    text = drawn(panel.svg).get("aria-label")
    # The means of all scores from 0 to 0.95, and of the two highest.
    assert "A 0.525 at 100%" in text
    assert "A 0.075 at 10%" in text
    [(_, risk, (low, high)), *_] = _risk_points(figures.runs[0].curves, panel.metric)
    assert 0 <= low < risk < high <= 1
    mean, ends = (
        figures.runs[0].curves["metrics"][panel.metric]["scores"][0][key]
        for key in ("mean", "ci95")
    )
    assert (risk, low, high) == pytest.approx((1 - mean, 1 - ends[1], 1 - ends[0]))

"""Plots as inline SVG: points with intervals, in rows or in a plane; report.css colours them."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import ceil, floor, log10
from statistics import fmean
from typing import NamedTuple

from markupsafe import Markup

from graph.support.terminal import safe_text

# All lengths are in units of the view box, which is one CSS pixel at full width.
WIDTH = 400
_LEFT, _RIGHT = 8, 12
_ROW_HEIGHT, _HEADING_HEIGHT, _AXIS_HEIGHT = 34, 22, 40
_PLANE_HEIGHT, _PLANE_TOP, _PLANE_LEFT = 270, 24, 46
_LABEL_HEIGHT, _LABEL_WIDTH = 13, 18
_COLOURS = 8
"""The number of run colours in report.css."""


class Row(NamedTuple):
    """A point with its interval; without a mean, a row has only its texts."""

    label: str
    mean: float | None
    ends: list[float] | None
    value_text: str
    """The figures in words, at the right."""
    colour: int = 0
    hollow: bool = False
    """Whether the point is not distinguishable from the control."""


class Group(NamedTuple):
    """Rows below a heading; an empty heading takes no space."""

    heading: str
    rows: list[Row]


class Dot(NamedTuple):
    """A point in a plane, with an interval in each direction."""

    label: str
    x: float
    y: float
    x_ends: list[float] | None
    y_ends: list[float] | None
    colour: int


class Line(NamedTuple):
    """Points joined by a line, each with an interval in the vertical direction."""

    label: str
    points: list[tuple[float, float, list[float] | None]]
    """Abscissa, ordinate and the ends of its interval."""
    colour: int


class Scale(NamedTuple):
    """A linear map from values in [low, high] to coordinates from start to end."""

    low: float
    high: float
    start: float
    end: float
    ticks: list[float]

    def at(self, value: float) -> float:
        """Return the coordinate of a value."""
        share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


def scale(values: Iterable[float], start: float, end: float, count: int = 4) -> Scale:
    """Return a scale around the values with about `count` round ticks.

    Equal values get some room on both sides; no values get the range [0, 1].
    """
    points = list(values) or [0.0, 1.0]
    low, high = min(points), max(points)
    room = (high - low) * 0.06 or max(abs(high) * 0.1, 0.01)
    # A mean of scores in [0, 1] needs no room below 0.
    low, high = low - room if low < 0 or low - room > 0 else 0.0, high + room
    step = _round_step((high - low) / count)
    # Without the small number a tick at the end is lost to rounding, as 0.3 / 0.1 < 3.
    first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
    return Scale(low, high, start, end, [tick * step for tick in range(first, last + 1)])


def _round_step(least: float) -> float:
    """Return the smallest of 1, 2 and 5 times a power of ten that is at least `least`."""
    power = 10.0 ** floor(log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * 0.999)


def forest_plot(
    groups: Sequence[Group], axis: str, description: str, reference: float | None = None
) -> Markup:
    """Return rows of points with their intervals above one axis.

    Args:
        groups: The rows, from top to bottom.
        axis: The label of the axis.
        description: The plot in one line, for those who do not see it.
        reference: The value of a dashed vertical line: the control's mean, or no difference.
    """
    rows = [row for group in groups for row in group.rows]
    values = [row.mean for row in rows if row.mean is not None]
    values += [end for row in rows for end in row.ends or []]
    values += [] if reference is None else [reference]
    x = scale(values, _LEFT, WIDTH - _RIGHT)
    parts: list[Markup] = []
    y = 6
    for group in groups:
        if group.heading:
            y += _HEADING_HEIGHT
            parts.append(_text(_LEFT, y - 7, group.heading, "heading"))
        for row in group.rows:
            parts += _row_parts(row, y, x)
            y += _ROW_HEIGHT
    # The grid and the dashed line come first, so that the points are drawn over them.
    below = _axis_parts(x, y + 4, axis)
    if reference is not None:
        below.append(_line("reference", x.at(reference), 4, x.at(reference), y + 4))
    return _svg([*below, *parts], y + _AXIS_HEIGHT, description)


def _row_parts(row: Row, y: int, x: Scale) -> list[Markup]:
    middle = y + 24
    parts = [
        _text(_LEFT, y + 13, row.label, "label"),
        _text(WIDTH - _RIGHT, y + 13, row.value_text, "value end"),
    ]
    if row.mean is None:
        return parts
    run = _run_class(row.colour)
    if row.ends:
        left, right = (x.at(end) for end in row.ends)
        parts.append(_line(f"interval {run}", left, middle, right, middle))
    parts.append(_circle(f"point {run}{' hollow' if row.hollow else ''}", x.at(row.mean), middle))
    return parts


def plane_plot(dots: Sequence[Dot], x_axis: str, y_axis: str, description: str) -> Markup:
    """Return points with intervals in two directions."""
    x_values = [value for dot in dots for value in (dot.x, *(dot.x_ends or []))]
    # Costs start at 0, so that a distance on the axis is a share of the cost.
    x_range = [0.0, max(x_values, default=0.0) or 1.0]
    x = scale(x_range, _PLANE_LEFT, WIDTH - _RIGHT)
    bottom = _PLANE_HEIGHT - _AXIS_HEIGHT
    y_values = [value for dot in dots for value in (dot.y, *(dot.y_ends or []))]
    y = scale(y_values, bottom, _PLANE_TOP, count=5)
    parts = _plane_parts(x, y, x_axis, y_axis)
    for dot in dots:
        parts += _dot_parts(dot, x, y)
    # Above the points, because intervals begin at their right.
    parts += _labels([(x.at(dot.x), y.at(dot.y) - 12, dot.label, dot.colour) for dot in dots])
    return _svg(parts, _PLANE_HEIGHT, description)


def _plane_parts(x: Scale, y: Scale, x_axis: str, y_axis: str) -> list[Markup]:
    """Return the axes and the grid of a plane."""
    parts = _axis_parts(x, y.start, x_axis, top=_PLANE_TOP)
    parts.append(_text(_LEFT, 14, y_axis, "axis"))
    for tick in y.ticks:
        height = y.at(tick)
        parts.append(_line("grid", _PLANE_LEFT, height, WIDTH - _RIGHT, height))
        parts.append(_text(_PLANE_LEFT - 6, height + 4, _tick_text(tick), "tick end"))
    return parts


def curve_plot(lines: Sequence[Line], x_axis: str, y_axis: str, description: str) -> Markup:
    """Return lines over a plane; each line's label is to the right of its last point."""
    points = [point for line in lines for point in line.points]
    x = scale([0.0, 1.0], _PLANE_LEFT, WIDTH - _RIGHT, count=5)
    bottom = _PLANE_HEIGHT - _AXIS_HEIGHT
    y_values = [value for _, y, ends in points for value in (y, *(ends or []))]
    y = scale(y_values, bottom, _PLANE_TOP, count=5)
    parts = _plane_parts(x, y, x_axis, y_axis)
    for line in lines:
        parts += _curve_parts(line, x, y)
    ends = [(line, *max(line.points)[:2]) for line in lines if line.points]
    parts += _labels([(x.at(left), y.at(top), line.label, line.colour) for line, left, top in ends])
    return _svg(parts, _PLANE_HEIGHT, description)


def _labels(points: Sequence[tuple[float, float, str, int]]) -> list[Markup]:
    """Return a label for each point of a plane, at its right: the planes leave room there.

    Args:
        points: Coordinates, the text and the colour of each.
    """
    columns: list[list[tuple[float, float, str, int]]] = []
    for point in sorted(points, key=lambda point: point[0]):
        if columns and point[0] - columns[-1][-1][0] < _LABEL_WIDTH:
            columns[-1].append(point)
        else:
            columns.append([point])
    parts = []
    for column in columns:
        heights = _apart(
            [height + 4 for _, height, _, _ in column],
            _PLANE_TOP + 4,
            _PLANE_HEIGHT - _AXIS_HEIGHT - 4,
        )
        for (left, _, text, colour), height in zip(column, heights, strict=True):
            parts.append(_text(left + 8, height, text, f"label {_run_class(colour)}"))
    return parts


def _apart(heights: Sequence[float], top: float, bottom: float) -> list[float]:
    """Return the heights of labels that do not overlap, each as near to its own height as possible.

    The labels keep their order and stay between top and bottom. Where these are too close for all
    labels, the labels overlap evenly.
    """
    order = sorted(range(len(heights)), key=lambda index: heights[index])
    gap = min(_LABEL_HEIGHT, (bottom - top) / max(1, len(heights) - 1))
    # Labels that would overlap are one stack around the mean of their own heights.
    stacks: list[list[float]] = []
    for place, index in enumerate(order):
        stacks.append([heights[index] - place * gap])
        while len(stacks) > 1 and fmean(stacks[-2]) >= fmean(stacks[-1]):
            lower = stacks.pop()
            stacks[-1] += lower
    starts = [fmean(stack) for stack in stacks for _ in stack]
    last = bottom - gap * (len(heights) - 1)
    places = {
        index: min(max(start, top), last) + place * gap
        for place, (index, start) in enumerate(zip(order, starts, strict=True))
    }
    return [places[index] for index in range(len(heights))]


def _curve_parts(line: Line, x: Scale, y: Scale) -> list[Markup]:
    run = _run_class(line.colour)
    parts = [
        _line(f"interval {run}", x.at(left), y.at(low), x.at(left), y.at(high))
        for left, _, ends in line.points
        if ends
        for low, high in [ends]
    ]
    places = [(x.at(left), y.at(top)) for left, top, _ in line.points]
    parts += [_line(f"curve {run}", *start, *end) for start, end in pairwise(places)]
    parts += [_circle(f"point {run}", *place) for place in places]
    return parts


def _dot_parts(dot: Dot, x: Scale, y: Scale) -> list[Markup]:
    run, left, top = _run_class(dot.colour), x.at(dot.x), y.at(dot.y)
    parts = []
    if dot.x_ends:
        x_low, x_high = map(x.at, dot.x_ends)
        parts.append(_line(f"interval {run}", x_low, top, x_high, top))
    if dot.y_ends:
        y_low, y_high = map(y.at, dot.y_ends)
        parts.append(_line(f"interval {run}", left, y_low, left, y_high))
    return [*parts, _circle(f"point {run}", left, top)]


def _axis_parts(x: Scale, y: float, label: str, top: float = 4) -> list[Markup]:
    parts = []
    for tick in x.ticks:
        left = x.at(tick)
        is_near_edge = left > WIDTH - _RIGHT - 10
        parts.append(_line("grid", left, top, left, y))
        kind = "tick end" if is_near_edge else "tick middle"
        parts.append(_text(min(left, WIDTH - 2), y + 15, _tick_text(tick), kind))
    parts.append(_line("base", x.start, y, x.end, y))
    parts.append(_text((x.start + x.end) / 2, y + 31, label, "axis middle"))
    return parts


def _run_class(colour: int) -> str:
    return f"run-{colour % _COLOURS}"


def _tick_text(value: float) -> str:
    """Return the label of a tick: thousands with a comma, no trailing zeros."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value + 0.0:.4f}".rstrip("0").rstrip(".") or "0"


def _svg(parts: Iterable[Markup], height: float, description: str) -> Markup:
    return Markup(
        '<svg viewBox="0 0 {} {}" width="{}" height="{}" role="img" aria-label="{}">{}</svg>'
    ).format(WIDTH, height, WIDTH, height, safe_text(description), Markup("").join(parts))


def _text(x: float, y: float, text: str, kind: str) -> Markup:
    return Markup('<text x="{:.1f}" y="{:.1f}" class="{}">{}</text>').format(
        x, y, kind, safe_text(text)
    )


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    return Markup('<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>').format(
        kind, x1, y1, x2, y2
    )


def _circle(kind: str, x: float, y: float) -> Markup:
    return Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="4.5"/>').format(kind, x, y)

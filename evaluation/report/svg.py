"""Plots as inline SVG: points with their intervals, in rows or in a plane; colours are the page's."""

from collections.abc import Iterable, Sequence
from math import ceil, floor, log10
from typing import NamedTuple

from markupsafe import Markup

from graph.support.terminal import safe_text

WIDTH = 400
_LEFT, _RIGHT = 8, 12
_ROW, _HEAD, _FOOT = 34, 22, 40
_HEIGHT, _MARGIN = 270, 46


class Row(NamedTuple):
    """A point with its interval; `mean` None is drawn as no point, and said."""

    label: str
    mean: float | None
    ends: list[float] | None
    said: str
    """The figures in words, at the right."""
    colour: int = 0
    hollow: bool = False
    """Not distinguishable from the control."""


class Group(NamedTuple):
    """Rows under a heading; no heading where it is empty."""

    heading: str
    rows: list[Row]


class Dot(NamedTuple):
    """A point in a plane, with an interval both ways."""

    label: str
    x: float
    y: float
    x_ends: list[float] | None
    y_ends: list[float] | None
    colour: int


class Scale(NamedTuple):
    """From values to places."""

    low: float
    high: float
    start: float
    end: float
    ticks: list[float]

    def at(self, value: float) -> float:
        """Return where a value stands."""
        share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


def scale(values: Iterable[float], start: float, end: float, count: int = 4) -> Scale:
    """Return a scale around the values with round ticks; equal values get some room."""
    known = list(values) or [0.0, 1.0]
    low, high = min(known), max(known)
    room = (high - low) * 0.06 or max(abs(high) * 0.1, 0.01)
    # A mean of scores in [0, 1] needs no room below 0.
    low, high = low - room if low < 0 or low - room > 0 else 0.0, high + room
    step = _round_step((high - low) / count)
    first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
    return Scale(low, high, start, end, [tick * step for tick in range(first, last + 1)])


def _round_step(least: float) -> float:
    power = 10.0 ** floor(log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * 0.999)


def forest(groups: Sequence[Group], axis: str, says: str, line: float | None = None) -> Markup:
    """Return rows of points with their intervals over one axis.

    Args:
        groups: From top to bottom.
        axis: What is measured.
        says: The plot in one line, for those who do not see it.
        line: Where a dashed line stands: the control, or no difference.
    """
    rows = [row for group in groups for row in group.rows]
    values = [row.mean for row in rows if row.mean is not None]
    values += [end for row in rows for end in row.ends or []]
    values += [] if line is None else [line]
    x = scale(values, _LEFT, WIDTH - _RIGHT)
    parts: list[Markup] = []
    y = 6
    for group in groups:
        if group.heading:
            y += _HEAD
            parts.append(_text(_LEFT, y - 7, group.heading, "heading"))
        for row in group.rows:
            parts += _row(row, y, x)
            y += _ROW
    under = _axis(x, y + 4, axis)
    dashed = [] if line is None else [_line("zero", x.at(line), 4, x.at(line), y + 4)]
    return _svg([*under, *dashed, *parts], y + _FOOT, says)


def _row(row: Row, y: int, x: Scale) -> list[Markup]:
    middle = y + 24
    parts = [
        _text(_LEFT, y + 13, row.label, "label"),
        _text(WIDTH - _RIGHT, y + 13, row.said, "said end"),
    ]
    if row.mean is None:
        return parts
    kind = f"run-{row.colour % 8}"
    if row.ends:
        left, right = (x.at(end) for end in row.ends)
        parts.append(_line(f"interval {kind}", left, middle, right, middle))
    parts.append(_circle(f"point {kind}{' hollow' if row.hollow else ''}", x.at(row.mean), middle))
    return parts


def plane(dots: Sequence[Dot], x_axis: str, y_axis: str, says: str) -> Markup:
    """Return points with intervals in two directions."""
    x = scale(
        [0.0, *(v for dot in dots for v in (dot.x, *(dot.x_ends or [])))],
        _MARGIN,
        WIDTH - _RIGHT,
    )
    y = scale(
        [v for dot in dots for v in (dot.y, *(dot.y_ends or []))], _HEIGHT - _FOOT, 24, count=5
    )
    parts = _axis(x, _HEIGHT - _FOOT, x_axis, top=24)
    parts.append(_text(_LEFT, 14, y_axis, "axis"))
    for tick in y.ticks:
        place = y.at(tick)
        parts.append(_line("grid", _MARGIN, place, WIDTH - _RIGHT, place))
        parts.append(_text(_MARGIN - 6, place + 4, _number(tick), "tick end"))
    for dot in dots:
        parts += _dot(dot, x, y)
    return _svg(parts, _HEIGHT, says)


def _dot(dot: Dot, x: Scale, y: Scale) -> list[Markup]:
    kind, left, top = f"run-{dot.colour % 8}", x.at(dot.x), y.at(dot.y)
    parts = []
    if dot.x_ends:
        one, other = (x.at(end) for end in dot.x_ends)
        parts.append(_line(f"interval {kind}", one, top, other, top))
    if dot.y_ends:
        one, other = (y.at(end) for end in dot.y_ends)
        parts.append(_line(f"interval {kind}", left, one, left, other))
    parts.append(_circle(f"point {kind}", left, top))
    if left > WIDTH - _RIGHT - 24:
        return [*parts, _text(left - 9, top - 8, dot.label, "label end")]
    return [*parts, _text(left + 9, top - 8, dot.label, "label")]


def _axis(x: Scale, y: float, label: str, top: float = 4) -> list[Markup]:
    parts = []
    for tick in x.ticks:
        place = x.at(tick)
        near_the_edge = place > WIDTH - _RIGHT - 10
        parts.append(_line("grid", place, top, place, y))
        kind = "tick end" if near_the_edge else "tick middle"
        parts.append(_text(min(place, WIDTH - 2), y + 15, _number(tick), kind))
    parts.append(_line("base", x.start, y, x.end, y))
    parts.append(_text((x.start + x.end) / 2, y + 31, label, "axis middle"))
    return parts


def _number(value: float) -> str:
    """Return a tick: thousands with a comma, small ones without a trail of zeros."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value + 0.0:.4f}".rstrip("0").rstrip(".") or "0"


def _svg(parts: Iterable[Markup], height: float, says: str) -> Markup:
    return Markup(
        '<svg viewBox="0 0 {} {}" width="{}" height="{}" role="img" aria-label="{}">{}</svg>'
    ).format(WIDTH, height, WIDTH, height, safe_text(says), Markup("").join(parts))


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

"""Numbers as text, for tables on the terminal, summary.md and the report."""

from evaluation.statistics.summaries import Summary

NONE = "none"
"""Stands where there is no value."""


def number(value: float | None, sign: str = "") -> str:
    """Format a value in [-1, 1] in four characters, as .284 or 1.00; `sign` "+" adds its sign."""
    if value is None:
        return NONE
    text = f"{round(value, 3) + 0.0:{sign}.3f}"
    return text.replace("0.", ".", 1) if "0." in text[:3] else text[:-1]


def interval_text(ends: list[float] | None, sign: str = "", joint: str = " to ") -> str:
    """Format an interval, as .25-.31, or -.02 to +.04: a minus needs the word between the ends."""
    if ends is None:
        return NONE
    return (" to " if min(ends) < 0 else joint).join(number(end, sign) for end in ends)


def percent(value: float | None, digits: int = 0) -> str:
    """Format a share as a percentage."""
    return NONE if value is None else f"{value:.{digits}%}"


def p_text(value: float | None) -> str:
    """Format a p value; below .001 as <.001."""
    return "<.001" if value is not None and value < 0.001 else number(value)


def mean_and_interval(summary: Summary, sign: str = "") -> tuple[str, str]:
    """Format a mean and its interval with three decimals and a leading zero."""
    mean = NONE if summary["mean"] is None else f"{summary['mean']:{sign}.3f}"
    ends = summary["ci95"]
    return mean, NONE if ends is None else f"{ends[0]:{sign}.3f} to {ends[1]:{sign}.3f}"

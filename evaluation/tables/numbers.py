"""Numbers as text: for tables on the terminal, summary.md and the report."""

from collections.abc import Callable

NONE = "none"
"""The text where there is no value."""
NO_INTERVAL = "no interval"
"""The text where a mean has no interval."""

NumberStyle = Callable[[float | None], str]
"""A function that formats a number, such as `number`, `signed`, `decimal` or `percent`."""


def number(value: float | None, sign: str = "") -> str:
    """Format a value in [-1, 1] in four characters, as .284 or 1.00; `sign` "+" adds its sign."""
    if value is None:
        return NONE
    # Adding 0.0 turns a negative zero, which would keep its minus, into zero.
    text = f"{round(value, 3) + 0.0:{sign}.3f}"
    return text.replace("0.", ".", 1) if "0." in text[:3] else text[:-1]


def signed(value: float | None) -> str:
    """Format a difference in [-1, 1], as +.284 or -1.00."""
    return number(value, "+")


def decimal(value: float | None) -> str:
    """Format a value with three decimals, as 0.284."""
    return NONE if value is None else f"{value:.3f}"


def signed_decimal(value: float | None) -> str:
    """Format a difference with its sign and three decimals, as +0.284."""
    return NONE if value is None else f"{value:+.3f}"


def percent(value: float | None) -> str:
    """Format a share as a whole percentage, as 28%."""
    return NONE if value is None else f"{value:.0%}"


def exact_percent(value: float | None) -> str:
    """Format a share as a percentage with one decimal, as 28.4%."""
    return NONE if value is None else f"{value:.1%}"


def p_text(value: float | None) -> str:
    """Format a p value; below .001 as <.001."""
    return "<.001" if value is not None and value < 0.001 else number(value)


def interval_text(
    ends: list[float] | None,
    style: NumberStyle = number,
    joint: str = " to ",
) -> str:
    """Format an interval, or `NO_INTERVAL`.

    Args:
        ends: The lower and the upper end; None where there is no interval.
        style: The format of each end.
        joint: The text between the ends.
    """
    if ends is None:
        return NO_INTERVAL
    # A minus and a dash side by side cannot be told apart.
    return (" to " if min(ends) < 0 else joint).join(map(style, ends))


def mean_over_interval(
    mean: float | None,
    ends: list[float] | None,
    style: NumberStyle = number,
    joint: str = " to ",
) -> str:
    """Format a mean and, on a second line, its interval; `NONE` alone where there is no mean."""
    return NONE if mean is None else f"{style(mean)}\n{interval_text(ends, style, joint)}"


def estimate_mark(estimated_calls: int) -> str:
    """Return the mark before a number of tokens that contains estimates: empty without any."""
    return "~" if estimated_calls else ""

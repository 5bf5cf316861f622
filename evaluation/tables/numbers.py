"""Numbers as text: for tables on the terminal, summary.md and the report."""

from typing import Protocol

NONE = "none"
"""The text where there is no value."""
NO_INTERVAL = "no interval"
"""The text where a mean has no interval."""
_MOST_MORE = 10
"""Ends that only further decimals tell apart differ by rounding."""


class NumberStyle(Protocol):
    """A function that formats a number: `number`, `signed`, `decimal`, `percent` and the like."""

    def __call__(self, value: float | None, /, *, more: int = 0) -> str:
        """Format a value with `more` decimals than usual; `NONE` where there is none."""
        ...


def number(value: float | None, sign: str = "", *, more: int = 0) -> str:
    """Format a value in [-1, 1] in four characters, as .284 or 1.00; `sign` "+" adds its sign."""
    if value is None:
        return NONE
    digits = 3 + more
    text = f"{_rounded(value, digits):{sign}.{digits}f}"
    return text.replace("0.", ".", 1) if "0." in text[:3] else text[:-1]


def _rounded(value: float, digits: int) -> float:
    # Adding 0.0 turns a negative zero, which would keep its minus, into zero.
    return round(value, digits) + 0.0


def signed(value: float | None, *, more: int = 0) -> str:
    """Format a difference in [-1, 1], as +.284 or -1.00."""
    return number(value, "+", more=more)


def decimal(value: float | None, *, more: int = 0) -> str:
    """Format a value with three decimals, as 0.284."""
    return NONE if value is None else f"{_rounded(value, 3 + more):.{3 + more}f}"


def signed_decimal(value: float | None, *, more: int = 0) -> str:
    """Format a difference with its sign and three decimals, as +0.284."""
    return NONE if value is None else f"{_rounded(value, 3 + more):+.{3 + more}f}"


def percent(value: float | None, *, more: int = 0) -> str:
    """Format a share as a whole percentage, as 28%."""
    return NONE if value is None else f"{_rounded(100 * value, more):.{more}f}%"


def exact_percent(value: float | None, *, more: int = 0) -> str:
    """Format a share as a percentage with one decimal, as 28.4%."""
    return percent(value, more=1 + more)


def p_text(value: float | None) -> str:
    """Format a p value; below .001 as <.001."""
    return "<.001" if value is not None and value < 0.001 else number(value)


def interval_text(
    ends: list[float] | None,
    style: NumberStyle = number,
    joint: str = " to ",
) -> str:
    """Format an interval, or `NO_INTERVAL`.

    Ends that would look the same get as many more decimals as tell them apart.

    Args:
        ends: The lower and the upper end; None where there is no interval.
        style: The format of each end.
        joint: The text between the ends.
    """
    if ends is None:
        return NO_INTERVAL
    low, high = ends
    more = next((m for m in range(_MOST_MORE) if style(low, more=m) != style(high, more=m)), 0)
    # A minus and a dash side by side cannot be told apart.
    return (" to " if min(ends) < 0 else joint).join(style(end, more=more) for end in ends)


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


def reasons_text(reasons: dict[str, int]) -> str:
    """Return the reasons for unscored questions with their counts."""
    return "; ".join(f"{reason}: {count}" for reason, count in reasons.items())

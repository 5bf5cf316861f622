"""The columns of a summary, which every table of metrics of a run and the report share."""

from evaluation.statistics.summaries import Summary
from evaluation.tables.numbers import (
    NumberStyle,
    decimal,
    interval_text,
    mean_over_interval,
    number,
)

SUMMARY_COLUMNS = ("mean", "95 % interval", "n", "unscored")


def summary_cells(summary: Summary, style: NumberStyle = decimal) -> list[str]:
    """Return the cells of a summary below `SUMMARY_COLUMNS`."""
    ends = interval_text(summary["ci95"], style)
    return [style(summary["mean"]), ends, str(summary["n"]), str(summary["unscored"])]


def narrow_cell(summary: Summary, style: NumberStyle = number, joint: str = " to ") -> str:
    """Return a summary as one cell: mean, interval, and the number of unscored questions if any."""
    cell = mean_over_interval(summary["mean"], summary["ci95"], style, joint)
    return f"{cell}\n{summary['unscored']} unscored" if summary["unscored"] else cell


def lines_below_mean(summary: Summary) -> list[str]:
    """Return the lines below a mean in a cell of the report: the interval, then the counts."""
    counts = f"n {summary['n']:,}, {summary['unscored']:,} unscored"
    return [interval_text(summary["ci95"]), counts]

"""The table of several configs over the same questions."""

import re
from collections.abc import Mapping, Sequence

from rich.table import Table

from evaluation.analysis.control_comparison import Grid
from evaluation.analysis.run_results import Results
from evaluation.metrics.registry import metric_names
from evaluation.statistics.summaries import Summary
from evaluation.tables.layout import new_table
from evaluation.tables.numbers import number
from evaluation.tables.results_tables import SHORT


def grid_table(results: Sequence[Results], tokens: Mapping[str, int]) -> Table:
    """Return a row per config: means with their intervals, and tokens a question."""
    table = new_table()
    table.add_column("config\nn, failed", overflow="fold")
    names = metric_names(each["metrics"] for each in results)
    for name in names:
        table.add_column(f"{SHORT.get(name, name)}\n95 %", justify="right", no_wrap=True)
    table.add_column("tokens a\nquestion", justify="right", no_wrap=True)
    for each in results:
        table.add_row(
            f"{_wrapped(each['config'])}\n{each['n']}, {each['failed']}",
            *(_cell(each["metrics"][name]) for name in names),
            f"{tokens[each['config']] / max(1, each['n']):,.0f}",
        )
    return table


def _cell(summary: Summary) -> str:
    if summary["mean"] is None:
        return "none"
    mean, ends = number(summary["mean"]), summary["ci95"]
    interval = "" if ends is None else f"{number(ends[0])}-{number(ends[1])}"
    unscored = f" ({summary['unscored']} un.)" if summary["unscored"] else ""
    return f"{mean}{unscored}\n{interval}"


def _wrapped(name: str, width: int = 16) -> str:
    """Break a long config name behind its underscores."""
    lines = [""]
    for part in re.split(r"(?<=_)", name):
        if len(lines[-1] + part) > width and lines[-1]:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def calls_line(grid: Grid) -> str:
    """Return how many model calls of each run were made for it, and how many were kept ones."""
    said = "; ".join(f"{name} {calls}" for name, calls in grid.calls.items())
    return f"Model calls: {said}."

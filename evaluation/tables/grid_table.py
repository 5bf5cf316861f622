"""The table of several configs over the same questions."""

import re
from collections.abc import Mapping, Sequence

from rich.table import Table

from evaluation.analysis.control_comparison import ControlComparison
from evaluation.analysis.run_results import Results
from evaluation.metrics.registry import metric_names, short_name
from evaluation.statistics.summaries import summarise
from evaluation.tables.layout import add_number_columns, new_table
from evaluation.tables.numbers import estimate_mark
from evaluation.tables.summary_columns import narrow_cell


def grid_table(results: Sequence[Results], tokens: Mapping[str, int]) -> Table:
    """Return a row for each config: means with their intervals, and tokens per question.

    Args:
        results: The results of each config.
        tokens: Tokens of all model calls but the judge's, by config.
    """
    table = new_table()
    table.add_column("config\nn, failed", overflow="fold")
    names = metric_names(result["metrics"] for result in results)
    add_number_columns(table, *(f"{short_name(name)}\n95 %" for name in names))
    add_number_columns(table, "tokens per\nquestion")
    for result in results:
        table.add_row(
            f"{_wrapped(result['config'])}\n{result['n']}, {result['failed']}",
            # A config whose questions all failed lacks the metric of a chosen judge.
            *(
                narrow_cell(result["metrics"].get(name) or summarise([]), joint="-")
                for name in names
            ),
            estimate_mark(result["tokens"]["estimated"])
            + f"{tokens[result['config']] / max(1, result['n']):,.0f}",
        )
    return table


def _wrapped(name: str, width: int = 16) -> str:
    """Return a config's name, broken into lines after its underscores."""
    lines = [""]
    for part in re.split(r"(?<=_)", name):
        if len(lines[-1] + part) > width and lines[-1]:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def calls_line(comparison: ControlComparison) -> str:
    """Return a sentence with the number of fresh and of cached model calls of each run."""
    return (
        f"Model calls: {'; '.join(f'{name} {calls}' for name, calls in comparison.calls.items())}."
    )

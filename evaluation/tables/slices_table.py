"""The tables of slices: for each dimension, a row for each slice and a column for each metric."""

from collections.abc import Iterator, Sequence

from rich.table import Table

from evaluation.analysis.slices import Dimension
from evaluation.metrics.registry import short_name
from evaluation.statistics.summaries import LEAST_RELIABLE
from evaluation.tables.layout import add_number_columns, new_table, untrusted
from evaluation.tables.numbers import NumberStyle
from evaluation.tables.summary_columns import narrow_cell

FEW = f"fewer than {LEAST_RELIABLE}"
"""The mark of a slice with fewer answered questions."""
MEANS_EXPLANATION = (
    "Each cell: the mean over the answered questions of the slice and its 95 % interval."
)
DIFFERENCES_EXPLANATION = (
    "Each cell: the mean of a - b over the questions of the slice that both runs scored, and its 95 % "
    "bootstrap interval. failed: in at least one of the two. By a, by b: the run whose passages "
    "hold a relevant post."
)
EXPLANATION = (
    f"{FEW} answered questions: do not rely on the slice. none: no value. no interval: one value, or "
    "equal ones. A question is in the slice of each of its tags."
)


def slices_tables(dimensions: Sequence[Dimension], style: NumberStyle) -> Iterator[Table]:
    """Yield a table for each dimension that is not left out."""
    for dimension in dimensions:
        if dimension["slices"]:
            yield _table(dimension, style)


def _table(dimension: Dimension, style: NumberStyle) -> Table:
    table = new_table()
    table.padding = 0  # Differences in six metrics fit into 110 columns only so.
    table.add_column(f"{dimension['name']}\nquestions, failed", overflow="fold")
    metrics = list(dimension["slices"][0]["metrics"])
    add_number_columns(table, *(f"{short_name(metric)}\n95 %" for metric in metrics))
    for part in dimension["slices"]:
        label = f"{part['name']}\n{part['questions']}, {part['failed']}"
        cells = [narrow_cell(part["metrics"][metric], style) for metric in metrics]
        table.add_row(untrusted(f"{label}\n{FEW}" if part["few"] else label), *cells)
    return table

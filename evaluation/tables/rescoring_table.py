"""The table of a pass over a finished run, and the lines below it."""

from collections.abc import Sequence

from rich.table import Table

from evaluation.rescoring.pass_summary import PassSummary
from evaluation.statistics.agreement import Correlation
from evaluation.tables.layout import add_number_columns, new_table, untrusted
from evaluation.tables.numbers import NO_INTERVAL, interval_text, reasons_text, signed
from evaluation.tables.summary_columns import SUMMARY_COLUMNS, summary_cells
from graph.support.text import plural


def scores_table(rows: Sequence[tuple[str, str, PassSummary]]) -> Table:
    """Return a row for each (metric, name of what scored, summary)."""
    table = new_table()
    table.add_column("metric", no_wrap=True)
    table.add_column("by", overflow="fold")
    add_number_columns(table, *SUMMARY_COLUMNS, "failed")
    for metric, scorer, summary in rows:
        cells = [*summary_cells(summary), str(summary["failed"])]
        table.add_row(untrusted(metric), untrusted(scorer), *cells)
    return table


def reason_lines(rows: Sequence[tuple[str, str, PassSummary]]) -> list[str]:
    """Return a line for each row with unscored questions: their number, and the reasons."""
    return [
        f"{metric}: unscored {summary['unscored']} ({reasons_text(summary['reasons'])})"
        for metric, _, summary in rows
        if summary["reasons"]
    ]


def agreement_line(correlation: Correlation) -> str:
    """Return a sentence about how alike two judges rank the same answers."""
    if correlation["spearman"] is None:
        return f"Agreement of the two judges: none to give, {correlation['why_none']}."
    ends, count = correlation["ci95"], correlation["n"]
    interval = NO_INTERVAL if ends is None else f"95 % {interval_text(ends, signed)}"
    return (
        f"Agreement of the two judges: Spearman {signed(correlation['spearman'])} ({interval}) over "
        f"{count} {plural(count, 'answer')} that both scored."
    )

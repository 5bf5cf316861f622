"""The table of a pass over a finished run."""

from collections.abc import Sequence

from rich.table import Table

from evaluation.rescoring.pass_summary import Scored
from evaluation.tables.layout import new_table, untrusted
from evaluation.tables.numbers import mean_and_interval


def scores_table(rows: Sequence[tuple[str, str, Scored]]) -> Table:
    """Return a row for each (metric, by whom, summary)."""
    table = new_table()
    table.add_column("metric", no_wrap=True)
    table.add_column("by", overflow="fold")
    for name in ("mean", "95 % interval", "n", "unscored", "failed"):
        table.add_column(name, justify="right", no_wrap=True)
    for metric, by, each in rows:
        mean, ends = mean_and_interval(each)
        counts = (str(each["n"]), str(each["unscored"]), str(each["failed"]))
        table.add_row(untrusted(metric), untrusted(by), mean, ends, *counts)
    return table


def reason_lines(rows: Sequence[tuple[str, str, Scored]]) -> list[str]:
    """Return a line for each row with unscored questions: how many, and why."""
    lines = []
    for metric, _, each in rows:
        if each["reasons"]:
            why = "; ".join(f"{reason}: {count}" for reason, count in each["reasons"].items())
            lines.append(f"{metric}: unscored {each['unscored']} ({why})")
    return lines

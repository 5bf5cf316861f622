"""The tables of a retrieval measurement: means of each config and differences between configs."""

from collections.abc import Mapping, Sequence

from rich.table import Table

from evaluation.ranking.config_means import Means, RankingDifference
from evaluation.ranking.judged_queries import ALL
from evaluation.ranking.rank_measures import RANK_METRICS
from evaluation.tables.layout import add_number_columns, new_table, untrusted
from evaluation.tables.numbers import NO_INTERVAL, interval_text, mean_over_interval, number, signed

COMPARED = ("nDCG@10", "R@10")
"""The metrics whose differences are in the table; the JSON document holds those of all."""


def means_table(configs: Mapping[str, Means]) -> Table:
    """Return a row for each kind and config.

    Each cell holds the mean by query, its interval and the mean by document.
    """
    table = new_table()
    table.padding = 0  # Columns of "no interval" fit into 100 columns only so.
    for heading in ("kind", "config"):
        table.add_column(heading, overflow="fold")
    add_number_columns(table, "n", *RANK_METRICS)
    for kind in kinds_in_tables(configs):
        for name, means in configs.items():
            estimates = [means[kind][metric] for metric in RANK_METRICS]
            counts = f"{estimates[0]['n']}\n\n{estimates[0]['by_document']['n']}"
            cells = [
                f"{mean_over_interval(e['mean'], e['ci95'], joint='-')}\n"
                f"{number(e['by_document']['mean'])}"
                for e in estimates
            ]
            label = untrusted(kind).append("\n  95 %\n  document", style="dim")
            table.add_row(label, untrusted(name), counts, *cells)
        table.add_section()
    return table


def differences_table(differences: Sequence[RankingDifference], kinds: Sequence[str]) -> Table:
    """Return a row for each kind, pair of configs and metric, with its verdict."""
    table = new_table()
    for heading in ("kind", "difference", "metric"):
        table.add_column(heading, overflow="fold")
    add_number_columns(table, "mean", "95 %", "document")
    table.add_column("the first is", no_wrap=True)
    for kind in kinds:
        for difference in differences:
            if difference["kind"] == kind and difference["metric"] in COMPARED:
                table.add_row(
                    untrusted(kind),
                    untrusted(f"{difference['a']} - {difference['b']}"),
                    difference["metric"],
                    signed(difference["mean"]),
                    interval_text(difference["ci95"], signed),
                    signed(difference["by_document"]["mean"]),
                    _verdict(difference),
                )
        table.add_section()
    return table


def _verdict(difference: RankingDifference) -> str:
    if difference["ci95"] is None:
        return NO_INTERVAL
    if not difference["distinguishable"]:
        return "not distinguishable"
    return "better" if difference["mean"] > 0 else "worse"


def kinds_in_tables(configs: Mapping[str, Means]) -> list[str]:
    """Return the kinds of queries, `all` last; without `all` where it equals the only other kind."""
    kinds = list(next(iter(configs.values())))
    return [*(kind for kind in kinds if kind != ALL), *([ALL] if len(kinds) > 2 else [])]

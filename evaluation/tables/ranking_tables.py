"""What is shown of a measurement: tables for a terminal of 100 columns."""

from collections.abc import Mapping, Sequence

from rich.table import Table

from evaluation.ranking.config_means import Means, RankingDifference
from evaluation.ranking.judged_queries import ALL
from evaluation.ranking.rank_measures import RANK_METRICS
from evaluation.statistics.cluster_means import ClusterMean
from evaluation.tables.layout import new_table, untrusted
from evaluation.tables.numbers import number

COMPARED = ("nDCG@10", "R@10")
"""The metrics whose differences are shown; the JSON document holds those of all."""


def means_table(configs: Mapping[str, Means]) -> Table:
    """Return a row per kind and config: the mean by query, its interval, the mean by document."""
    table = _table("kind", "config")
    for name in ("n", *RANK_METRICS):
        table.add_column(name, justify="right", no_wrap=True)
    for kind in shown_kinds(configs):
        for name, means in configs.items():
            estimates = [means[kind][metric] for metric in RANK_METRICS]
            counts = f"{estimates[0]['n']}\n\n{estimates[0]['by_document']['n']}"
            cells = [
                f"{number(e['mean'])}\n{interval(e)}\n{number(e['by_document']['mean'])}"
                for e in estimates
            ]
            label = untrusted(kind).append("\n  95 %\n  document", style="dim")
            table.add_row(label, untrusted(name), counts, *cells)
        table.add_section()
    return table


def differences_table(differences: Sequence[RankingDifference], kinds: Sequence[str]) -> Table:
    """Return a row per kind, pair and metric, with what its interval allows to say."""
    table = _table("kind", "difference", "metric")
    for name in ("mean", "95 %", "document"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("the first is", no_wrap=True)
    for kind in kinds:
        for each in differences:
            if each["kind"] == kind and each["metric"] in COMPARED:
                better = "better" if each["mean"] > 0 else "worse"
                table.add_row(
                    untrusted(kind),
                    untrusted(f"{each['a']} - {each['b']}"),
                    each["metric"],
                    number(each["mean"], sign="+"),
                    interval(each, sign="+"),
                    number(each["by_document"]["mean"], sign="+"),
                    better if each["distinguishable"] else "not distinguishable",
                )
        table.add_section()
    return table


def shown_kinds(configs: Mapping[str, Means]) -> list[str]:
    """Return the kinds, `all` last; a single kind is not shown twice."""
    kinds = list(next(iter(configs.values())))
    return [*(kind for kind in kinds if kind != ALL), *([ALL] if len(kinds) > 2 else [])]


def interval(estimate: ClusterMean, sign: str = "") -> str:
    """Return the 95 % interval, or `none` where one group is all there is."""
    ends = estimate["ci95"]
    joint = " to " if sign else "-"
    return "none" if ends is None else joint.join(number(end, sign) for end in ends)


def _table(*names: str) -> Table:
    table = new_table()
    for name in names:
        table.add_column(name, overflow="fold")
    return table

"""What is shown of a measurement: tables for a terminal of 100 columns."""

from collections.abc import Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from evaluation.ranking.config_means import Difference, Means
from evaluation.ranking.query_files import ALL
from evaluation.ranking.rank_measures import METRICS
from evaluation.statistics.cluster_means import Estimate
from graph.support.terminal import safe_text

COMPARED = ("nDCG@10", "R@10")
"""The metrics whose differences are shown; the JSON document holds those of all."""


def means_table(configs: Mapping[str, Means]) -> Table:
    """Return a row per kind and config: the mean by query, its interval, the mean by document."""
    table = _table("kind", "config")
    for name in ("n", *METRICS):
        table.add_column(name, justify="right", no_wrap=True)
    for kind in shown_kinds(configs):
        for name, means in configs.items():
            estimates = [means[kind][metric] for metric in METRICS]
            counts = f"{estimates[0]['n']}\n\n{estimates[0]['by_document']['n']}"
            cells = [
                f"{number(e['mean'])}\n{interval(e)}\n{number(e['by_document']['mean'])}"
                for e in estimates
            ]
            label = _plain(kind).append("\n  95 %\n  document", style="dim")
            table.add_row(label, _plain(name), counts, *cells)
        table.add_section()
    return table


def differences_table(differences: Sequence[Difference], kinds: Sequence[str]) -> Table:
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
                    _plain(kind),
                    _plain(f"{each['a']} - {each['b']}"),
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


def number(value: float, sign: str = "") -> str:
    """Return a value in [-1, 1] in four characters, as .284 or 1.00, plus its sign."""
    text = f"{round(value, 3) + 0.0:{sign}.3f}"
    return text.replace("0.", ".", 1) if "0." in text[:3] else text[:-1]


def interval(estimate: Estimate, sign: str = "") -> str:
    """Return the 95 % interval, or `none` where one group is all there is."""
    ends = estimate["ci95"]
    joint = " to " if sign else "-"
    return "none" if ends is None else joint.join(number(end, sign) for end in ends)


def _table(*names: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in names:
        table.add_column(name, overflow="fold")
    return table


def _plain(text: str) -> Text:
    """Return untrusted text with no markup in it."""
    return Text(safe_text(text))

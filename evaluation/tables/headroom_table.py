"""The headroom table of a reranking step, and the lines about consensus and order below it."""

from rich.table import Table

from evaluation.analysis.headroom import CapturedHeadroom, ChoiceDifference, Headroom
from evaluation.metrics.registry import short_name
from evaluation.statistics.paired_tests import ALPHA, holm
from evaluation.statistics.summaries import Summary
from evaluation.tables.layout import add_number_columns, new_table
from evaluation.tables.numbers import (
    NO_INTERVAL,
    NONE,
    interval_text,
    mean_over_interval,
    number,
    p_text,
    percent,
    signed,
)
from graph.support.text import plural

EXPLANATION = (
    "Each cell: the mean score of the candidates taken, its 95 % interval, their share of the "
    "headroom with its interval (0 %: a candidate picked at random; 100 %: the best one of each "
    "question, which nobody can know), and n. A share below 0 is worse than picking at random. none: all "
    "questions have the same value, so there is no interval."
)


def headroom_table(headroom: Headroom) -> Table:
    """Return a row for each way of choosing."""
    table = new_table()
    table.add_column("taken")
    add_number_columns(table, *map(short_name, headroom["metrics"]))
    ways = next(iter(headroom["metrics"].values()))
    for way in ways:
        cells = [_cell(by_way[way]) for by_way in headroom["metrics"].values()]
        table.add_row(way, *cells, end_section=True)
    return table


def _cell(captured: CapturedHeadroom) -> str:
    score, share = captured["score"], captured["share"]
    unscored = f", {score['unscored']} un." if score["unscored"] else ""
    counts = f"n {score['n']}{unscored}"
    if score["mean"] is None:
        return f"{NONE}\n{counts}"
    mean = mean_over_interval(score["mean"], score["ci95"], number)
    if share["mean"] is None:
        return f"{mean}\nno headroom\n{counts}"
    return f"{mean}\n{mean_over_interval(share['mean'], share['ci95'], percent)}\n{counts}"


def verdict_lines(headroom: Headroom) -> list[str]:
    """Return a line for each metric on consensus against the model, and two on the order of drafts."""
    differences = headroom["consensus_minus_model"]
    adjusted = holm([difference["p"] for difference in differences.values()])
    return [
        *(
            f"consensus against the model in both orders, {metric}: {_verdict(difference, p)}"
            for (metric, difference), p in zip(differences.items(), adjusted, strict=True)
        ),
        f"pairs whose winner depends on the order: {_share_text(headroom['pairs_flipped'])}",
        f"questions whose pick depends on the order: {_share_text(headroom['picks_flipped'])}",
    ]


def _verdict(difference: ChoiceDifference, p: float | None) -> str:
    mean, ends = difference["mean_difference"], difference["ci95"]
    if mean is None or p is None:
        return "too few questions to say"
    direction = "better" if mean > 0 else "worse"
    interval = NO_INTERVAL if ends is None else f"95 % {interval_text(ends, signed)}"
    return (
        f"{direction if p < ALPHA else 'not distinguishable'} ({signed(mean)}, {interval}, "
        f"Holm's p {p_text(p)}, n {difference['n']})"
    )


def _share_text(share: Summary) -> str:
    if share["mean"] is None:
        return "not asked"
    ends = share["ci95"]
    interval = "" if ends is None else f" (95 % {interval_text(ends, percent)})"
    counts = f"n {share['n']} {plural(share['n'], 'question')}, {share['unscored']} not read"
    return f"{percent(share['mean'])}{interval}, {counts}"

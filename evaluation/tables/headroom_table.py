"""The headroom table, and what it says of consensus against the model."""

from rich.table import Table

from evaluation.analysis.headroom import Captured, Headroom
from evaluation.analysis.stage_gains import STAGE_METRICS
from evaluation.statistics.paired_tests import ALPHA, holm
from evaluation.statistics.summaries import Summary
from evaluation.tables.layout import new_table
from evaluation.tables.numbers import number, p_text
from evaluation.tables.results_tables import SHORT

EXPLANATION = (
    "Each cell: the mean score of the drafts taken, its 95 % bootstrap interval, the share of the "
    "headroom that this is with its interval (0 %: a draft picked at random; 100 %: the best draft "
    "of each question, which nobody can know), and n. A share below 0 is worse than picking at "
    "random."
)


def headroom_table(found: Headroom) -> Table:
    """Return a row for each way of choosing."""
    table = new_table()
    table.add_column("taken")
    for metric in STAGE_METRICS:
        table.add_column(SHORT.get(metric, metric), justify="right", no_wrap=True)
    ways = next(iter(found["metrics"].values()))
    for way in ways:
        cells = [_cell(found["metrics"][metric][way]) for metric in STAGE_METRICS]
        table.add_row(way, *cells, end_section=True)
    return table


def _cell(captured: Captured) -> str:
    score, share = captured["score"], captured["share"]
    if score["mean"] is None:
        return f"none\nn {score['n']}, {score['unscored']} un."
    ends = score["ci95"]
    lines = [number(score["mean"])]
    lines.append("" if ends is None else f"{number(ends[0])} to {number(ends[1])}")
    if share["mean"] is None:
        lines.append("no headroom")
    else:
        lines.append(f"{share['mean']:.0%}")
        lines.append(
            "" if share["ci95"] is None else " to ".join(f"{end:.0%}" for end in share["ci95"])
        )
    unscored = f", {score['unscored']} un." if score["unscored"] else ""
    return "\n".join([*lines, f"n {score['n']}{unscored}"])


def verdict_lines(found: Headroom) -> list[str]:
    """Say by which metrics consensus is better or worse than the model, and how often order decides."""
    lines = []
    differences = found["consensus_minus_model"]
    adjusted = holm([each["p"] for each in differences.values()])
    for (metric, each), p in zip(differences.items(), adjusted, strict=True):
        mean, ends = each["mean_difference"], each["ci95"]
        if mean is None or ends is None or p is None:
            said = "too few questions to say"
        else:
            word = "better" if mean > 0 else "worse"
            said = word if p < ALPHA else "not distinguishable"
            said += (
                f" ({number(mean, '+')}, 95 % {number(ends[0], '+')} to {number(ends[1], '+')}, "
                f"Holm's p {p_text(p)}, n {each['n']})"
            )
        lines.append(f"consensus against the model in both orders, {metric}: {said}")
    lines.append(f"pairs whose winner depends on the order: {_share(found['pairs_flipped'])}")
    lines.append(f"questions whose pick depends on the order: {_share(found['picks_flipped'])}")
    return lines


def _share(found: Summary) -> str:
    if found["mean"] is None:
        return "not asked"
    ends = found["ci95"]
    interval = "" if ends is None else f" (95 % {ends[0]:.0%} to {ends[1]:.0%})"
    return f"{found['mean']:.0%}{interval}, n {found['n']} questions, {found['unscored']} not read"

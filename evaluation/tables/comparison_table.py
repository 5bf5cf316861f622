"""What is shown of a comparison: a row per pair and metric, for a terminal of 100 columns."""

from collections.abc import Sequence

from rich.table import Table

from evaluation.analysis.comparison import Difference, verdict
from evaluation.tables.layout import new_table, untrusted
from evaluation.tables.numbers import number, p_text

EXPLANATION = (
    "Each metric is in [0, 1], higher is better. difference: mean of a - b over the n questions "
    "that both runs scored, with its 95 % bootstrap interval. out: questions without a value or "
    "failed in one of the two. p: paired permutation test, McNemar's exact where all scores are 0 "
    "or 1; under it p after Holm, for all tests of this table. d_z: mean over standard deviation "
    "of the differences; under it the smallest difference that n such questions would have shown "
    "(power .8). better: share of questions on which a is better, equal, worse. "
    "not distinguishable: Holm's p is .05 or more; it does not say that the two are equal."
)


def differences_table(differences: Sequence[Difference]) -> Table:
    """Return the table; what could not be computed is `none`."""
    table = new_table()
    table.add_column("a\n- b", overflow="fold")
    table.add_column("metric\nverdict on a", no_wrap=True)
    for name in ("n\nout", "a\nb", "difference\n95 %", "p\nHolm", "d_z\nleast", "better\n= worse"):
        table.add_column(name, justify="right", no_wrap=True)
    shown: tuple[str, str] | None = None
    for each in differences:
        pair = (each["a"], each["b"])
        if shown not in (pair, None):
            table.add_section()
        shown = pair
        table.add_row(untrusted(f"{pair[0]}\n- {pair[1]}"), *_cells(each))
    return table


def _cells(each: Difference) -> list[str]:
    out = each["unscored"] + each["failed"]
    ends = each["ci95"]
    interval = "none" if ends is None else " to ".join(number(end, sign="+") for end in ends)
    ties = f"{_share(each['equal'])} {_share(each['worse'])}"
    return [
        f"{each['metric']}\n{verdict(each)}",
        f"{each['n']}\n{out}",
        f"{_number(each['mean_a'])}\n{_number(each['mean_b'])}",
        f"{_number(each['mean_difference'], '+')}\n{interval}",
        f"{p_text(each['p'])}\n{p_text(each['p_holm'])}",
        f"{_effect(each['effect'])}\n{_number(each['smallest_detectable'])}",
        f"{_share(each['better'])}\n{ties}",
    ]


def _number(value: float | None, sign: str = "") -> str:
    return "none" if value is None else number(value, sign)


def _effect(value: float | None) -> str:
    return "none" if value is None else f"{value + 0.0:+.2f}"


def _share(value: float | None) -> str:
    return "none" if value is None else f"{value:.0%}"

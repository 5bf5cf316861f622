"""The table of a comparison: a row for each pair of runs and metric."""

from collections.abc import Sequence
from itertools import groupby

from rich.table import Table

from evaluation.analysis.comparison import Difference, verdict
from evaluation.analysis.regression_gate import GateDocument
from evaluation.tables.layout import add_number_columns, new_table, untrusted
from evaluation.tables.numbers import (
    NONE,
    mean_over_interval,
    number,
    p_text,
    percent,
    signed,
)
from graph.support.text import plural

EXPLANATION = (
    "Each metric is in [0, 1], higher is better. difference: mean of a - b over the n questions "
    "that both runs scored, with its 95 % bootstrap interval. out: questions without a value or "
    "failed in one of the two. p: paired permutation test, McNemar's exact where all scores are 0 "
    "or 1; under it p after Holm, for all tests of this table. d_z: mean over standard deviation "
    "of the differences; under it the smallest difference that n such questions would have shown in "
    "a single test (power .8, before Holm). better: share of questions on which a is better, equal, worse. "
    "not distinguishable: Holm's p is .05 or more; it does not say that the two are equal."
)


def differences_table(differences: Sequence[Difference]) -> Table:
    """Return a row for each difference; a value that could not be computed is `none`."""
    table = new_table()
    table.add_column("a\n- b", overflow="fold")
    table.add_column("metric\nverdict on a", no_wrap=True)
    add_number_columns(
        table, "n\nout", "a\nb", "difference\n95 %", "p\nHolm", "d_z\nleast", "better\n= worse"
    )
    for (a, b), rows in groupby(differences, lambda difference: (difference["a"], difference["b"])):
        for difference in rows:
            table.add_row(untrusted(f"{a}\n- {b}"), *_cells(difference))
        table.add_section()
    return table


def _cells(difference: Difference) -> list[str]:
    out = difference["unscored"] + difference["failed"]
    ties = f"{percent(difference['equal'])} {percent(difference['worse'])}"
    return [
        f"{difference['metric']}\n{verdict(difference)}",
        f"{difference['n']}\n{out}",
        f"{number(difference['mean_a'])}\n{number(difference['mean_b'])}",
        mean_over_interval(difference["mean_difference"], difference["ci95"], signed),
        f"{p_text(difference['p'])}\n{p_text(difference['p_holm'])}",
        f"{_effect_text(difference['effect'])}\n{number(difference['smallest_detectable'])}",
        f"{percent(difference['better'])}\n{ties}",
    ]


def _effect_text(value: float | None) -> str:
    # An effect size is in no fixed range, so it does not get the four characters of `number`.
    return NONE if value is None else f"{value + 0.0:+.2f}"


def gate_lines(document: GateDocument) -> list[str]:
    """Return the lines of the gate: each test with its n and its power, and the decision."""
    gate = document["gate"]
    tests, worse = gate["tests"], len(gate["worse"])
    decision = (
        f"gate: {worse} of {tests} {plural(tests, 'test')} found a run worse than {gate['baseline']}."
        if worse
        else f"gate: no test of {tests} found a run worse than {gate['baseline']}. This does not show "
        "that the runs are equal."
    )
    return [*(f"gate: {_gate_line(difference)}" for difference in document["pairs"]), decision]


def _gate_line(difference: Difference) -> str:
    least, count = difference["smallest_detectable"], difference["n"]
    power = (
        "all differences are the same, so it is not known which difference would have been found"
        if least is None
        else f"{count} such questions show a difference of {number(least)} with a probability of 80 % in a "
        "single test at .05, before Holm's adjustment"
    )
    decision = "worse" if verdict(difference) == "worse" else "not shown to be worse"
    return (
        f"{difference['a']} against {difference['b']} by {difference['metric']}: {decision}; "
        f"{count} {plural(count, 'question')}, {difference['unscored']} unscored, "
        f"{difference['failed']} failed; difference {signed(difference['mean_difference'])}, Holm's p "
        f"{p_text(difference['p_holm'])}; {power}."
    )

"""The tables of a calibration, and the lines about its judge and its formula."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from evaluation.calibration.calibration_document import (
    CalibrationDocument,
    JudgeBehaviour,
    SignalAgreement,
)
from evaluation.calibration.human_ceiling import Ceiling
from evaluation.calibration.score_agreement import Estimate
from evaluation.tables.layout import add_number_columns, new_table, untrusted
from evaluation.tables.numbers import (
    NONE,
    NumberStyle,
    exact_percent,
    mean_over_interval,
    number,
    signed,
)
from graph.support.text import plural

EXPLANATION = (
    "Each score is in [0, 1], higher is better, compared with people's mean grade. pairs: share "
    "of pairs of answers to one question, whose human means differ by 1 or more, that the score "
    "puts in the same order; a tie is half, a coin .500. kappa: quadratic, of grades 0 to 4. "
    "error: expected calibration error, ten bins, lower is better. people: one person's grades "
    "against the mean of the others'. 95 %: bootstrap over questions, 1,000 draws; "
    "Wilson's where the share of pairs is 0 or 1."
)
_PEOPLE = "people"


def agreement_table(signals: Mapping[str, SignalAgreement], ceiling: Ceiling) -> Table:
    """Return a row for each score with its agreement with people, and one for people themselves."""
    table = new_table()
    table.add_column("score", no_wrap=True)
    add_number_columns(table, "n\nunscored", "Spearman\n95 %", "Kendall\n95 %", "pairs\n95 %")
    add_number_columns(table, "kappa\n95 %", "error\n95 %")
    for name, signal in signals.items():
        table.add_row(
            untrusted(name),
            f"{signal['n']}\n{signal['unscored']}",
            _cell(signal["spearman"]),
            _cell(signal["kendall"]),
            _cell(signal["pair_agreement"]),
            _cell(signal["quadratic_kappa"]),
            _cell(signal["calibration_error"]),
        )
    table.add_section()
    table.add_row(
        _PEOPLE,
        f"{ceiling['n']}\n0",
        _cell(ceiling["spearman"]),
        _cell(ceiling["kendall"]),
        _cell(ceiling["pair_agreement"]),
        _cell(ceiling["quadratic_kappa"]),
        "",
    )
    return table


def further_table(signals: Mapping[str, SignalAgreement], ceiling: Ceiling) -> Table:
    """Return a row for each score: its agreement without copies of the reference, and the lead.

    The lead is that of the score `calibrated` over it, on all answers.
    """
    table = new_table()
    table.add_column("without answers\nequal to their reference", no_wrap=True)
    add_number_columns(table, "n", "Spearman\n95 %", "pairs\n95 %")
    add_number_columns(table, "calibrated -\nSpearman, 95 %", "all answers\npairs, 95 %")
    for name, signal in signals.items():
        part, lead = signal["without_copies"], signal["calibrated_ahead"]
        table.add_row(
            untrusted(name),
            str(part["n"]),
            _cell(part["spearman"]),
            _cell(part["pair_agreement"]),
            _cell(lead["spearman"], signed) if lead else "",
            _cell(lead["pair_agreement"], signed) if lead else "",
        )
    table.add_section()
    cells = [_cell(ceiling["spearman"]), _cell(ceiling["pair_agreement"])]
    table.add_row(_PEOPLE, str(ceiling["n"]), *cells, "", "")
    return table


def headline(document: CalibrationDocument) -> str:
    """Return the line above the tables: the file of grades and its counts."""
    grades = document["grades"]
    rows, questions, graders, copies = (
        grades[name] for name in ("rows", "questions", "graders", "copies")
    )
    pairs = next(iter(document["signals"].values()))["pair_agreement"]["n"]
    return (
        f"{grades['file']}: {rows} {plural(rows, 'answer')} to {questions} "
        f"{plural(questions, 'question')}, {graders} {plural(graders, 'grader')}; {copies} "
        f"{plural(copies, 'answer equals its', 'answers equal their')} reference; {pairs} "
        f"{plural(pairs, 'pair')} that people tell apart"
    )


def judge_lines(judge: JudgeBehaviour) -> list[str]:
    """Return two lines about a judge: its probability mass, and the agreement of its two orders."""
    orders, shift = judge["orders"], judge["orders"]["mean_difference"]
    errors, cut = judge["errors"], judge["cut"]
    mass = {name: exact_percent(estimate["mean"]) for name, estimate in judge["mass"].items()}
    return [
        f"judge {judge['model']}: probability mass on the grades {mass['ascending']} ascending, "
        f"{mass['descending']} descending; {errors} {plural(errors, 'verdict')} failed, {cut} "
        f"{plural(cut, 'is', 'are')} on texts cut to fit its window",
        f"its two orders agree: Spearman {_inline(orders['spearman'])}, kappa "
        f"{_inline(orders['quadratic_kappa'])}, the same grade on "
        f"{exact_percent(orders['same_grade'])} of {orders['n']} {plural(orders['n'], 'answer')}, "
        f"ascending - descending {signed(shift)}",
    ]


def formula_line(formula: Mapping[str, Any]) -> str:
    """Return the fitted formula as text: logistic(intercept + weight name ...)."""
    terms = " ".join(f"+ {weight:.2f} {name}" for name, weight in formula["weights"].items())
    return f"calibrated: logistic({formula['intercept']:.2f} {terms})"


def _cell(estimate: Estimate | None, style: NumberStyle = number) -> str:
    if estimate is None:
        return NONE
    joint = "-" if style is number else " to "
    return mean_over_interval(estimate["mean"], estimate["ci95"], style, joint)


def _inline(estimate: Estimate) -> str:
    """Return an estimate on one line: `.284 (.250-.310)`."""
    mean, _, interval = _cell(estimate).partition("\n")
    return f"{mean} ({interval})" if interval else mean

"""What is shown of a calibration: tables for a terminal of 100 columns."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from evaluation.calibration.calibration_document import Document, Judge, Signal
from evaluation.calibration.human_ceiling import Ceiling
from evaluation.calibration.score_agreement import Estimate
from evaluation.tables.layout import new_table, untrusted
from evaluation.tables.numbers import number

EXPLANATION = (
    "Each score is in [0, 1], higher is better, held against the mean grade of people. pairs: share "
    "of pairs of answers to one question, whose human means differ by 1 or more, that the score "
    "puts in the same order; a tie is half, a coin .500. kappa: quadratic, of grades 0 to 4. "
    "error: expected calibration error, ten bins, lower is better. people: one person's grades "
    "against the mean of the others'. 95 %: bootstrap over questions, 1,000 draws."
)
_PEOPLE = "people"


def agreement_table(signals: Mapping[str, Signal], ceiling: Ceiling) -> Table:
    """Return a row per score: how it agrees with people."""
    table = _table("score")
    for name in ("n\nunscored", "Spearman\n95 %", "Kendall\n95 %", "pairs\n95 %"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("kappa\n95 %", "error\n95 %"):
        table.add_column(name, justify="right", no_wrap=True)
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


def further_table(signals: Mapping[str, Signal], ceiling: Ceiling) -> Table:
    """Return a row per score: without copies of the reference, and how far `calibrated` is ahead."""
    table = _table("without answers\nequal to their reference")
    for name in ("n", "Spearman\n95 %", "pairs\n95 %"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("calibrated -\nSpearman, 95 %", "all answers\npairs, 95 %"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, signal in signals.items():
        part, lead = signal["without_copies"], signal["calibrated_ahead"]
        table.add_row(
            untrusted(name),
            str(part["n"]),
            _cell(part["spearman"]),
            _cell(part["pair_agreement"]),
            _cell(lead["spearman"], "+") if lead else "",
            _cell(lead["pair_agreement"], "+") if lead else "",
        )
    table.add_section()
    cells = [_cell(ceiling["spearman"]), _cell(ceiling["pair_agreement"])]
    table.add_row(_PEOPLE, str(ceiling["n"]), *cells, "", "")
    return table


def headline(found: Document) -> str:
    """Return what was measured."""
    grades = found["grades"]
    pairs = next(iter(found["signals"].values()))["pair_agreement"]["n"]
    return (
        f"{grades['file']}: {grades['rows']} answers to {grades['questions']} questions, "
        f"{grades['graders']} graders; {grades['copies']} answers equal their reference; {pairs} "
        "pairs that people tell apart"
    )


def judge_lines(judge: Judge) -> list[str]:
    """Return what was seen of the judge itself."""
    orders, mass = judge["orders"], judge["mass"]
    said = {name: _share(each["mean"]) for name, each in mass.items()}
    same = _share(orders["same_grade"])
    shift = orders["mean_difference"]
    moved = "none" if shift is None else f"{number(shift, '+')}"
    return [
        f"judge {judge['model']}: probability mass on the grades {said['ascending']} ascending, "
        f"{said['descending']} descending; {judge['errors']} verdicts failed, {judge['cut']} are on "
        "texts cut to fit its window",
        f"its two orders agree: Spearman {_inline(orders['spearman'])}, kappa "
        f"{_inline(orders['quadratic_kappa'])}, the same grade on {same} of {orders['n']} answers, "
        f"ascending - descending {moved}",
    ]


def formula_line(formula: Mapping[str, Any]) -> str:
    """Return the formula of the calibrated judge."""
    terms = " ".join(f"+ {weight:.2f} {name}" for name, weight in formula["weights"].items())
    return f"calibrated: logistic({formula['intercept']:.2f} {terms})"


def _table(first: str) -> Table:
    table = new_table()
    table.add_column(first, no_wrap=True)
    return table


def _cell(estimate: Estimate | None, sign: str = "") -> str:
    if estimate is None or estimate["mean"] is None:
        return "none"
    ends = estimate["ci95"]
    joint = " to " if sign else "-"
    interval = "none" if ends is None else _joined(ends, joint, sign)
    return f"{number(estimate['mean'], sign)}\n{interval}"


def _joined(ends: list[float], joint: str, sign: str) -> str:
    # A minus and a dash side by side cannot be told apart.
    return (" to " if min(ends) < 0 else joint).join(number(end, sign) for end in ends)


def _inline(estimate: Estimate) -> str:
    return _cell(estimate).replace("\n", " (") + (")" if estimate["mean"] is not None else "")


def _share(value: float | None) -> str:
    return "none" if value is None else f"{value:.1%}"

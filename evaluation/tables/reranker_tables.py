"""The tables of a fit of learned reranking."""

from typing import TYPE_CHECKING, Any

from rich.table import Table

from evaluation.analysis.headroom import LEARNED, ChoiceDifference
from evaluation.metrics.calibrated_judge import CALIBRATED_JUDGE
from evaluation.tables.layout import add_number_columns, new_table
from evaluation.tables.numbers import NO_INTERVAL, NONE, interval_text, percent, signed

if TYPE_CHECKING:
    from evaluation.reranking.fit_document import FitDocument

EXPLANATION = (
    "All figures are cross-validated: a question is picked for by a formula that did not see it. weight: "
    "for one standard deviation of the feature. worth: the mean rank of the picks among their candidates "
    "(0 is the last, 1 the best, mean over the metrics) minus that of formulas without the feature. "
    "none: the formula leaves the feature out. The intervals are not adjusted for their number."
)


def features_table(document: "FitDocument") -> Table:
    """Return a row for each feature."""
    table = new_table()
    table.add_column("feature", no_wrap=True)
    add_number_columns(table, "weight", "known", "worth", "95 %")
    table.add_column("what it is")
    for row in document["features"]:
        ends = row["ci95"]
        table.add_row(
            row["feature"],
            NONE if row["weight"] is None else signed(row["weight"]),
            percent(row["known"]),
            NONE if row["worth"] is None else signed(row["worth"], more=1),
            NONE if ends is None else interval_text(ends, signed),
            row["meaning"],
        )
    return table


def difference_lines(document: "FitDocument") -> list[str]:
    """Return a line for each metric: learned reranking against the first candidate."""
    return [
        f"{LEARNED} minus the first candidate, {metric}: {_difference_text(difference)}"
        for metric, difference in document["learned_minus_first"].items()
    ]


def confidence_lines(document: "FitDocument") -> list[str]:
    """Return a line on the picks with the higher expected scores; none if the fit has no expectation."""
    gain = document["judge_curve"]["half_gain"]
    if gain is None:
        return []
    return [
        f"the half of the questions with the higher expected scores minus all, {CALIBRATED_JUDGE.name}: "
        f"{signed(gain['mean_difference'])} (95 % {interval_text(gain['ci95'], signed)}, n {gain['n']})"
    ]


def _difference_text(difference: ChoiceDifference) -> str:
    mean, ends = difference["mean_difference"], difference["ci95"]
    if mean is None:
        return "too few questions to say"
    interval = NO_INTERVAL if ends is None else f"95 % {interval_text(ends, signed)}"
    return f"{signed(mean)} ({interval}, n {difference['n']})"


def figures(document: "FitDocument") -> dict[str, Any]:
    """Return the figures of a fit that its file keeps: of the picks, and of their gain."""
    return {
        metric: {
            "mean": ways[LEARNED]["score"]["mean"],
            "ci95": ways[LEARNED]["score"]["ci95"],
            "n": ways[LEARNED]["score"]["n"],
            "share_of_headroom": ways[LEARNED]["share"]["mean"],
            "minus_first": document["learned_minus_first"][metric]["mean_difference"],
            "minus_first_ci95": document["learned_minus_first"][metric]["ci95"],
        }
        for metric, ways in document["captured"]["metrics"].items()
    }


def headline(document: "FitDocument") -> str:
    """Return the line above the tables."""
    mean = document["candidates"] / document["questions"]
    return (
        f"{document['questions']} questions with {document['candidates']} candidates, "
        f"{mean:.1f} a question"
    )

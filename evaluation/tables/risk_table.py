"""The table of risk against coverage, and the lines below it."""

from collections.abc import Iterator
from math import floor

from rich.table import Table

from evaluation.analysis.risk_coverage import EXPECTED, RunCurves
from evaluation.metrics.registry import short_name
from evaluation.statistics.summaries import LEAST_RELIABLE
from evaluation.tables.layout import add_number_columns, new_table
from evaluation.tables.numbers import decimal, interval_text, number, percent, signed
from evaluation.tables.summary_columns import narrow_cell
from graph.support.text import plural

EXPLANATION = (
    "coverage: the share of the questions that are answered, those with the highest confidence. threshold: "
    "the lowest confidence among them; questions of equal confidence are in a random order. Each cell: their "
    "mean score and its 95 % interval, which takes the choice of the questions as given; risk is 1 minus the "
    f"mean. few: fewer than {LEAST_RELIABLE} questions. AURC: the mean risk over all coverages."
)
THRESHOLD_NOTE = (
    "A threshold of the expected score is the answer.abstain that gives this coverage; try one that was "
    "chosen here on other questions."
)


def risk_table(curves: RunCurves) -> Table:
    """Return a row for each coverage and a column for each metric that has scores."""
    table = new_table()
    table.padding = 0  # Six metrics fit into 110 columns only so.
    table.add_column("coverage\nquestions")
    kind = curves["confidence_kind"].replace(" ", "\n")
    add_number_columns(table, "threshold", f"mean\n{kind}")
    scored = {
        name: curve["scores"]
        for name, curve in curves["metrics"].items()
        if any(summary["n"] for summary in curve["scores"])
    }
    add_number_columns(table, *(f"{short_name(name)}\n95 %" for name in scored))
    for index, point in enumerate(curves["points"]):
        mark = ", few" if point["questions"] < LEAST_RELIABLE else ""
        table.add_row(
            f"{percent(point['coverage'])}\n{point['questions']}{mark}",
            decimal(_rounded_down(point["threshold"])),
            decimal(point["mean_confidence"]),
            *(narrow_cell(summaries[index]) for summaries in scored.values()),
        )
    return table


def counts_line(name: str, curves: RunCurves) -> str:
    """Return the line above the table of a run: its questions, and those that the curves leave out."""
    count = curves["questions"]
    parts = [f"{count} {plural(count, 'question')}", f"{curves['failed']} failed"]
    if curves["no_confidence"]:
        parts.append(f"{curves['no_confidence']} without a confidence, left out")
    if curves["withheld"]:
        parts.append(f"{curves['withheld']} withheld: the table ends before the first of them")
    return f"{name}: {', '.join(parts)}; confidence: {curves['confidence_kind']}"


def gain_lines(curves: RunCurves) -> Iterator[str]:
    """Yield a line for each metric: the more confident half against all, and the areas."""
    if not curves["points"]:
        yield f"fewer than {LEAST_RELIABLE} answered questions: no curve"
    for metric, curve in curves["metrics"].items():
        gain, area = curve["half_gain"], curve["area"]
        if gain and area:
            yield (
                f"{metric}: the more confident half minus all {signed(gain['mean_difference'])} "
                f"(95 % {interval_text(gain['ci95'], signed)}, n {gain['n']}); AURC "
                f"{number(area['measured'])}, random {number(area['random'])}, best possible "
                f"{number(area['best'])}"
            )


def explanation(curves: RunCurves) -> str:
    """Return the text below the table."""
    return (
        f"{EXPLANATION} {THRESHOLD_NOTE}" if curves["confidence_kind"] == EXPECTED else EXPLANATION
    )


def _rounded_down(threshold: float) -> float:
    """Return a threshold with three decimals that the questions of its row still reach."""
    return floor(threshold * 1000) / 1000

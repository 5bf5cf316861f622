"""The plots of the page: which figures are in which plot, and how each is labelled."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from markupsafe import Markup

from evaluation.analysis.comparison import verdict
from evaluation.analysis.costs import Cost
from evaluation.analysis.passage_quality import USE
from evaluation.analysis.risk_coverage import EXPECTED, RETRIEVAL, RunCurves
from evaluation.report.run_figures import Figures, ReportedRun
from evaluation.report.svg import Dot, Group, Line, Row, curve_plot, forest_plot, plane_plot
from evaluation.statistics.summaries import Summary
from evaluation.tables.numbers import (
    NONE,
    NumberStyle,
    decimal,
    interval_text,
    signed_decimal,
)
from graph.support.terminal import safe_text
from graph.support.text import plural

_LABEL_CHARS = 25
"""The longest label that fits beside its figures."""


class Panel(NamedTuple):
    """One plot with its caption and an explanation; `svg` is None where there is nothing to draw."""

    metric: str
    title: str
    svg: Markup | None
    explanation: str = ""


def mean_panels(figures: Figures) -> list[Panel]:
    """Return a panel for each metric: the mean of each run, the control's as a dashed line."""
    control = next(run for run in figures.runs if run.name == figures.control)
    panels = []
    for metric in figures.metrics:
        rows = [_mean_row(figures, index, metric) for index in range(len(figures.runs))]
        reference = control.metrics[metric]["mean"] if len(figures.runs) > 1 else None
        axis = "mean with its 95 % interval"
        svg = _forest([Group("", rows)], axis, f"{metric} by run", reference)
        panels.append(Panel(metric, metric, svg))
    return panels


def metric_panels(figures: Figures) -> list[Panel]:
    """Return the panels that are about one metric at a time, metric after metric."""
    return [
        panel
        for metric in figures.metrics
        for panel in (
            *_difference_panels(figures, metric),
            _gains_panel(figures, metric),
            _stages_panel(figures, metric),
            *_cost_panels(figures, metric),
            _outcomes_panel(figures, metric),
            *_risk_panels(figures, metric),
        )
    ]


def _mean_row(figures: Figures, index: int, metric: str) -> Row:
    run = figures.runs[index]
    difference = figures.difference(run.name, metric)
    hollow = difference is not None and verdict(difference) in ("not distinguishable", "no test")
    return _row(_label(run), run.metrics[metric], index, hollow=hollow)


def _difference_panels(figures: Figures, metric: str) -> list[Panel]:
    """Return the panel of each run's difference from the control; none for a single run."""
    if len(figures.runs) < 2:
        return []
    rows = []
    for index, run in enumerate(figures.runs):
        difference = figures.difference(run.name, metric)
        if difference is not None:
            mean, ends = difference["mean_difference"], difference["ci95"]
            text = _value_text(mean, ends, difference["n"], signed_decimal)
            hollow = not difference["distinguishable"]
            rows.append(Row(_label(run), mean, ends, text, index, hollow))
    axis = f"{metric} minus that of {_short(figures.control)}, 95 % interval"
    svg = _forest([Group("", rows)], axis, f"{metric}, difference from the control", 0.0)
    explanation = (
        "Question by question: the marks of the table follow from these. Hollow: not "
        "distinguishable."
    )
    return [Panel(metric, "Difference from the control", svg, explanation)]


def _gains_panel(figures: Figures, metric: str) -> Panel:
    """Return the panel of the gain of each stage where it ran, run by run."""
    groups = []
    for index, run in enumerate(figures.runs):
        rows = [
            _row(
                f"{stage}, {gain['changed']:,} changed",
                gain["metrics"][metric],
                index,
                signed_decimal,
            )
            for stage, gain in run.added.items()
            if metric in gain["metrics"]
        ]
        if rows:
            groups.append(Group(_label(run), rows))
    axis = f"{metric} after the stage minus before it, 95 % interval"
    svg = _forest(groups, axis, f"{metric}, what each stage added", 0.0)
    explanation = (
        "Over the questions that came to the stage; beside its name, how many got another answer."
        if svg
        else _no_stages(metric)
    )
    return Panel(metric, "What each stage added", svg, explanation)


def _stages_panel(figures: Figures, metric: str) -> Panel:
    """Return the panel of the score of the answer after each stage, run by run."""
    groups = []
    for index, run in enumerate(figures.runs):
        rows = [
            _row(stage, summaries[metric], index)
            for stage, summaries in run.stages.items()
            if metric in summaries
        ]
        if rows:
            groups.append(Group(_label(run), rows))
    svg = _forest(groups, f"{metric} after the stage, 95 % interval", f"{metric} by stage")
    explanation = (
        "A question that did not come to a stage keeps the answer that it had."
        if svg
        else _no_stages(metric)
    )
    return Panel(metric, "The answer after each stage", svg, explanation)


def _no_stages(metric: str) -> str:
    return f"Nothing to draw: only final answers have {metric}, or each run has only one stage."


def _outcomes_panel(figures: Figures, metric: str) -> Panel:
    """Return the panel of the score of the answer by what became of the relevant passages."""
    groups = [
        Group(
            _label(run),
            [_row(name, summaries[metric], index) for name, summaries in run.by_outcome.items()],
        )
        for index, run in enumerate(figures.runs)
        if run.by_outcome
    ]
    axis = f"{metric} of the questions with this outcome, 95 % interval"
    svg = _forest(groups, axis, f"{metric} by retrieval outcome")
    explanation = (
        "Questions whose relevant posts are known and in the corpus. An answer uses a passage if it "
        f"{USE}."
        if svg
        else "Nothing to draw: no run retrieves, or no question names its relevant posts."
    )
    return Panel(metric, "Answer score by retrieval outcome", svg, explanation)


def _cost_panels(figures: Figures, metric: str) -> list[Panel]:
    """Return the panels of quality against tokens and against seconds."""
    panels = []
    for name, unit, cost_of in _COSTS:
        dots = [
            dot
            for index, run in enumerate(figures.runs)
            if (dot := _dot(run, index, metric, cost_of(run))) is not None
        ]
        description = f"{metric} against {name}: " + "; ".join(
            f"{dot.label} {dot.x:,.1f}, {decimal(dot.y)}" for dot in dots
        )
        svg = plane_plot(dots, f"{unit} per question", metric, description) if dots else None
        explanation = "Lines are 95 % intervals both ways; the judge's calls are no cost of a run."
        if name == "seconds":
            explanation = " ".join([explanation, *_unmeasured_notes(figures)])
        panels.append(Panel(metric, f"Quality against {name}", svg, explanation))
    return panels


def _risk_panels(figures: Figures, metric: str) -> list[Panel]:
    """Return the panel of risk against coverage, if a run has a confidence for each question."""
    lines = []
    keys_by_kind: dict[str, list[str]] = {}
    for index, run in enumerate(figures.runs):
        if run.curves is not None and (points := _risk_points(run.curves, metric)):
            lines.append(Line(run.key, points, index))
            keys_by_kind.setdefault(run.curves["confidence_kind"], []).append(run.key)
    if not lines:
        return []
    kinds = ", ".join(f"{kind} ({', '.join(keys)})" for kind, keys in keys_by_kind.items())
    texts = (
        f"{line.label} {risk:.3f} at {coverage:.0%}"
        for line in lines
        for coverage, risk, _ in line.points
    )
    title = "Risk against coverage"
    svg = curve_plot(
        lines,
        "share of the questions that are answered",
        f"risk: 1 - {metric}",
        f"{title}, {metric}: {', '.join(texts)}; confidence: {kinds}",
    )
    explanation = (
        f"Confidence: {kinds}. The questions with the highest confidence are answered first, so a curve "
        "that rises to the right knows its weak answers."
    )
    if RETRIEVAL in keys_by_kind:
        explanation += " The retrieval score is that of the first passage."
    if EXPECTED in keys_by_kind:
        explanation += " answer.abstain withholds answers with a low expected score."
    return [Panel(metric, title, svg, explanation)]


def _risk_points(curves: RunCurves, metric: str) -> list[tuple[float, float, list[float] | None]]:
    if metric not in curves["metrics"]:
        return []
    scores = curves["metrics"][metric]["scores"]
    return [
        (point["coverage"], 1 - score["mean"], _risk_ends(score["ci95"]))
        for point, score in zip(curves["points"], scores, strict=True)
        if score["mean"] is not None
    ]


def _risk_ends(ends: list[float] | None) -> list[float] | None:
    return None if ends is None else [1 - end for end in reversed(ends)]


def _tokens(run: ReportedRun) -> Summary | None:
    return run.cost.tokens


def _seconds(run: ReportedRun) -> Summary | None:
    return run.cost.seconds


_COSTS: tuple[tuple[str, str, Callable[[ReportedRun], Summary | None]], ...] = (
    ("tokens", "tokens read and written", _tokens),
    ("seconds", "seconds of model calls", _seconds),
)


def cached_text(cost: Cost) -> str:
    """Return the reason why the seconds of a run's calls are not known."""
    calls = plural(cost.calls, "call")
    return f"{cost.cached:,} of {cost.calls:,} {calls} came from the cache"


def _unmeasured_notes(figures: Figures) -> list[str]:
    return [
        f"{run.key}: not measured: {cached_text(run.cost)}."
        for run in figures.runs
        if run.cost.seconds is None
    ]


def _dot(run: ReportedRun, index: int, metric: str, cost: Summary | None) -> Dot | None:
    summary = run.metrics[metric]
    if summary["mean"] is None or cost is None or cost["mean"] is None:
        return None
    return Dot(run.key, cost["mean"], summary["mean"], cost["ci95"], summary["ci95"], index)


def _row(
    label: str,
    summary: Summary,
    colour: int,
    style: NumberStyle = decimal,
    *,
    hollow: bool = False,
) -> Row:
    text = _value_text(summary["mean"], summary["ci95"], summary["n"], style)
    text += f", {summary['unscored']:,} unscored" if summary["unscored"] else ""
    return Row(label, summary["mean"], summary["ci95"], text, colour, hollow)


def _value_text(
    mean: float | None, ends: list[float] | None, n: int, style: NumberStyle = decimal
) -> str:
    if mean is None:
        return f"{NONE}, n {n:,}"
    return f"{style(mean)} ({interval_text(ends, style)}), n {n:,}"


def _forest(
    groups: Sequence[Group], axis: str, title: str, reference: float | None = None
) -> Markup | None:
    rows = [(group.heading, row) for group in groups for row in group.rows]
    if not rows:
        return None
    texts = (" ".join(f"{heading} {r.label} {r.value_text}".split()) for heading, r in rows)
    return forest_plot(groups, axis, f"{title}: {'; '.join(texts)}", reference)


def _label(run: ReportedRun) -> str:
    return f"{run.key}  {_short(run.name)}"


def _short(name: str) -> str:
    text = " ".join(safe_text(name).split())
    return text if len(text) <= _LABEL_CHARS else text[: _LABEL_CHARS - 1] + "…"

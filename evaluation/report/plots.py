"""The plots of the page: which figures stand in which."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from markupsafe import Markup

from evaluation.analysis.comparison import verdict
from evaluation.report.figures import Figures, Reported
from evaluation.report.svg import Dot, Group, Row, forest, plane
from evaluation.statistics.summaries import Summary
from graph.support.terminal import safe_text

_LABEL = 25
"""Characters of a label that fit beside its figures."""


class Panel(NamedTuple):
    """One plot with its caption and what to know about it; `svg` None where nothing can be drawn."""

    metric: str
    title: str
    svg: Markup | None
    explains: str = ""


def means(figures: Figures) -> list[Panel]:
    """Each metric by run, the control's mean as a dashed line."""
    control = next(each for each in figures.runs if each.name == figures.control)
    panels = []
    for metric in figures.metrics:
        rows = [_mean_row(figures, place, metric) for place in range(len(figures.runs))]
        line = control.metrics[metric]["mean"] if len(figures.runs) > 1 else None
        svg = _forest([Group("", rows)], "mean with its 95 % interval", f"{metric} by run", line)
        panels.append(Panel(metric, metric, svg))
    return panels


def by_metric(figures: Figures) -> list[Panel]:
    """Everything that is drawn for one metric at a time, metric after metric."""
    return [
        panel
        for metric in figures.metrics
        for panel in (
            *_differences(figures, metric),
            _added(figures, metric),
            _stages(figures, metric),
            *_costs(figures, metric),
            _outcomes(figures, metric),
        )
    ]


def _differences(figures: Figures, metric: str) -> list[Panel]:
    """What each run adds to the control, question by question."""
    if len(figures.runs) < 2:
        return []
    rows = []
    for place, each in enumerate(figures.runs):
        found = figures.difference(each.name, metric)
        if found is not None:
            mean, ends = found["mean_difference"], found["ci95"]
            said = _said(mean, ends, found["n"], "+")
            hollow = not found["distinguishable"]
            rows.append(Row(_label(each.key, each.name), mean, ends, said, place, hollow))
    axis = f"{metric} minus that of {_short(figures.control)}, 95 % interval"
    svg = _forest([Group("", rows)], axis, f"{metric}, difference from the control", 0.0)
    explains = "Question by question: what the table's marks rest on. Hollow: not distinguishable."
    return [Panel(metric, "Difference from the control", svg, explains)]


def _added(figures: Figures, metric: str) -> Panel:
    """What each stage added where it ran, run by run."""
    groups = []
    for place, each in enumerate(figures.runs):
        rows = [
            _row(f"{stage}, {found['changed']:,} changed", found["metrics"][metric], place, "+")
            for stage, found in each.added.items()
            if metric in found["metrics"]
        ]
        if rows:
            groups.append(Group(_label(each.key, each.name), rows))
    axis = f"{metric} after the stage minus before it, 95 % interval"
    svg = _forest(groups, axis, f"{metric}, what each stage added", 0.0)
    explains = (
        "Over the questions that came to the stage; beside its name, how many got another answer."
        if svg
        else _no_stages(metric)
    )
    return Panel(metric, "What each stage added", svg, explains)


def _stages(figures: Figures, metric: str) -> Panel:
    """The score of the answer after each stage, run by run."""
    groups = []
    for place, each in enumerate(figures.runs):
        rows = [
            _row(stage, summaries[metric], place)
            for stage, summaries in each.stages.items()
            if metric in summaries
        ]
        if rows:
            groups.append(Group(_label(each.key, each.name), rows))
    svg = _forest(groups, f"{metric} after the stage, 95 % interval", f"{metric} by stage")
    explains = (
        "A question that did not come to a stage keeps the answer that it had."
        if svg
        else _no_stages(metric)
    )
    return Panel(metric, "The answer after each stage", svg, explains)


def _no_stages(metric: str) -> str:
    return f"Nothing to draw: {metric} is known of last answers alone, or each run has one stage alone."


def _outcomes(figures: Figures, metric: str) -> Panel:
    """The score of the answer by what became of the relevant passages."""
    groups = [
        Group(
            _label(each.key, each.name),
            [_row(name, summaries[metric], place) for name, summaries in each.by_outcome.items()],
        )
        for place, each in enumerate(figures.runs)
        if each.by_outcome
    ]
    axis = f"{metric} of the questions with this outcome, 95 % interval"
    svg = _forest(groups, axis, f"{metric} by retrieval outcome")
    explains = (
        "Questions whose relevant posts are known. An answer used a passage if it cites its number "
        "or shares eight words in a row with it."
        if svg
        else "Nothing to draw: no run retrieves, or no question names its relevant posts."
    )
    return Panel(metric, "Answer score by retrieval outcome", svg, explains)


def _costs(figures: Figures, metric: str) -> list[Panel]:
    """Quality against tokens and against seconds."""
    panels = []
    for what, unit, of in _COSTS:
        dots = [
            dot
            for place, each in enumerate(figures.runs)
            if (dot := _dot(each, place, metric, of(each))) is not None
        ]
        says = f"{metric} against {what}: " + "; ".join(
            f"{dot.label} {dot.x:,.1f}, {dot.y:.3f}" for dot in dots
        )
        svg = plane(dots, f"{unit} a question", metric, says) if dots else None
        explains = "Lines are 95 % intervals both ways; the judge's calls are no cost of a run."
        if what == "seconds":
            explains = " ".join([explains, *_not_measured(figures)])
        panels.append(Panel(metric, f"Quality against {what}", svg, explains))
    return panels


def _tokens(run: Reported) -> Summary | None:
    return run.cost.tokens


def _seconds(run: Reported) -> Summary | None:
    return run.cost.seconds


_COSTS: tuple[tuple[str, str, Callable[[Reported], Summary | None]], ...] = (
    ("tokens", "tokens read and written", _tokens),
    ("seconds", "seconds of model calls", _seconds),
)


def _not_measured(figures: Figures) -> list[str]:
    return [
        f"{each.key}: not measured: {each.cost.cached:,} of {each.cost.calls:,} calls came from "
        "the cache."
        for each in figures.runs
        if each.cost.seconds is None
    ]


def _dot(run: Reported, place: int, metric: str, cost: Summary | None) -> Dot | None:
    summary = run.metrics[metric]
    if summary["mean"] is None or cost is None or cost["mean"] is None:
        return None
    return Dot(run.key, cost["mean"], summary["mean"], cost["ci95"], summary["ci95"], place)


def _mean_row(figures: Figures, place: int, metric: str) -> Row:
    each = figures.runs[place]
    found = figures.difference(each.name, metric)
    hollow = found is not None and verdict(found) in ("not distinguishable", "no test")
    return _row(_label(each.key, each.name), each.metrics[metric], place, hollow=hollow)


def _row(label: str, summary: Summary, place: int, sign: str = "", *, hollow: bool = False) -> Row:
    said = _said(summary["mean"], summary["ci95"], summary["n"], sign)
    said += f", {summary['unscored']:,} unscored" if summary["unscored"] else ""
    return Row(label, summary["mean"], summary["ci95"], said, place, hollow)


def _said(mean: float | None, ends: list[float] | None, n: int, sign: str = "") -> str:
    if mean is None:
        return f"none, n {n:,}"
    interval = "no interval" if ends is None else f"{ends[0]:{sign}.3f} to {ends[1]:{sign}.3f}"
    return f"{mean:{sign}.3f} ({interval}), n {n:,}"


def _forest(
    groups: Sequence[Group], axis: str, says: str, line: float | None = None
) -> Markup | None:
    rows = [(group.heading, row) for group in groups for row in group.rows]
    if not rows:
        return None
    text = "; ".join(" ".join(f"{head} {row.label} {row.said}".split()) for head, row in rows)
    return forest(groups, axis, f"{says}: {text}", line)


def _label(key: str, name: str) -> str:
    return f"{key}  {_short(name)}"


def _short(name: str) -> str:
    text = " ".join(safe_text(name).split())
    return text if len(text) <= _LABEL else text[: _LABEL - 1] + "…"

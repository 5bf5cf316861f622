"""Several configs over the same questions: one table at the end, and what beats the control."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.box import SIMPLE_HEAD
from rich.table import Table

from evaluation.analysis.comparison import Difference, adjust, difference, pairs
from evaluation.analysis.run_results import Results, tokens_of
from evaluation.answering.model_calls import Calls, answering, calls_of
from evaluation.metrics.registry import metric_names
from evaluation.statistics.summaries import Summary
from evaluation.store.recorded_run import RecordedRun, read_run
from evaluation.tables.comparison_table import verdict
from evaluation.tables.ranking_tables import number
from evaluation.tables.results_tables import SHORT

CONTROLS = ("extract", "baseline")
"""What the others are compared with: the first of these that was run, else the first run."""


class Grid(NamedTuple):
    """What a table of several configs says besides their means."""

    control: str
    differences: list[Difference]
    tokens: dict[str, int]
    """Read and written by each run for its answers; those of the judge are no cost of a config."""
    calls: dict[str, Calls]
    """Of each run, those of the judge among them."""


def compare_with_control(folders: Mapping[str, Path]) -> Grid:
    """Compare each run with the control, question by question; Holm's adjustment over all tests."""
    runs: dict[str, RecordedRun] = {name: read_run(folder) for name, folder in folders.items()}
    control = control_of(runs)
    found = [
        difference(pairs(run, runs[control]), metric, name, control)
        for name, run in runs.items()
        if name != control
        for metric in metric_names(r["metrics"] for each in runs.values() for r in each.records)
    ]
    adjust(found)
    return Grid(
        control,
        found,
        {name: _tokens(run) for name, run in runs.items()},
        {name: calls_of(run.records) for name, run in runs.items()},
    )


def control_of(runs: Mapping[str, RecordedRun]) -> str:
    """Return the name of the run that the others are compared with."""
    return next(
        (name for wanted in CONTROLS for name, run in runs.items() if run.config == wanted),
        next(iter(runs)),
    )


def _tokens(run: RecordedRun) -> int:
    spent = tokens_of(answering(run.records))
    return spent["prompt"] + spent["new"]


def grid_table(results: Sequence[Results], tokens: Mapping[str, int]) -> Table:
    """Return a row per config: means with their intervals, and tokens a question."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("config\nn, failed", overflow="fold")
    names = metric_names(each["metrics"] for each in results)
    for name in names:
        table.add_column(f"{SHORT.get(name, name)}\n95 %", justify="right", no_wrap=True)
    table.add_column("tokens a\nquestion", justify="right", no_wrap=True)
    for each in results:
        table.add_row(
            f"{_wrapped(each['config'])}\n{each['n']}, {each['failed']}",
            *(_cell(each["metrics"][name]) for name in names),
            f"{tokens[each['config']] / max(1, each['n']):,.0f}",
        )
    return table


def verdicts(grid: Grid) -> list[str]:
    """Return a line for each config: on which metrics it is better or worse than the control."""
    lines = []
    for name in dict.fromkeys(each["a"] for each in grid.differences):
        said: dict[str, list[str]] = {"better": [], "worse": []}
        for each in grid.differences:
            if each["a"] == name and verdict(each) in said:
                said[verdict(each)].append(each["metric"])
        parts = [f"{word} in {', '.join(metrics)}" for word, metrics in said.items() if metrics]
        lines.append(
            f"{name} against {grid.control}: {'; '.join(parts) or 'not distinguishable'}"
            + _worth(grid.control, said["better"])
        )
    return lines


def _worth(control: str, better: Sequence[str]) -> str:
    if control != "extract" or better:
        return "."
    return "; not shown to be worth its tokens."


def _cell(summary: Summary) -> str:
    if summary["mean"] is None:
        return "none"
    mean, ends = number(summary["mean"]), summary["ci95"]
    interval = "" if ends is None else f"{number(ends[0])}-{number(ends[1])}"
    unscored = f" ({summary['unscored']} un.)" if summary["unscored"] else ""
    return f"{mean}{unscored}\n{interval}"


def _wrapped(name: str, width: int = 16) -> str:
    """Break a long config name behind its underscores."""
    lines = [""]
    for part in re.split(r"(?<=_)", name):
        if len(lines[-1] + part) > width and lines[-1]:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def calls_line(grid: Grid) -> str:
    """Return how many model calls of each run were made for it, and how many were kept ones."""
    said = "; ".join(f"{name} {calls}" for name, calls in grid.calls.items())
    return f"Model calls: {said}."

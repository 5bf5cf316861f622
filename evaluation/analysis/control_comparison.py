"""Several configs over the same questions: one table at the end, and what beats the control."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from evaluation.analysis.comparison import Difference, adjust, difference, paired_records, verdict
from evaluation.answering.model_calls import Calls, count_calls, tokens_of, without_judging
from evaluation.metrics.registry import metric_names
from evaluation.store.recorded_run import RecordedRun, read_run

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
        difference(paired_records(run, runs[control]), metric, name, control)
        for name, run in runs.items()
        if name != control
        for metric in metric_names(r["metrics"] for each in runs.values() for r in each.records)
    ]
    adjust(found)
    return Grid(
        control,
        found,
        {name: _tokens(run) for name, run in runs.items()},
        {name: count_calls(run.records) for name, run in runs.items()},
    )


def control_of(runs: Mapping[str, RecordedRun]) -> str:
    """Return the name of the run that the others are compared with."""
    return next(
        (name for wanted in CONTROLS for name, run in runs.items() if run.config == wanted),
        next(iter(runs)),
    )


def _tokens(run: RecordedRun) -> int:
    spent = tokens_of(without_judging(run.records))
    return spent["prompt"] + spent["new"]


def verdict_lines(grid: Grid) -> list[str]:
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

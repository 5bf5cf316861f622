"""Comparison of several configs with the control: conclusions, and the cost of each config."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from evaluation.analysis.comparison import (
    Difference,
    adjust,
    metric_difference,
    paired_records,
    verdict,
)
from evaluation.answering.model_calls import Calls, count_calls, tokens_of, without_judging
from evaluation.metrics.registry import metric_names
from evaluation.store.recorded_run import RecordedRun, read_run

CONTROLS = ("extract", "baseline")
"""Configs that serve as the control: the first of these among the runs, else the first run."""


class ControlComparison(NamedTuple):
    """The differences of runs from the control, and the cost of each run."""

    control: str
    """Name of the run that the others are compared with."""
    differences: list[Difference]
    """Of each run minus the control."""
    tokens: dict[str, int]
    """Tokens of each run's answers, prompts and replies; the judge's are no cost of a config."""
    calls: dict[str, Calls]
    """Model calls of each run, the judge's included."""


def compare_with_control(folders: Mapping[str, Path]) -> ControlComparison:
    """Compare each run with the control, paired by question; Holm's adjustment is over all tests.

    Args:
        folders: The run folders by name.
    """
    runs: dict[str, RecordedRun] = {name: read_run(folder) for name, folder in folders.items()}
    control = control_of(runs)
    metrics = metric_names(record["metrics"] for run in runs.values() for record in run.records)
    differences = [
        metric_difference(paired_records(run, runs[control]), metric, name, control)
        for name, run in runs.items()
        if name != control
        for metric in metrics
    ]
    adjust(differences)
    return ControlComparison(
        control,
        differences,
        {name: _answer_tokens(run) for name, run in runs.items()},
        {name: count_calls(run.records) for name, run in runs.items()},
    )


def control_of(runs: Mapping[str, RecordedRun]) -> str:
    """Return the name of the run that the others are compared with."""
    return next(
        (name for config in CONTROLS for name, run in runs.items() if run.config == config),
        next(iter(runs)),
    )


def verdict_lines(control: str, differences: Sequence[Difference]) -> list[str]:
    """Return a line for each run: the metrics by which it is better or worse than the control."""
    lines = []
    for name in dict.fromkeys(difference["a"] for difference in differences):
        metrics: dict[str, list[str]] = {"better": [], "worse": []}
        for difference in differences:
            if difference["a"] == name and verdict(difference) in metrics:
                metrics[verdict(difference)].append(difference["metric"])
        parts = [f"{word} in {', '.join(names)}" for word, names in metrics.items() if names]
        # `extract` uses no model: a config has to beat it to be worth its tokens.
        unproven = control == "extract" and not metrics["better"]
        lines.append(
            f"{name} against {control}: {'; '.join(parts) or 'not distinguishable'}"
            + ("; not shown to be worth its tokens." if unproven else ".")
        )
    return lines


def _answer_tokens(run: RecordedRun) -> int:
    tokens = tokens_of(without_judging(run.records))
    return tokens["prompt"] + tokens["new"]

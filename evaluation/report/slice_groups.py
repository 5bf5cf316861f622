"""The slices of a report, by dimension: the figures of each run or pair of runs side by side."""

from typing import NamedTuple

from evaluation.analysis.slices import DEFINITIONS, Slice
from evaluation.report.run_figures import Figures
from evaluation.statistics.summaries import Summary

_TITLES = {
    "length": "Length of the question",
    "code": "Code or prose",
    "type": "Type of question",
    "retrieval": "Retrieval of the relevant posts",
    "tag": "Tag",
}


class RunSlices(NamedTuple):
    """The slices of one run, or of a run minus the control."""

    names: list[str]
    """The name of the run, or those of run and control."""
    slices: list[Slice]


class SliceGroup(NamedTuple):
    """One dimension with the slices of all runs that it divides."""

    title: str
    definition: str
    metrics: list[str]
    runs: list[RunSlices]

    @property
    def composition(self) -> list[tuple[str, int]]:
        """The number of questions in each slice; empty if it differs from pair to pair of runs."""
        first, *others = [[(s["name"], s["questions"]) for s in run.slices] for run in self.runs]
        return first if all(other == first for other in others) else []


def slice_groups(figures: Figures) -> list[SliceGroup]:
    """Return the dimensions of a report that divide the questions."""
    groups = []
    for name, title in _TITLES.items():
        runs = [
            RunSlices([n for n in (result["a"], result["b"]) if n is not None], dimension["slices"])
            for result in figures.slices
            for dimension in result["dimensions"]
            if dimension["name"] == name and dimension["slices"]
        ]
        present = {metric for run in runs for metric in run.slices[0]["metrics"]}
        metrics = [metric for metric in figures.metrics if metric in present]
        if runs:
            groups.append(SliceGroup(title, DEFINITIONS[name], metrics, runs))
    return groups


def direction(part: Slice, metric: str) -> str:
    """Return `better` or `worse` if the interval of a difference lies beside 0, else no text.

    Slices of few questions have none.
    """
    summary: Summary | None = part["metrics"].get(metric)
    if summary is None or summary["ci95"] is None or part["few"]:
        return ""
    low, high = summary["ci95"]
    return "better" if low > 0 else "worse" if high < 0 else ""

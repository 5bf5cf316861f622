"""The document of `slices`: means of each run by slice, differences from the control, and notes."""

from collections.abc import Mapping, Sequence
from typing import TypedDict

from evaluation.analysis.comparison import named_runs, pair_notes, paired_records, unlike_metrics
from evaluation.analysis.comparison_document import RunSummary, run_summary
from evaluation.analysis.control_comparison import control_of
from evaluation.analysis.slices import Dimension, pair_slices, run_slices
from evaluation.store.recorded_run import RecordedRun
from graph.support.errors import DatasetError
from graph.support.text import plural


class SlicedRuns(TypedDict):
    """The means of run `a` by slice; with `b`, the mean differences of `a` minus `b`, the control."""

    a: str
    b: str | None
    dimensions: list[Dimension]


class SlicesDocument(TypedDict):
    """The JSON document of `slices --json`."""

    runs: list[RunSummary]
    means: list[SlicedRuns]
    differences: list[SlicedRuns]
    """Empty for a single run."""
    notes: list[str]


def slices_document(
    recorded: list[RecordedRun], further_notes: Sequence[str] = ()
) -> SlicesDocument:
    """Slice the questions of runs.

    Args:
        recorded: At least one run.
        further_notes: Added to the notes.

    Raises:
        ConfigError: Two of the runs are the same.
        DatasetError: A run has no finished question, or shares none with the control.
    """
    runs = named_runs(recorded)
    notes = []
    for name, run in runs.items():
        if not run.records:
            raise DatasetError(
                f"{run.folder} holds no finished question: there is nothing to slice"
            )
        if not run.finished:
            notes.append(f"{name}: unfinished, {run.progress}: every figure is of those alone.")
    control = control_of(runs)
    for name, run in runs.items():
        if name != control:
            notes += [f"{name} - {control}: {note}" for note in _notes(run, runs[control])]
    differences = differences_by_slice(runs)
    return {
        "runs": [run_summary(name, run) for name, run in runs.items()],
        "means": [means_by_slice(name, run) for name, run in runs.items()],
        "differences": differences,
        "notes": [*notes, *further_notes, *chance_notes(differences)],
    }


def means_by_slice(name: str, run: RecordedRun) -> SlicedRuns:
    """Return the means of a run."""
    return {"a": name, "b": None, "dimensions": run_slices(run)}


def differences_by_slice(runs: Mapping[str, RecordedRun]) -> list[SlicedRuns]:
    """Return the differences of each run from the control, as `control_of` names it.

    Args:
        runs: By name.
    """
    control = control_of(runs)
    return [
        {"a": name, "b": control, "dimensions": pair_slices(run, runs[control])}
        for name, run in runs.items()
        if name != control
    ]


def left_out_lines(results: Sequence[SlicedRuns]) -> list[str]:
    """Return a line for each dimension that is left out, and for each of its reasons once."""
    lines = [
        f"{dimension['name']} is left out: {dimension['left_out']}."
        for result in results
        for dimension in result["dimensions"]
        if dimension["left_out"]
    ]
    return list(dict.fromkeys(lines))


def chance_notes(results: Sequence[SlicedRuns]) -> list[str]:
    """Return a note on the number of intervals of differences; none if there are means alone."""
    count = sum(
        summary["ci95"] is not None
        for result in results
        if result["b"] is not None
        for dimension in result["dimensions"]
        for part in dimension["slices"]
        for summary in part["metrics"].values()
    )
    if not count:
        return []
    return [
        f"{count} {plural(count, 'interval')} of differences, not adjusted for their number: by chance "
        "alone one in 20 would not hold 0 if the runs did not differ. A slice that gains is a question "
        "for another run, not a result."
    ]


def _notes(run: RecordedRun, control: RecordedRun) -> list[str]:
    shared = len(paired_records(run, control))
    if not shared:
        raise DatasetError(
            f"{run.folder} and {control.folder} share no finished question with the same reference: "
            "compare runs of the same dataset"
        )
    return pair_notes(run, control, shared, unlike_metrics(run, control))

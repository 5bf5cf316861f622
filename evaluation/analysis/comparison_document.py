"""The document of a comparison: the runs, their differences by pair and metric, and notes."""

from collections.abc import Sequence
from typing import TypedDict

from evaluation.analysis.comparison import Difference, compare, named_runs
from evaluation.statistics.paired_tests import ALPHA, PERMUTATIONS
from evaluation.store.recorded_run import RecordedRun
from graph.support.errors import DatasetError
from graph.support.logger import log


class RunSummary(TypedDict):
    """One of the compared runs."""

    name: str
    folder: str
    config: str
    profile: str
    questions: int
    """Questions that the run has to answer."""
    finished: int
    """Questions with a record, failed ones included."""
    failed: int


class ComparisonDocument(TypedDict):
    """The JSON document of `compare --json`."""

    pairs: list[Difference]
    runs: list[RunSummary]
    notes: list[str]


def comparison_document(
    recorded: list[RecordedRun], further_notes: Sequence[str] = ()
) -> ComparisonDocument:
    """Compare the runs; each is compared with those before it.

    Args:
        recorded: At least two runs.
        further_notes: Added to the notes of the comparison.

    Raises:
        ConfigError: Two of the runs are the same.
        DatasetError: A run has no finished question, or two runs share none.
    """
    runs = named_runs(recorded)
    unfinished = []
    for name, run in runs.items():
        if not run.records:
            raise DatasetError(f"{run.folder} holds no finished question: nothing to compare")
        if not run.finished:
            note = _unfinished_note(run)
            unfinished.append(f"{name}: {note}")
            log.warning("%s: %s", " ".join(name.split()), note)
    differences, notes = compare(runs)
    return {
        "pairs": differences,
        "runs": [run_summary(name, run) for name, run in runs.items()],
        "notes": [*unfinished, *notes, *further_notes, *_power_notes(differences)],
    }


def _unfinished_note(run: RecordedRun) -> str:
    return f"unfinished, {run.progress}: compared on those alone."


def _power_notes(differences: Sequence[Difference]) -> list[str]:
    """Return a note if Holm's adjustment leaves even the smallest possible p above `ALPHA`."""
    tests = sum(difference["test"] == "permutation" for difference in differences)
    if tests / (PERMUTATIONS + 1) < ALPHA:
        return []
    return [
        f"{tests} tests at once: after Holm's adjustment no permutation test of {PERMUTATIONS:,} "
        "draws can find a difference; compare fewer runs."
    ]


def run_summary(name: str, run: RecordedRun) -> RunSummary:
    """Return the summary of a run."""
    return {
        "name": name,
        "folder": str(run.folder),
        "config": run.config,
        "profile": run.profile,
        "questions": run.questions,
        "finished": len(run.records),
        "failed": run.failed,
    }

"""The gate of `compare --fail-if-worse`: each later run against the first, by the named metrics alone.

A gate that cannot decide is an error: other questions, an unfinished run, other metrics, or no test.
"""

from collections.abc import Mapping, Sequence
from typing import TypedDict

from evaluation.analysis.comparison import (
    Difference,
    Pairs,
    adjust,
    cause_notes,
    doubts,
    metric_difference,
    named_runs,
    paired_records,
    unlike_metrics,
    valueless_metrics,
    verdict,
)
from evaluation.analysis.comparison_document import ComparisonDocument, run_summary
from evaluation.metrics.registry import METRICS, ON_REQUEST, metric_names
from evaluation.statistics.paired_tests import ALPHA, PERMUTATIONS
from evaluation.store.recorded_run import RecordedRun
from graph.support.errors import ConfigError, DatasetError
from graph.support.text import plural, suggestion


class Gate(TypedDict):
    """The decision of the gate."""

    baseline: str
    """Name of the first run, run `b` of every pair."""
    metrics: list[str]
    tests: int
    """Number of tests, which Holm's adjustment is over."""
    worse: list[list[str]]
    """Pairs of a run's name and a metric by which the run is worse than the baseline."""


class GateDocument(ComparisonDocument):
    """The JSON document of `compare --fail-if-worse --json`; its pairs are the gate's tests."""

    gate: Gate


def gate_document(
    recorded: list[RecordedRun], metrics: Sequence[str], further_notes: Sequence[str] = ()
) -> GateDocument:
    """Test each later run against the first by the named metrics.

    Args:
        recorded: At least two runs, the baseline first. Copies of one run may be among them, since
            a change of the code need not change an answer.
        metrics: Names of metrics.
        further_notes: Added to the notes of the comparison.

    Raises:
        ConfigError: A folder is named twice, or no run has a score of a metric.
        DatasetError: The runs do not hold the same questions, one is not finished, other code
            scored them, or a test cannot be made or cannot find a run worse.
    """
    runs = named_runs(recorded, copies=True)
    _check_metrics(metrics, runs)
    baseline, *later = runs
    metrics_code = runs[baseline].identity["metrics"]
    differences, notes = [], []
    for name in later:
        pairs = _all_pairs(runs[name], runs[baseline])
        notes += [
            f"{name} - {baseline}: {note}" for note in cause_notes(runs[name], runs[baseline])
        ]
        unlike = unlike_metrics(runs[name], runs[baseline])
        for metric in metrics:
            if metric in unlike:
                raise DatasetError(
                    f"--fail-if-worse {metric}: another {unlike[metric]} measured it in {name} than in "
                    f"{baseline}, so its scores cannot be compared: use the same one for all runs"
                )
            if _is_of_run(metric) and runs[name].identity["metrics"] != metrics_code:
                raise DatasetError(
                    f"--fail-if-worse {metric}: other code of the metrics scored {name} than {baseline}, so "
                    "its scores cannot be compared: answer with both versions and the same folder "
                    "evaluation/metrics"
                )
            differences.append(_difference(pairs, metric, name, baseline))
    _check_power(differences)
    adjust(differences)
    for difference in differences:
        label = f"{difference['a']} - {baseline}, {difference['metric']}"
        notes += [f"{label}: {note}" for note in doubts(difference)]
    return {
        "pairs": differences,
        "runs": [run_summary(name, run) for name, run in runs.items()],
        "notes": [*notes, *further_notes],
        "gate": {
            "baseline": baseline,
            "metrics": [*metrics],
            "tests": len(differences),
            "worse": [[d["a"], d["metric"]] for d in differences if verdict(d) == "worse"],
        },
    }


def _is_of_run(metric: str) -> bool:
    """Tell whether runs measure the metric themselves: that of a later pass has its code in its name."""
    return metric in {known.name for known in (*METRICS, *ON_REQUEST)}


def _check_power(differences: Sequence[Difference]) -> None:
    """Check that each test could find a run worse.

    Raises:
        DatasetError: A test has too few questions for a p below `ALPHA`, whatever their scores.
    """
    tests = len(differences)
    # Of the 2**n sign patterns, at least the observed one and its opposite are extreme.
    least = [max(2.0 ** (1 - d["n"]), 1 / (PERMUTATIONS + 1)) for d in differences]
    # Holm multiplies the smallest p by the number of tests, and the largest by 1.
    if tests * min(least) < ALPHA and max(least) < ALPHA:
        return
    weakest = min(differences, key=lambda difference: difference["n"])
    raise DatasetError(
        f"--fail-if-worse: {tests} {plural(tests, 'test')}, of which {weakest['metric']} of "
        f"{weakest['a']} has {weakest['n']} questions ({weakest['unscored']} unscored, "
        f"{weakest['failed']} failed), cannot find a run worse, whatever its scores: use more questions, "
        "or fewer metrics and runs"
    )


def _check_metrics(metrics: Sequence[str], runs: Mapping[str, RecordedRun]) -> None:
    records = [record for run in runs.values() for record in run.records]
    names = metric_names(record["metrics"] for record in records)
    valueless = valueless_metrics(runs.values())
    scored = [name for name in names if name not in valueless]
    for metric in metrics:
        if metric not in names:
            raise ConfigError(
                f"--fail-if-worse: there is no metric {metric!r}; {suggestion(metric, scored)}; the "
                f"runs have scores of {', '.join(scored) or 'none'}"
            )
        if metric not in scored:
            raise ConfigError(
                f"--fail-if-worse {metric}: no run has a score of it; the runs have scores of "
                f"{', '.join(scored) or 'none'}"
            )


def _all_pairs(run: RecordedRun, baseline: RecordedRun) -> Pairs:
    """Return the pairs of all questions of two runs.

    Raises:
        DatasetError: A run is not finished, or holds a question that the other one lacks.
    """
    for either in (baseline, run):
        if not either.finished:
            raise DatasetError(
                f"{either.folder} is unfinished, {either.progress}: finish it with its own command, "
                "then compare"
            )
    pairs = paired_records(run, baseline)
    if len(pairs) < max(len(run.records), len(baseline.records)):
        raise DatasetError(
            f"{baseline.folder} and {run.folder} do not hold the same questions: they share "
            f"{len(pairs)} of {len(baseline.records)} and {len(run.records)}; --fail-if-worse needs "
            "runs of the same dataset and --limit"
        )
    return pairs


def _difference(pairs: Pairs, metric: str, name: str, baseline: str) -> Difference:
    difference = metric_difference(pairs, metric, name, baseline)
    if difference["p"] is None:
        count = difference["n"]
        raise DatasetError(
            f"--fail-if-worse {metric}: {count} {plural(count, 'question has', 'questions have')} a "
            f"score in both {name} and {baseline} (unscored {difference['unscored']}, failed "
            f"{difference['failed']}): a test needs two"
        )
    return difference

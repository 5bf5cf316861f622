"""The figures of a report: means, gains and costs of each run, and its differences from the control."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from evaluation.analysis.comparison import Difference, adjust, compare
from evaluation.analysis.control_comparison import control_of, verdict_lines
from evaluation.analysis.costs import Cost, cost_of
from evaluation.analysis.passage_quality import OUTCOMES, PassageOutcome, is_judged, outcome_of
from evaluation.analysis.risk_coverage import RunCurves, run_curves
from evaluation.analysis.run_results import Results, results_of
from evaluation.analysis.slices_document import SlicedRuns, differences_by_slice, means_by_slice
from evaluation.analysis.stage_gains import StageGain
from evaluation.calibration.known_judges import calibration_of, doubt_of
from evaluation.metrics.registry import metric_names, stage_metric_names
from evaluation.rescoring.pass_summary import metric_in_pass, summarise_pass, with_scores
from evaluation.rescoring.score_files import RecordedPass, read_scores
from evaluation.statistics.agreement import Correlation, rank_correlation
from evaluation.statistics.summaries import Summary, summarise
from evaluation.store.journal import Record
from evaluation.store.recorded_run import RecordedRun, known_records, read_run, settings_of
from evaluation.tables.numbers import reasons_text
from evaluation.tables.results_tables import notes
from graph.schema import Config
from graph.support.errors import DatasetError
from graph.support.text import plural


class ScoredRun(NamedTuple):
    """A run with the scores of its later passes beside its own metrics, and notes on the passes."""

    run: RecordedRun
    notes: list[str]


class JudgeCorrelations(NamedTuple):
    """The rank correlations of a judge's scores of a run with those of other metrics."""

    judge: str
    against: dict[str, Correlation]
    """By metric: those that no judge gives, and those of the judges before it."""


@dataclass(frozen=True)
class ReportedRun:
    """One run with its figures."""

    key: str
    """The letter of the run, for where its name is too long."""
    name: str
    recorded: RecordedRun
    config: Config
    results: Results
    metrics: dict[str, Summary]
    outcomes: dict[int, PassageOutcome]
    """By the question's index, for questions that name relevant posts."""
    by_outcome: dict[str, dict[str, Summary]]
    """By outcome and metric; empty where no relevant posts are known or nothing is retrieved."""
    stages: dict[str, dict[str, Summary]]
    """By stage and metric, the scores of the answer after the stage."""
    added: dict[str, StageGain]
    """By stage, except the first: its gain over the questions where it ran."""
    judge_correlations: list[JudgeCorrelations]
    cost: Cost
    curves: RunCurves | None
    """Risk against coverage; None where no question has a confidence."""


@dataclass(frozen=True)
class Figures:
    """The runs of a report and their comparison."""

    runs: list[ReportedRun]
    metrics: list[str]
    control: str
    """The name of the run that all others are compared with."""
    differences: list[Difference]
    """Of each run from the control, adjusted for all tests of this list."""
    slices: list[SlicedRuns]
    """The means of a single run by slice, or the differences of each run from the control."""
    doubts: dict[str, str]
    """By judge's metric, the reason not to trust it yet."""
    verdicts: list[str]
    notes: list[str]

    def difference(self, name: str, metric: str) -> Difference | None:
        """Return the difference of a run from the control; None for the control itself."""
        for difference in self.differences:
            if difference["a"] == name and difference["metric"] == metric:
                return difference
        return None


def read_with_scores(folder: Path) -> ScoredRun:
    """Read a run and every pass over it.

    Raises:
        DatasetError: the folder is no run, or is damaged.
    """
    run = read_run(folder)
    passes = read_scores(run)
    pass_notes = [
        _pass_note(run, recorded, metric) for recorded in passes for metric in recorded.spec.metrics
    ]
    return ScoredRun(with_scores(run, passes), pass_notes)


def _pass_note(run: RecordedRun, recorded: RecordedPass, metric: str) -> str:
    summary = summarise_pass(run, recorded.scores, metric)
    reasons = reasons_text(summary["reasons"])
    unscored = f", {summary['unscored']} unscored ({reasons})" if summary["unscored"] else ""
    count = summary["waiting"]
    waiting = f", {count} {plural(count, 'answer waits', 'answers wait')} for it" if count else ""
    return (
        f"{metric_in_pass(recorded, metric)} is {metric} by {recorded.spec.label}, scored after the "
        f"run{unscored}{waiting}."
    )


def figures_of(
    runs: Mapping[str, RecordedRun], pass_notes: Mapping[str, Sequence[str]] | None = None
) -> Figures:
    """Compute all figures of a report.

    Args:
        runs: By name; the metrics of their records include the scores of later passes.
        pass_notes: By the run's name, notes on these passes.

    Raises:
        DatasetError: a run holds no finished question, shares none with the control, or its
            records are not those that this version writes.
    """
    for run in runs.values():
        if not run.records:
            raise DatasetError(
                f"{run.folder} holds no finished question, so there is nothing to report: run "
                "eval.py again, or leave it out"
            )
    metrics = metric_names(record["metrics"] for run in runs.values() for record in run.records)
    reported = [
        _reported_run(run_key(index), name, run, metrics)
        for index, (name, run) in enumerate(runs.items())
    ]
    control = control_of(runs)
    differences, comparison_notes = _compare_with(control, runs)
    return Figures(
        runs=reported,
        metrics=metrics,
        control=control,
        differences=differences,
        slices=_slices(runs),
        doubts=_doubts(reported),
        verdicts=verdict_lines(control, differences) if len(runs) > 1 else [],
        notes=[*_run_notes(reported, pass_notes or {}), *comparison_notes],
    )


def _slices(runs: Mapping[str, RecordedRun]) -> list[SlicedRuns]:
    if len(runs) > 1:
        return differences_by_slice(runs)
    return [means_by_slice(name, run) for name, run in runs.items()]


def run_key(index: int) -> str:
    """Return the letter of a run: A to Z, then A2 to Z2, and so on."""
    rounds, letter = divmod(index, 26)
    return chr(ord("A") + letter) + (str(rounds + 1) if rounds else "")


def _compare_with(
    control: str, runs: Mapping[str, RecordedRun]
) -> tuple[list[Difference], list[str]]:
    differences: list[Difference] = []
    comparison_notes: list[str] = []
    for name, run in runs.items():
        if name != control:
            comparison = compare({control: runs[control], name: run})
            differences += comparison.differences
            # A note that holds for all runs comes with each pair.
            comparison_notes += [n for n in comparison.notes if n not in comparison_notes]
    adjust(differences)
    return differences, comparison_notes


def _reported_run(key: str, name: str, run: RecordedRun, metrics: Sequence[str]) -> ReportedRun:
    settings = settings_of(run)
    # Every record gets every metric of the report, unscored where another run has it alone.
    records: list[Record] = [
        {**record, "metrics": {metric: record["metrics"].get(metric) for metric in metrics}}
        for record in run.records
    ]
    answered = [record for record in records if record["error"] is None]
    with known_records(run.folder):
        outcomes = {r["index"]: outcome_of(r) for r in answered if is_judged(r)}
        results = results_of(settings, records, calibration_of(run.identity))
        # A run without an answer has no means of the metrics that only other runs have.
        further = [metric for metric in metrics if metric not in results["metrics"]]
        return ReportedRun(
            key=key,
            name=name,
            recorded=run,
            config=settings.config,
            results=results,
            metrics={**results["metrics"], **_means(answered, further)},
            outcomes=outcomes,
            by_outcome=_means_by_outcome(answered, metrics, outcomes)
            if results["retrieval"]
            else {},
            stages=results["stages"],
            added=results["added"],
            judge_correlations=judge_correlations(run, metrics),
            cost=cost_of(answered),
            curves=run_curves(run),
        )


def _means(records: Sequence[Record], metrics: Sequence[str]) -> dict[str, Summary]:
    return {
        metric: summarise([record["metrics"][metric] for record in records]) for metric in metrics
    }


def _means_by_outcome(
    records: Sequence[Record], metrics: Sequence[str], outcomes: Mapping[int, PassageOutcome]
) -> dict[str, dict[str, Summary]]:
    groups: dict[str, list[Record]] = {outcome: [] for outcome in OUTCOMES}
    for record in records:
        if record["index"] in outcomes:
            groups[outcomes[record["index"]]].append(record)
    return {outcome: _means(group, metrics) for outcome, group in groups.items()}


def judge_correlations(run: RecordedRun, metrics: Sequence[str]) -> list[JudgeCorrelations]:
    """Return the rank correlations of each judge with all other metrics and with earlier judges.

    The judges are the run's own and the metrics that later passes measured.
    """
    texts = stage_metric_names([dict.fromkeys(metrics)])
    judges = [name for name in metrics if name not in texts]
    scores = {name: [record["metrics"].get(name) for record in run.answered] for name in metrics}
    return [
        JudgeCorrelations(
            judge,
            {
                name: rank_correlation(scores[judge], scores[name])
                for name in metrics
                if name in texts or name in judges[:index]
            },
        )
        for index, judge in enumerate(judges)
        if any(value is not None for value in scores[judge])
    ]


def _run_notes(runs: Sequence[ReportedRun], pass_notes: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the notes on the runs, each once, after the names of the runs that it holds for."""
    names_by_note: dict[str, list[str]] = {}
    for run in runs:
        for note in [*_unfinished_notes(run), *notes(run.results), *pass_notes.get(run.name, ())]:
            names_by_note.setdefault(note, []).append(run.name)
    return [
        f"{'all runs' if len(names) == len(runs) > 1 else ', '.join(names)}: {note}"
        for note, names in names_by_note.items()
    ]


def _unfinished_notes(run: ReportedRun) -> list[str]:
    if run.recorded.finished:
        return []
    return [f"unfinished, {run.recorded.progress}: every figure is of those alone."]


def _doubts(runs: Sequence[ReportedRun]) -> dict[str, str]:
    doubts: dict[str, str] = {}
    for calibration in (calibration for run in runs for calibration in run.results["calibration"]):
        agreement = calibration["pair_agreement"]
        if agreement is None or agreement["mean"] is None:
            doubts.setdefault(calibration["metric"], "not calibrated against people")
        elif doubt_of(agreement):
            doubts[calibration["metric"]] = "not shown to agree with people more than a coin"
    return doubts

"""What the page says in figures: each run's means, what tells it from the control, its cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from evaluation.analysis.comparison import Difference, adjust, compare
from evaluation.analysis.control_comparison import Grid, control_of, verdict_lines
from evaluation.analysis.costs import Cost, cost_of
from evaluation.analysis.passage_quality import OUTCOMES, PassageOutcome, outcome_of
from evaluation.analysis.run_results import Results, results_of
from evaluation.analysis.stage_gains import StageGain
from evaluation.calibration.known_judges import calibration_of, doubt_of
from evaluation.metrics.registry import metric_names
from evaluation.rescoring.pass_summary import column, summary, with_scores
from evaluation.rescoring.score_files import RecordedPass, read_scores
from evaluation.statistics.agreement import Correlation, rank_correlation
from evaluation.statistics.summaries import Summary, summarise
from evaluation.store.journal import Record
from evaluation.store.recorded_run import RecordedRun, known_records, read_run, settings_of
from evaluation.tables.results_tables import notes
from graph.schema import Config
from graph.support.errors import DatasetError

JUDGE = "LLM_judge"


class Read(NamedTuple):
    """A run with the scores that were made of it later beside its own, and what those are."""

    run: RecordedRun
    notes: list[str]


class JudgeCorrelations(NamedTuple):
    """How a judge ranks the answers of a run, against each metric."""

    judge: str
    against: dict[str, Correlation]


def read_with_scores(folder: Path) -> Read:
    """Read a run and every pass over it.

    Raises:
        DatasetError: it is no run, or damaged.
    """
    run, scorings = read_run(folder), read_scores(folder)
    notes = [_said(run, each, metric) for each in scorings for metric in each.plan.metrics]
    return Read(with_scores(run, scorings), notes)


def _said(run: RecordedRun, scoring: RecordedPass, metric: str) -> str:
    found = summary(run, scoring.scores, metric)
    said = f"{column(scoring, metric)} is {metric} by {scoring.plan.label}, scored after the run"
    reasons = "; ".join(f"{why}: {count}" for why, count in found["reasons"].items())
    unscored = f", {found['unscored']} unscored ({reasons})" if found["unscored"] else ""
    waiting = f", {found['waiting']} answers wait for it" if found["waiting"] else ""
    return f"{said}{unscored}{waiting}."


def judge_correlations(run: RecordedRun, metrics: Sequence[str]) -> list[JudgeCorrelations]:
    """Return how each judge of a run ranks its answers against every metric before it.

    A judge is the run's own, and whatever was measured beside the fixed metrics.
    """
    first = list(metrics).index(JUDGE)
    scores = {name: [record["metrics"].get(name) for record in run.answered] for name in metrics}
    return [
        JudgeCorrelations(
            judge, {name: rank_correlation(scores[judge], scores[name]) for name in metrics[:place]}
        )
        for place, judge in enumerate(metrics)
        if place >= first and any(value is not None for value in scores[judge])
    ]


@dataclass(frozen=True)
class Reported:
    """One run, as the page shows it."""

    key: str
    """A, B, C: stands for it wherever its name is too long."""
    name: str
    run: RecordedRun
    config: Config
    results: Results
    metrics: dict[str, Summary]
    outcomes: dict[int, PassageOutcome]
    """What became of relevant passages, by the question's index, where they are known."""
    by_outcome: dict[str, dict[str, Summary]]
    """Metric by metric for what became of relevant passages; empty where none are known."""
    stages: dict[str, dict[str, Summary]]
    """Metric by metric, of the answer as it stood after each stage."""
    added: dict[str, StageGain]
    """What each stage but the first added, where it ran."""
    judge_correlations: list[JudgeCorrelations]
    cost: Cost


@dataclass(frozen=True)
class Figures:
    """All runs and what is between them."""

    runs: list[Reported]
    metrics: list[str]
    control: str
    differences: list[Difference]
    """Of each run to the control, adjusted for all tests of this list."""
    doubts: dict[str, str]
    """By metric: why a judge is not to be trusted yet."""
    verdicts: list[str]
    notes: list[str]

    def difference(self, name: str, metric: str) -> Difference | None:
        """Return what is between a run and the control."""
        for each in self.differences:
            if each["a"] == name and each["metric"] == metric:
                return each
        return None


def figures_of(
    runs: Mapping[str, RecordedRun], further: Mapping[str, Sequence[str]] | None = None
) -> Figures:
    """Compute everything that the page says in figures.

    Args:
        runs: By name, the scores that were made of them later among their metrics.
        further: What those scores are, by the run's name.

    Raises:
        DatasetError: a run holds no finished question, shares none with the control, or its
            records are not those that this version writes.
    """
    for run in runs.values():
        if not run.records:
            raise DatasetError(f"{run.folder} holds no finished question: nothing to report")
    names = metric_names(record["metrics"] for run in runs.values() for record in run.records)
    reported = [
        _reported(key_of(place), name, run, names) for place, (name, run) in enumerate(runs.items())
    ]
    control = control_of(runs)
    differences, found = _against(control, runs)
    grid = Grid(control=control, differences=differences, tokens={}, calls={})
    return Figures(
        runs=reported,
        metrics=names,
        control=control,
        differences=differences,
        doubts=_doubts(reported),
        verdicts=verdict_lines(grid) if len(runs) > 1 else [],
        notes=[*_notes(reported, further or {}), *found],
    )


def key_of(place: int) -> str:
    """Return the letter of a run: A to Z, then A2 and so on."""
    return chr(ord("A") + place % 26) + (str(place // 26 + 1) if place >= 26 else "")


def _against(control: str, runs: Mapping[str, RecordedRun]) -> tuple[list[Difference], list[str]]:
    differences: list[Difference] = []
    found: list[str] = []
    for name, run in runs.items():
        if name != control:
            compared = compare({control: runs[control], name: run})
            differences += compared.differences
            # What holds for all runs is said with each pair.
            found += [note for note in compared.notes if note not in found]
    adjust(differences)
    return differences, found


def _reported(key: str, name: str, run: RecordedRun, names: Sequence[str]) -> Reported:
    settings = settings_of(run)
    whole: list[Record] = [
        {**record, "metrics": {each: record["metrics"].get(each) for each in names}}
        for record in run.records
    ]
    sound = [record for record in whole if record["error"] is None]
    with known_records(run.folder):
        outcomes = {r["index"]: outcome_of(r) for r in sound if r["relevant_question_ids"]}
        results = results_of(settings, whole, calibration_of(run.identity))
        return Reported(
            key=key,
            name=name,
            run=run,
            config=settings.config,
            results=results,
            metrics=_means(sound, names, results["metrics"]),
            outcomes=outcomes,
            by_outcome=_by_outcome(sound, names, outcomes) if results["retrieval"] else {},
            stages=results["stages"],
            added=results["added"],
            judge_correlations=judge_correlations(run, names),
            cost=cost_of(sound),
        )


def _means(
    records: Sequence[Record], names: Sequence[str], known: Mapping[str, Summary]
) -> dict[str, Summary]:
    return {
        name: known.get(name) or summarise([record["metrics"][name] for record in records])
        for name in names
    }


def _by_outcome(
    records: Sequence[Record], names: Sequence[str], outcomes: Mapping[int, PassageOutcome]
) -> dict[str, dict[str, Summary]]:
    groups: dict[str, list[Record]] = {name: [] for name in OUTCOMES}
    for record in records:
        if record["index"] in outcomes:
            groups[outcomes[record["index"]]].append(record)
    return {name: _means(group, names, {}) for name, group in groups.items()}


def _notes(runs: Sequence[Reported], further: Mapping[str, Sequence[str]]) -> list[str]:
    """Return what is to be known of the runs; a note that several share stands there once."""
    said: dict[str, list[str]] = {}
    for each in runs:
        own = [*notes(each.results), *further.get(each.name, ())]
        if not each.run.finished:
            own.insert(
                0,
                f"unfinished, {len(each.run.records)} of {each.run.questions} questions are done: "
                "every figure is of those alone.",
            )
        for note in own:
            said.setdefault(note, []).append(each.name)
    return [
        f"{'all runs' if len(names) == len(runs) > 1 else ', '.join(names)}: {note}"
        for note, names in said.items()
    ]


def _doubts(runs: Sequence[Reported]) -> dict[str, str]:
    """Return what stands beside the name of a judge that people's grades do not bear out."""
    found: dict[str, str] = {}
    for known in (each for run in runs for each in run.results["calibration"]):
        pairs = known["pair_agreement"]
        if pairs is None or pairs["mean"] is None:
            found.setdefault(known["metric"], "not calibrated against people")
        elif doubt_of(pairs):
            found[known["metric"]] = "not shown to agree with people more than a coin"
    return found

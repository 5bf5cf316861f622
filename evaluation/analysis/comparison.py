"""Paired comparison of runs: the questions and metrics that two runs share, and their differences."""

from collections import Counter
from collections.abc import Iterable
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evaluation.metrics.registry import METRICS, ON_REQUEST, metric_names
from evaluation.statistics.paired_tests import ALPHA, Inference, holm, infer, paired_gains
from evaluation.store.journal import Record
from evaluation.store.recorded_run import RecordedRun
from graph.support.errors import ConfigError, DatasetError
from graph.support.logger import log
from graph.support.text import plural

_RETRIEVAL_FIELDS = ("index", "leaks", "weights")
"""Fields of an identity whose presence follows from the config's kind of retrieval."""
_LEARNED_FIELDS = ("reranker", "reranker_features")
"""Fields of an identity that a config with learned reranking has, and no other."""
_FIELDS_OF_EVERY_INDEX = ("corpus_sha256", "encoder", "encoder_revision", "encoder_dtype")

Pairs = list[tuple[Record, Record]]
"""For each shared question, its record in run `a` and its record in run `b`."""


class Difference(Inference):
    """The scores of run `a` minus those of run `b`, paired by question, for one metric."""

    a: str
    b: str
    metric: str
    n: int
    """Questions with a score in both runs."""
    unscored: int
    """Questions answered in both runs, without a score in at least one."""
    failed: int
    """Questions that failed in at least one run."""
    mean_a: float | None
    mean_b: float | None
    mean_difference: float | None
    better: float | None
    """Share of the n questions on which `a` has the higher score."""
    equal: float | None
    worse: float | None
    p_holm: float | None
    """`p` after Holm's adjustment for all tests of the table."""
    distinguishable: bool
    """Whether `p_holm` is below `ALPHA`."""


class PairedScores(NamedTuple):
    """The scores of the questions that two runs scored, and the counts of the others."""

    a: NDArray[np.float64]
    b: NDArray[np.float64]
    unscored: int
    """Questions answered in both runs, without a score in at least one."""
    failed: int
    """Questions that failed in at least one run."""


class ComparedRuns(NamedTuple):
    """The differences of a table, and the reservations about it."""

    differences: list[Difference]
    notes: list[str]


def named_runs(runs: list[RecordedRun], *, copies: bool = False) -> dict[str, RecordedRun]:
    """Return the runs by config name; runs of one config have their digest in the name too.

    Args:
        runs: The runs.
        copies: Whether runs of different folders may be the same.

    Raises:
        ConfigError: Two of the runs are the same.
    """
    for first, second in combinations(runs, 2):
        if copies:
            is_same = first.folder.resolve() == second.folder.resolve()
        else:
            is_same = first.digest == second.digest and first.records == second.records
        if is_same:
            raise ConfigError(
                f"{first.folder} and {second.folder} are the same run: name each run once"
            )
    configs = Counter(run.config for run in runs)
    named: dict[str, RecordedRun] = {}
    for run in runs:
        name = run.config if configs[run.config] == 1 else f"{run.config}-{run.digest[:12]}"
        # A run and the earlier one that --fresh moved aside have one digest: a number follows it.
        named[f"{name}-{len(named) + 1}" if name in named else name] = run
    return named


def compare(runs: dict[str, RecordedRun]) -> ComparedRuns:
    """Compare every pair of runs by every metric.

    Args:
        runs: By name; of each pair, `b` is the earlier one.

    Raises:
        DatasetError: Two runs share no question.
    """
    differences, notes = [], []
    valueless = valueless_metrics(runs.values())
    if valueless:
        notes.append(f"{', '.join(valueless)}: no run has a value, left out.")
    for first, second in combinations(runs, 2):
        a, b, name = runs[second], runs[first], f"{second} - {first}"
        pairs = paired_records(a, b)
        if not pairs:
            raise DatasetError(
                f"{a.folder} and {b.folder} share no finished question with the same reference: "
                "compare runs of the same dataset"
            )
        if len(pairs) < max(len(a.records), len(b.records)):
            log.warning("%s: %s", " ".join(name.split()), _unpaired_note(a, b, len(pairs)))
        unlike = unlike_metrics(a, b)
        notes += [f"{name}: {note}" for note in pair_notes(a, b, len(pairs), unlike)]
        for metric in metric_names(r["metrics"] for run in (a, b) for r in run.records):
            if metric not in unlike and metric not in valueless:
                result = metric_difference(pairs, metric, second, first)
                notes += [f"{name}, {metric}: {note}" for note in doubts(result)]
                differences.append(result)
    adjust(differences)
    return ComparedRuns(differences, notes)


def paired_records(a: RecordedRun, b: RecordedRun) -> Pairs:
    """Return the records of the questions of both runs: same index, same text, same reference."""

    def by_question(run: RecordedRun) -> dict[tuple[int, str, str], Record]:
        return {(r["index"], r["question"], r["reference"]): r for r in run.records}

    ours, theirs = by_question(a), by_question(b)
    return [(record, theirs[key]) for key, record in ours.items() if key in theirs]


def metric_difference(pairs: Pairs, metric: str, a: str, b: str) -> Difference:
    """Return the difference of two runs by one metric, before `adjust`.

    Args:
        pairs: The records of run `a` and run `b`.
        metric: Name of the metric.
        a: Name of the first run.
        b: Name of the second run.
    """
    ours, theirs, unscored, failed = paired_scores(pairs, metric)
    gains = paired_gains(ours, theirs)
    return {
        "a": a,
        "b": b,
        "metric": metric,
        "n": len(gains),
        "unscored": unscored,
        "failed": failed,
        "mean_a": _mean(ours),
        "mean_b": _mean(theirs),
        "mean_difference": _mean(gains),
        **infer(ours, theirs),
        "better": _mean(gains > 0),
        "equal": _mean(gains == 0),
        "worse": _mean(gains < 0),
        "p_holm": None,
        "distinguishable": False,
    }


def paired_scores(pairs: Pairs, metric: str) -> PairedScores:
    """Return the scores by one metric of the questions that both runs scored."""
    answered = [pair for pair in pairs if pair[0]["error"] is None and pair[1]["error"] is None]
    values = [
        (ours["metrics"].get(metric), theirs["metrics"].get(metric)) for ours, theirs in answered
    ]
    # The shape keeps two columns where no question has both scores.
    scored = np.array([pair for pair in values if None not in pair], dtype=float).reshape(-1, 2)
    return PairedScores(
        scored[:, 0], scored[:, 1], len(answered) - len(scored), len(pairs) - len(answered)
    )


def adjust(differences: list[Difference]) -> None:
    """Fill in `p_holm` and `distinguishable`, adjusted for all tests of the list (Holm 1979)."""
    adjusted = holm([difference["p"] for difference in differences])
    for result, p_holm in zip(differences, adjusted, strict=True):
        result["p_holm"] = p_holm
        result["distinguishable"] = p_holm is not None and p_holm < ALPHA


def verdict(difference: Difference) -> str:
    """Return `better`, `worse`, `not distinguishable` or `no test`: run `a` against run `b`."""
    if difference["p_holm"] is None or difference["mean_difference"] is None:
        return "no test"
    if not difference["distinguishable"]:
        return "not distinguishable"
    return "better" if difference["mean_difference"] > 0 else "worse"


def unlike_metrics(a: RecordedRun, b: RecordedRun) -> dict[str, str]:
    """Return the metrics that different models measured in the two runs.

    Returns:
        By metric, the field of the identity that names its model.
    """
    return {
        metric.name: metric.measured_by
        for metric in (*METRICS, *ON_REQUEST)
        if metric.measured_by
        and a.identity.get(metric.measured_by) != b.identity.get(metric.measured_by)
    }


def unlike_fields(a: RecordedRun, b: RecordedRun) -> list[str]:
    """Return the fields in which the identities differ, except the config and its consequences."""
    fields = []
    same_kind = retrieval_kind(a) == retrieval_kind(b)
    for name in sorted({*a.identity, *b.identity} - {"config"}):
        ours, theirs = a.identity.get(name), b.identity.get(name)
        if name in _RETRIEVAL_FIELDS and not same_kind:
            ours, theirs = _common_index_fields(ours, theirs)
        if ours == theirs or (name in _LEARNED_FIELDS and None in (ours, theirs)):
            continue
        if isinstance(ours, dict) and isinstance(theirs, dict):
            keys = sorted({*ours, *theirs})
            fields += [f"{name}.{key}" for key in keys if ours.get(key) != theirs.get(key)]
        elif isinstance(ours, int | None) and isinstance(theirs, int | None):
            fields.append(f"{name} ({ours} and {theirs})")
        else:
            fields.append(name)
    return fields


def valueless_metrics(runs: Iterable[RecordedRun]) -> list[str]:
    """Return the metrics without a value in any run, such as the judge's if none was asked."""
    measured = [record["metrics"] for run in runs for record in run.records if record["metrics"]]
    names = metric_names(measured) if measured else []
    return [name for name in names if all(metrics.get(name) is None for metrics in measured)]


def _mean(values: NDArray[np.float64 | np.bool]) -> float | None:
    return float(values.mean()) if len(values) else None


def pair_notes(a: RecordedRun, b: RecordedRun, shared: int, unlike: dict[str, str]) -> list[str]:
    """Return the reservations about a comparison of two runs.

    Args:
        a: The one run.
        b: The other run.
        shared: Number of questions that both hold.
        unlike: As `unlike_metrics` returns it.
    """
    notes = []
    if shared < max(len(a.records), len(b.records)):
        notes.append(_unpaired_note(a, b, shared))
    notes += [
        f"{metric} is left out: another {model} measured it in each run."
        for metric, model in unlike.items()
    ]
    return [*notes, *cause_notes(a, b)]


def cause_notes(a: RecordedRun, b: RecordedRun) -> list[str]:
    """Return a note if something besides the config can be the cause of a difference."""
    fields = unlike_fields(a, b)
    return [f"not only the config differs: {', '.join(fields)}."] if fields else []


def _unpaired_note(a: RecordedRun, b: RecordedRun, shared: int) -> str:
    return (
        f"paired on the {shared} {plural(shared, 'question')} that both hold; {len(a.records) - shared} and "
        f"{len(b.records) - shared} others are left out."
    )


def doubts(difference: Difference) -> list[str]:
    """Return a note if a difference has no test, no interval or no effect size."""
    if difference["n"] == 0:
        return ["no question has a value in both runs: nothing is compared."]
    if difference["n"] == 1:
        return ["one question alone: no interval and no test."]
    if difference["effect"] is None:
        return [
            f"all {difference['n']} differences are the same: neither an interval nor an effect size "
            "can be given."
        ]
    return []


def retrieval_kind(run: RecordedRun) -> object:
    """Return the kind of retrieval that a run's config names, `none` for no retrieval."""
    config = run.identity.get("config")
    retrieval = config.get("retrieval") if isinstance(config, dict) else None
    return retrieval.get("kind") if isinstance(retrieval, dict) else None


def _common_index_fields(ours: object, theirs: object) -> tuple[object, object]:
    """Return the comparable part of two index fields of runs with different kinds of retrieval."""
    if ours is None or theirs is None:
        return None, None
    if not (isinstance(ours, dict) and isinstance(theirs, dict)):
        return ours, theirs
    shared = [name for name in _FIELDS_OF_EVERY_INDEX if name in ours and name in theirs]
    return {name: ours[name] for name in shared}, {name: theirs[name] for name in shared}

"""Which questions and metrics two runs share, and what else differs between them."""

from collections import Counter
from collections.abc import Iterable
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy import float64
from numpy.typing import NDArray

from evaluation.metrics.registry import metric_names
from evaluation.statistics.paired_tests import ALPHA, Inference, holm, infer
from evaluation.store.journal import Record
from evaluation.store.recorded_run import RecordedRun
from graph.support.errors import ConfigError, DatasetError
from graph.support.terminal import log

_MEASURED_BY = {
    "LLM_judge": "judge",
    "semantic_similarity": "embedder",
    "calibrated_judge": "calibrated_judge",
}
"""The model behind a metric: another one measures something else."""
_OF_RETRIEVAL = ("index", "leaks", "weights")
"""Fields of an identity that are there, or not, because of the config."""
_OF_EVERY_INDEX = ("corpus_sha256", "encoder", "encoder_revision", "encoder_dtype")
_DIGITS = 9
"""Differences are rounded to it: what two equal scores differ by in their last bits is 0."""

Pairs = list[tuple[Record, Record]]


class Difference(Inference):
    """The scores of run `a` minus those of run `b`, question by question, for one metric."""

    a: str
    b: str
    metric: str
    n: int
    """Questions that both runs scored."""
    unscored: int
    """Questions that both answered and at least one of them has no value for."""
    failed: int
    """Questions that failed in at least one."""
    mean_a: float | None
    mean_b: float | None
    mean_difference: float | None
    better: float | None
    """Share of the n questions on which `a` is better."""
    equal: float | None
    worse: float | None
    p_holm: float | None
    distinguishable: bool


class ComparedRuns(NamedTuple):
    """The whole table, and what to know before reading it."""

    differences: list[Difference]
    notes: list[str]


def compare(runs: dict[str, RecordedRun]) -> ComparedRuns:
    """Compare every pair of runs by every metric; `b` is the run named first.

    Args:
        runs: By name.

    Raises:
        DatasetError: two runs share no question.
    """
    differences, notes = [], []
    valueless = _valueless(runs.values())
    if valueless:
        notes.append(f"{', '.join(valueless)}: no run has a value, left out.")
    for first, second in combinations(runs, 2):
        a, b, name = runs[second], runs[first], f"{second} - {first}"
        paired = paired_records(a, b)
        if not paired:
            raise DatasetError(
                f"{a.folder} and {b.folder} share no finished question with the same reference: "
                "compare runs of the same dataset"
            )
        if len(paired) < max(len(a.records), len(b.records)):
            log.warning("%s: %s", " ".join(name.split()), _unpaired(a, b, len(paired)))
        refused = unlike_metrics(a, b)
        notes += [f"{name}: {note}" for note in _notes(a, b, len(paired), refused)]
        for metric in metric_names(r["metrics"] for run in (a, b) for r in run.records):
            if metric not in refused and metric not in valueless:
                found = difference(paired, metric, second, first)
                notes += [f"{name}, {metric}: {note}" for note in _doubts(found)]
                differences.append(found)
    adjust(differences)
    return ComparedRuns(differences, notes)


def _valueless(runs: Iterable[RecordedRun]) -> list[str]:
    """Return the metrics that nothing has a value of, as the judge's where none was asked."""
    measured = [record["metrics"] for run in runs for record in run.records if record["metrics"]]
    names = metric_names(measured) if measured else []
    return [name for name in names if all(each.get(name) is None for each in measured)]


def adjust(differences: list[Difference]) -> None:
    """Fill in Holm's p and the verdict, for all tests of one table together."""
    for each, value in zip(differences, holm([each["p"] for each in differences]), strict=True):
        each["p_holm"] = value
        each["distinguishable"] = value is not None and value < ALPHA


def paired_records(a: RecordedRun, b: RecordedRun) -> Pairs:
    """Return the records of the questions that both runs hold: same index, text and reference."""

    def by_question(run: RecordedRun) -> dict[tuple[int, str, str], Record]:
        return {(r["index"], r["question"], r["reference"]): r for r in run.records}

    ours, theirs = by_question(a), by_question(b)
    return [(record, theirs[key]) for key, record in ours.items() if key in theirs]


def difference(paired: Pairs, metric: str, a: str, b: str) -> Difference:
    """Return what the pairs say about one metric; not adjusted for other tests yet."""
    sound = [pair for pair in paired if pair[0]["error"] is None and pair[1]["error"] is None]
    values = [
        (ours["metrics"].get(metric), theirs["metrics"].get(metric)) for ours, theirs in sound
    ]
    scored = np.array([pair for pair in values if None not in pair], dtype=float).reshape(-1, 2)
    ours, theirs = scored[:, 0], scored[:, 1]
    gains = np.round(ours - theirs, _DIGITS)
    return {
        "a": a,
        "b": b,
        "metric": metric,
        "n": len(scored),
        "unscored": len(sound) - len(scored),
        "failed": len(paired) - len(sound),
        "mean_a": _mean(ours),
        "mean_b": _mean(theirs),
        "mean_difference": _mean(gains),
        **infer(ours, theirs, gains),
        "better": _mean(gains > 0),
        "equal": _mean(gains == 0),
        "worse": _mean(gains < 0),
        "p_holm": None,
        "distinguishable": False,
    }


def _mean(values: NDArray[float64]) -> float | None:
    return float(values.mean()) if len(values) else None


def unlike_metrics(a: RecordedRun, b: RecordedRun) -> dict[str, str]:
    """Return the metrics that another model measured in `a` than in `b`, and which model that is."""
    return {
        metric: model
        for metric, model in _MEASURED_BY.items()
        if a.identity.get(model) != b.identity.get(model)
    }


def _notes(a: RecordedRun, b: RecordedRun, shared: int, refused: dict[str, str]) -> list[str]:
    found = []
    if shared < max(len(a.records), len(b.records)):
        found.append(_unpaired(a, b, shared))
    found += [
        f"{metric} is left out: another {model} measured it in each run."
        for metric, model in refused.items()
    ]
    fields = unlike_fields(a, b)
    if fields:
        found.append(f"not only the config differs: {', '.join(fields)}.")
    return found


def _unpaired(a: RecordedRun, b: RecordedRun, shared: int) -> str:
    return (
        f"paired on the {shared} questions that both hold; {len(a.records) - shared} and "
        f"{len(b.records) - shared} others are in no figure."
    )


def unlike_fields(a: RecordedRun, b: RecordedRun) -> list[str]:
    """Return the fields of the identity, bar the config and its consequences, in which runs differ."""
    found = []
    for field in sorted({*a.identity, *b.identity} - {"config"}):
        ours, theirs = a.identity.get(field), b.identity.get(field)
        if field in _OF_RETRIEVAL and _retrieval_kind(a) != _retrieval_kind(b):
            ours, theirs = _beyond_the_kind(ours, theirs)
        if ours == theirs:
            continue
        if isinstance(ours, dict) and isinstance(theirs, dict):
            names = sorted({*ours, *theirs})
            found += [f"{field}.{name}" for name in names if ours.get(name) != theirs.get(name)]
        elif isinstance(ours, int | None) and isinstance(theirs, int | None):
            found.append(f"{field} ({ours} and {theirs})")
        else:
            found.append(field)
    return found


def _retrieval_kind(run: RecordedRun) -> object:
    config = run.identity.get("config")
    retrieval = config.get("retrieval") if isinstance(config, dict) else None
    return retrieval.get("kind") if isinstance(retrieval, dict) else None


def _beyond_the_kind(ours: object, theirs: object) -> tuple[object, object]:
    """Return what can be compared of two indexes when another kind of retrieval is in each."""
    if ours is None or theirs is None:
        return None, None
    if not (isinstance(ours, dict) and isinstance(theirs, dict)):
        return ours, theirs
    shared = [name for name in _OF_EVERY_INDEX if name in ours and name in theirs]
    return {name: ours[name] for name in shared}, {name: theirs[name] for name in shared}


def _doubts(found: Difference) -> list[str]:
    if found["n"] == 0:
        return ["no question has a value in both runs: nothing is compared."]
    if found["n"] == 1:
        return ["one question alone: no interval and no test."]
    if found["effect"] is None:
        return [
            f"all {found['n']} differences are the same: the interval has no width, and no effect "
            "size can be given."
        ]
    return []


def verdict(each: Difference) -> str:
    """Return what may be said of `a` against `b`."""
    if each["p_holm"] is None or each["mean_difference"] is None:
        return "no test"
    if not each["distinguishable"]:
        return "not distinguishable"
    return "better" if each["mean_difference"] > 0 else "worse"


def named_runs(runs: list[RecordedRun]) -> dict[str, RecordedRun]:
    """Return the runs by config name, with the digest behind it where that is not one run's alone.

    Raises:
        ConfigError: a run stands there twice.
    """
    for first, second in combinations(runs, 2):
        if first.digest == second.digest and first.records == second.records:
            raise ConfigError(
                f"{first.folder} and {second.folder} are the same run: name each run once"
            )
    configs = Counter(each.config for each in runs)
    named_runs: dict[str, RecordedRun] = {}
    for each in runs:
        name = each.config if configs[each.config] == 1 else f"{each.config}-{each.digest[:12]}"
        # Two answers to the very same question: a run and the one that --fresh moved aside.
        named_runs[f"{name}-{len(named_runs) + 1}" if name in named_runs else name] = each
    return named_runs

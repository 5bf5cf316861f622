"""Risk against coverage: the answers' scores if only the most confident questions are answered.

Coverage is the share of questions that are answered, risk is 1 minus their mean score (El-Yaniv and
Wiener 2010; Geifman and El-Yaniv 2017, arXiv:1705.08500). The confidence of a question is known without
its reference.
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple, TypedDict

import numpy as np
from numpy import float64, int32
from numpy.typing import NDArray

from evaluation.metrics.registry import metric_names
from evaluation.statistics.intervals import draws_interval
from evaluation.statistics.summaries import LEAST_RELIABLE, Summary, summarise
from evaluation.store.journal import Record
from evaluation.store.recorded_run import RecordedRun, known_records
from nodes.state import Step, is_withheld

COVERAGES = tuple(tenths / 10 for tenths in range(10, 0, -1))
"""The points of a curve, from all questions to a tenth of them."""
HALF = 0.5
EXPECTED, RETRIEVAL = "expected score", "retrieval score"
"""The confidence of a question: the expected score of its answer, or else the retrieval score of its first
passage."""
DRAWS = 2_000


class Question(NamedTuple):
    """An answered question with its confidence."""

    confidence: float
    key: str
    """Orders questions of equal confidence, whatever the order of the dataset is."""
    metrics: Mapping[str, float | None]
    """None is unscored."""
    withheld: bool = False


class CoveragePoint(TypedDict):
    """The questions that are answered at one coverage."""

    coverage: float
    questions: int
    threshold: float
    """The lowest confidence of these questions."""
    mean_confidence: float
    """The mean confidence of these questions; if it is an expected score, the mean score should be near it."""


class HalfGain(TypedDict):
    """The mean score of the more confident half of the questions minus that of all."""

    n: int
    """Questions in the half."""
    mean_difference: float
    ci95: list[float] | None
    """Percentile bootstrap over questions; each draw chooses its own half."""


class Area(TypedDict):
    """The mean risk over all coverages (AURC), by the order in which the questions are answered."""

    measured: float
    """The area if the questions are answered in the order of their confidence."""
    random: float
    """The expected area of a random order, which is the risk of all questions."""
    best: float
    """The area of the order of the scores. It needs the references, so it is only a bound."""


class Curve(TypedDict):
    """The scores by one metric."""

    scores: list[Summary]
    """One for each point."""
    half_gain: HalfGain | None
    """None below `LEAST_RELIABLE` scored questions, or if answers were withheld."""
    area: Area | None
    """None as `half_gain`."""


class RunCurves(TypedDict):
    """Risk against coverage in one run."""

    confidence_kind: str
    """`EXPECTED` or `RETRIEVAL`."""
    questions: int
    failed: int
    no_confidence: int
    """Answered questions without a confidence, which the curves leave out."""
    withheld: int
    """Questions at which the run withheld its answer: the points end before them."""
    points: list[CoveragePoint]
    """From the largest coverage down; none below `LEAST_RELIABLE` questions."""
    metrics: dict[str, Curve]


def run_curves(run: RecordedRun) -> RunCurves | None:
    """Return the curves of a run by all of its metrics; None if no question has a confidence.

    Raises:
        DatasetError: The records of the run are damaged.
    """
    with known_records(run.folder):
        answered = run.answered
        expected = [expected_score(record["steps"]) for record in answered]
        # A refinement that was not reranked has no expected score, and the two kinds cannot be mixed.
        known = sum(value is not None for value in expected)
        kind = EXPECTED if known and 2 * known >= len(expected) else RETRIEVAL
        values = expected if kind == EXPECTED else [_retrieval_score(r) for r in answered]
        questions = [
            Question(value, _key(record), record["metrics"], is_withheld(record["steps"]))
            for record, value in zip(answered, values, strict=True)
            if value is not None
        ]
        names = metric_names(record["metrics"] for record in answered)
    if not questions:
        return None
    ordered = by_confidence(questions)
    points = coverage_points(ordered)
    return {
        "confidence_kind": kind,
        "questions": len(run.records),
        "failed": run.failed,
        "no_confidence": len(answered) - len(questions),
        "withheld": sum(question.withheld for question in questions),
        "points": points,
        "metrics": curves(ordered, points, names),
    }


def expected_score(steps: Sequence[Step]) -> float | None:
    """Return the expected score of the answer that the steps end with; None if it was not computed."""
    for step in reversed(steps):
        if "answer" not in step:
            continue
        if "expected_score" in step:
            return step["expected_score"]
        if step.get("scores"):
            return step["scores"][step["chosen"]].get("expected")
        return None
    return None


def by_confidence(questions: Sequence[Question]) -> list[Question]:
    """Return questions in the order of their confidence, the highest first."""
    return sorted(questions, key=lambda question: (-question.confidence, question.key))


def _retrieval_score(record: Record) -> float | None:
    return record["passages"][0]["score"] if record["passages"] else None


def _key(record: Record) -> str:
    return sha256(record["question"].encode("utf-8", "surrogatepass")).hexdigest()


def coverage_points(ordered: Sequence[Question]) -> list[CoveragePoint]:
    """Return the points of the curves of ordered questions, down to a tenth of them."""
    if len(ordered) < LEAST_RELIABLE:
        return []
    withheld = [index for index, question in enumerate(ordered) if question.withheld]
    most = min(withheld, default=len(ordered))
    sizes = {coverage: round(coverage * len(ordered)) for coverage in COVERAGES}
    return [
        {
            "coverage": coverage,
            "questions": size,
            "threshold": ordered[size - 1].confidence,
            "mean_confidence": float(np.mean([question.confidence for question in ordered[:size]])),
        }
        for coverage, size in sizes.items()
        if size <= most
    ]


def curves(
    ordered: Sequence[Question], points: Sequence[CoveragePoint], metrics: Iterable[str]
) -> dict[str, Curve]:
    """Return the scores of ordered questions by each metric."""
    values = {metric: [question.metrics.get(metric) for question in ordered] for metric in metrics}
    scores = {
        metric: np.array([value for value in own if value is not None], dtype=float)
        for metric, own in values.items()
    }
    is_whole = not any(question.withheld for question in ordered)
    gains = _half_gains(
        {name: own for name, own in scores.items() if is_whole and len(own) >= LEAST_RELIABLE}
    )
    return {
        metric: {
            "scores": [summarise(own[: point["questions"]]) for point in points],
            "half_gain": gains.get(metric),
            "area": _areas(scores[metric]) if metric in gains else None,
        }
        for metric, own in values.items()
    }


def _half_gains(scores: Mapping[str, NDArray[float64]]) -> dict[str, HalfGain]:
    """Return the gains of metrics, whose scores are in the order of confidence.

    Metrics with equally many scored questions have the same draws.
    """
    gains: dict[str, HalfGain] = {}
    for size in {len(own) for own in scores.values()}:
        drawn = _drawn(size)
        gains |= {name: _half_gain(own, drawn) for name, own in scores.items() if len(own) == size}
    return gains


def _half_gain(scores: NDArray[float64], drawn: NDArray[int32]) -> HalfGain:
    """Return the gain of the first half of scores.

    Args:
        scores: In the order of confidence, shape (n,).
        drawn: What `_drawn` returns for n.
    """
    half = round(HALF * len(scores))
    gains = np.concatenate(
        [
            samples[:, :half].mean(axis=1) - samples.mean(axis=1)
            for samples in (scores[np.newaxis], scores[drawn])
        ]
    )
    return {"n": half, "mean_difference": float(gains[0]), "ci95": draws_interval(gains)}


def _drawn(n: int) -> NDArray[int32]:
    """Return draws of n questions, shape (`DRAWS`, n).

    Each is in the order of confidence again, so that it has its own more confident half.
    """
    drawn = np.random.default_rng(0).integers(0, n, (DRAWS, n), dtype=int32)
    drawn.sort(axis=1)
    return drawn


def _areas(scores: NDArray[float64]) -> Area:
    return {
        "measured": _area(scores),
        "random": float(1 - scores.mean()),
        "best": _area(np.sort(scores)[::-1]),
    }


def _area(scores: NDArray[float64]) -> float:
    """Return the mean risk over the coverages 1/n to n/n of scores in the order of confidence."""
    means = np.cumsum(scores) / np.arange(1, len(scores) + 1)
    return float((1 - means).mean())

"""Risk against coverage: the answers' scores if only the most confident questions are answered.

Coverage is the share of questions that are answered, risk is 1 minus their mean score (El-Yaniv and
Wiener 2010; Geifman and El-Yaniv 2017, arXiv:1705.08500). The confidence of a question is known without
its reference.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple, TypedDict

import numpy as np
from numpy import float64, int64
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
    """The lowest confidence among them."""
    mean_confidence: float
    """Among them; an expected score can be compared with the mean score."""


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
    """That of the confidence."""
    random: float
    """That of a random order: the risk of all questions."""
    best: float
    """That of the order of the scores, which nobody can know."""


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
        "metrics": {name: curve(ordered, points, name) for name in names},
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


def curve(ordered: Sequence[Question], points: Sequence[CoveragePoint], metric: str) -> Curve:
    """Return the scores of ordered questions by one metric."""
    values = [question.metrics.get(metric) for question in ordered]
    scores = np.array([value for value in values if value is not None], dtype=float)
    is_whole = len(scores) >= LEAST_RELIABLE and not any(question.withheld for question in ordered)
    return {
        "scores": [summarise(values[: point["questions"]]) for point in points],
        "half_gain": _half_gain(scores) if is_whole else None,
        "area": _areas(scores) if is_whole else None,
    }


def _half_gain(scores: NDArray[float64]) -> HalfGain:
    """Return the gain of the first half of scores, which are in the order of confidence."""
    half = round(HALF * len(scores))
    samples = np.vstack((scores, scores[_drawn(len(scores), DRAWS)]))
    gains = samples[:, :half].mean(axis=1) - samples.mean(axis=1)
    return {"n": half, "mean_difference": float(gains[0]), "ci95": draws_interval(gains)}


# All metrics of a run have the same draws.
@lru_cache(maxsize=1)
def _drawn(n: int, draws: int) -> NDArray[int64]:
    """Return draws of n questions, shape (draws, n).

    Each is in the order of confidence again, so that it has its own more confident half.
    """
    drawn: NDArray[int64] = np.random.default_rng(0).integers(0, n, (draws, n))
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

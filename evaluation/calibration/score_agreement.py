"""What is measured of each signal against people, and what people reach among themselves."""

from collections.abc import Sequence
from typing import NamedTuple, TypedDict

import numpy as np
from numpy import float64, int64
from numpy.typing import NDArray

from evaluation.calibration.grades import HIGHEST, Graded, human_means, questions_of
from evaluation.statistics import agreement
from evaluation.statistics.intervals import AGREEMENT_DRAWS, draws_interval


class Estimate(TypedDict):
    """A statistic; None where it is not defined."""

    mean: float | None
    ci95: list[float] | None
    """Percentile interval of the cluster bootstrap by question; None for one question."""


class Counted(Estimate):
    """A statistic with its own number of observations."""

    n: int


class Agreement(TypedDict):
    """How a score agrees with human means."""

    n: int
    unscored: int
    spearman: Estimate
    kendall: Estimate
    pair_agreement: Counted
    """`n` pairs of answers to one question whose human means differ by 1 or more."""
    quadratic_kappa: Estimate
    calibration_error: Estimate | None
    """None of people's own grades: their mean is what they are held against."""


class Part(TypedDict):
    """The same on a part of the rows, in short."""

    n: int
    spearman: Estimate
    pair_agreement: Counted


class Ahead(TypedDict):
    """One score's agreement minus another's, on the rows that both scored."""

    n: int
    spearman: Estimate
    pair_agreement: Counted


class GradedRows(NamedTuple):
    """The rows as arrays, and the draws of questions that every statistic is seen on."""

    human: NDArray[float64]
    place: NDArray[int64]
    weights: NDArray[float64]

    @classmethod
    def of(cls, rows: Sequence[Graded], draws: int | None = None) -> "GradedRows":
        """Lay the rows out."""
        place = questions_of(rows)
        weights = agreement.draw_questions(int(place.max()) + 1, draws or AGREEMENT_DRAWS)
        return cls(human_means(rows), place, weights)

    def only(self, rows: NDArray[int64]) -> "GradedRows":
        """Return some of the rows, with draws of the questions that they belong to."""
        kept, place = np.unique(self.place[rows], return_inverse=True)
        return GradedRows(self.human[rows], place, self.weights[:, kept])


def measure(scores: Sequence[float | None], table: GradedRows) -> Agreement:
    """Return how scores in [0, 1] agree with people."""
    values, kept = _scored(scores, table)
    kappa = error = Estimate(mean=None, ci95=None)
    if len(values):
        grades = agreement.grades_of(kept.human / HIGHEST)
        ours = agreement.grades_of(values)
        kappa = estimate(
            agreement.quadratic_kappa(ours, grades, kept.place, kept.weights), kept.weights
        )
        error = estimate(
            agreement.calibration_error(values, kept.human, kept.place, kept.weights), kept.weights
        )
    return {
        "n": len(values),
        "unscored": len(scores) - len(values),
        "spearman": estimate(_spearman(values, kept), kept.weights),
        "kendall": estimate(_kendall(values, kept), kept.weights),
        "pair_agreement": _pairs(values, kept),
        "quadratic_kappa": kappa,
        "calibration_error": error,
    }


def measure_part(scores: Sequence[float | None], table: GradedRows, taken: Sequence[bool]) -> Part:
    """Return in short how scores agree with people on the rows that are taken."""
    part = [score if good else None for score, good in zip(scores, taken, strict=True)]
    values, kept = _scored(part, table)
    return {
        "n": len(values),
        "spearman": estimate(_spearman(values, kept), kept.weights),
        "pair_agreement": _pairs(values, kept),
    }


def ahead(ours: Sequence[float | None], theirs: Sequence[float | None], table: GradedRows) -> Ahead:
    """Return the agreement of `ours` minus that of `theirs`, draw by draw: a paired interval."""
    rows = np.array(
        [row for row, pair in enumerate(zip(ours, theirs, strict=True)) if None not in pair],
        dtype=int,
    )
    kept = table.only(rows)
    first, second = (np.array([x[row] for row in rows], dtype=float) for x in (ours, theirs))
    pairs, counts = zip(*(_shares(values, kept) for values in (first, second)), strict=True)
    return {
        "n": len(rows),
        "spearman": estimate(_spearman(first, kept) - _spearman(second, kept), kept.weights),
        "pair_agreement": {**estimate(pairs[0] - pairs[1], kept.weights), "n": counts[0]},
    }


def estimate(values: NDArray[float64], weights: NDArray[float64]) -> Estimate:
    """Return a statistic of which the draws are known, the sample's first."""
    mean = None if np.isnan(values[0]) else float(values[0])
    ends = draws_interval(values) if weights.shape[1] > 1 else None
    return {"mean": mean, "ci95": ends}


def _scored(
    scores: Sequence[float | None], table: GradedRows
) -> tuple[NDArray[float64], GradedRows]:

    rows = [row for row, score in enumerate(scores) if score is not None]
    values = np.array([scores[row] for row in rows], dtype=float)
    return values, table.only(np.array(rows, dtype=int))


def _spearman(values: NDArray[float64], table: GradedRows) -> NDArray[float64]:
    if len(values) < 2:
        return _undefined(table)
    return agreement.spearman(values, table.human, table.place, table.weights)


def _kendall(values: NDArray[float64], table: GradedRows) -> NDArray[float64]:
    if len(values) < 2:
        return _undefined(table)
    return agreement.kendall(values, table.human, table.place, table.weights)


def _undefined(table: GradedRows) -> NDArray[float64]:

    return np.full(len(table.weights), np.nan)


def _shares(values: NDArray[float64], table: GradedRows) -> tuple[NDArray[float64], int]:
    counts = agreement.pair_counts(values, table.human, table.place, table.weights.shape[1])
    return agreement.share(counts, table.weights), int(counts[:, 1].sum())


def _pairs(values: NDArray[float64], table: GradedRows) -> Counted:
    shares, count = _shares(values, table)
    return {**estimate(shares, table.weights), "n": count}


class Orders(TypedDict):
    """How a judge agrees with itself when the grades are named the other way round."""

    n: int
    spearman: Estimate
    quadratic_kappa: Estimate
    same_grade: float | None
    """Share of answers whose score lies nearest to the same grade in both orders."""
    mean_difference: float | None
    """Ascending minus descending, of scores in [0, 1]."""


def order_agreement(
    ascending: Sequence[float | None], descending: Sequence[float | None], table: GradedRows
) -> Orders:
    """Return the agreement between the two orders, on the rows scored in both."""
    both = zip(ascending, descending, strict=True)
    rows = np.array([row for row, pair in enumerate(both) if None not in pair], dtype=int)
    kept = table.only(rows)
    first = np.array([ascending[row] for row in rows], dtype=float)
    second = np.array([descending[row] for row in rows], dtype=float)
    ours, theirs = agreement.grades_of(first), agreement.grades_of(second)
    kappa = agreement.quadratic_kappa(ours, theirs, kept.place, kept.weights)
    return {
        "n": len(rows),
        "spearman": estimate(_spearman(first, kept._replace(human=second)), kept.weights),
        "quadratic_kappa": estimate(kappa, kept.weights),
        "same_grade": float((ours == theirs).mean()) if len(rows) else None,
        "mean_difference": float((first - second).mean()) if len(rows) else None,
    }


def mean_of(values: Sequence[float | None], table: GradedRows) -> Counted:
    """Return the mean of the known values, as of a judge's probability mass."""
    known, kept = _scored(values, table)
    sums = np.zeros((kept.weights.shape[1], 2))
    np.add.at(sums, kept.place, np.column_stack((known, np.ones(len(known)))))
    return {**estimate(agreement.share(sums, kept.weights), kept.weights), "n": len(known)}

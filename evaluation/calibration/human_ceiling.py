"""The ceiling: how well one person's grades agree with those of the others."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, TypedDict

import numpy as np
from numpy import float64, int64
from numpy.typing import NDArray

from evaluation.calibration.grades import HIGHEST, Graded
from evaluation.calibration.score_agreement import Counted, Estimate, GradedRows, estimate
from evaluation.statistics import agreement

if TYPE_CHECKING:
    from collections.abc import Callable

    Floats = NDArray[float64]
    Statistic = Callable[[Floats, Floats, NDArray[int64], Floats], Floats]


class Ceiling(TypedDict):
    """What people reach among themselves; its figures are None where there is only one."""

    graders: int
    """Who graded at least two answers that somebody else graded too."""
    n: int
    """Single grades held against the mean of the others'."""
    spearman: Estimate
    kendall: Estimate
    pair_agreement: Counted
    quadratic_kappa: Estimate


class _Person(NamedTuple):
    """One grader's grades and, for the same answers, the mean of the others'."""

    own: NDArray[float64]
    others: NDArray[float64]
    rows: NDArray[int64]


def human_ceiling(rows: Sequence[Graded], table: GradedRows) -> Ceiling:
    """Leave one grader out: hold each grader's grades against the mean of all others'.

    Correlations are computed for each grader and averaged, weighted by answers, since no two use
    the scale alike; pairs and kappa are counted over all graders together. A pair is judged as a
    metric's is: two answers to one question that the others tell apart by 1 or more. Fewer people
    stand behind the mean of the others than behind the mean that a metric is held against, so the
    ceiling is, if anything, a little low.
    """
    people = _people(rows)
    if not people:
        nothing = Estimate(mean=None, ci95=None)
        pairs = Counted(mean=None, ci95=None, n=0)
        return {
            "graders": 0,
            "n": 0,
            "spearman": nothing,
            "kendall": nothing,
            "pair_agreement": pairs,
            "quadratic_kappa": nothing,
        }
    seen = [table.only(person.rows)._replace(human=person.others) for person in people]
    sizes = [len(person.own) for person in people]
    return {
        "graders": len(people),
        "n": sum(sizes),
        "spearman": estimate(_mean(agreement.spearman, people, seen), table.weights),
        "kendall": estimate(_mean(agreement.kendall, people, seen), table.weights),
        "pair_agreement": _pairs(people, table),
        "quadratic_kappa": _kappa(people, table),
    }


def _people(rows: Sequence[Graded]) -> list[_Person]:

    found: dict[str, list[tuple[float, float, int]]] = {}
    for number, row in enumerate(rows):
        total, count = sum(row.grades.values()), len(row.grades)
        if count > 1:
            for grader, grade in row.grades.items():
                others = (total - grade) / (count - 1)
                found.setdefault(grader, []).append((grade, others, number))
    people = []
    for _, given in sorted(found.items()):
        if len(given) > 1:
            own, rest, numbers = zip(*given, strict=True)
            people.append(_Person(np.array(own), np.array(rest), np.array(numbers)))
    return people


def _mean(
    statistic: "Statistic", people: Sequence[_Person], seen: Sequence[GradedRows]
) -> NDArray[float64]:

    values = np.array(
        [
            statistic(person.own, kept.human, kept.place, kept.weights)
            for person, kept in zip(people, seen, strict=True)
        ]
    )
    sizes = np.array([len(person.own) for person in people], dtype=float)[:, None]
    counted = np.where(np.isnan(values), 0, sizes)
    total = counted.sum(axis=0)
    sums = (np.nan_to_num(values) * counted).sum(axis=0)
    missing = np.full(values.shape[1], np.nan)
    return np.asarray(np.divide(sums, total, out=missing, where=total > 0))


def _pairs(people: Sequence[_Person], table: GradedRows) -> Counted:

    counts = np.zeros((table.weights.shape[1], 2))
    for person in people:
        place = table.place[person.rows]
        counts += agreement.pair_counts(person.own, person.others, place, len(counts))
    shares = agreement.share(counts, table.weights)
    return {**estimate(shares, table.weights), "n": int(counts[:, 1].sum())}


def _kappa(people: Sequence[_Person], table: GradedRows) -> Estimate:

    own = np.concatenate([person.own for person in people])
    others = np.concatenate([person.others for person in people])
    place = table.place[np.concatenate([person.rows for person in people])]
    values = agreement.quadratic_kappa(
        agreement.grades_of(own / HIGHEST),
        agreement.grades_of(others / HIGHEST),
        place,
        table.weights,
    )
    return estimate(values, table.weights)

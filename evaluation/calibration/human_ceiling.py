"""The human ceiling: agreement of one person's grades with the mean of the other graders'."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypedDict

import numpy as np
from numpy import float64, int64
from numpy.typing import NDArray

from evaluation.calibration.grades import HIGHEST, GradedAnswer
from evaluation.calibration.score_agreement import (
    CountedEstimate,
    Estimate,
    GradedRows,
    estimate,
    pair_share,
)
from evaluation.statistics import agreement

Floats = NDArray[float64]
RankCorrelation = Callable[[Floats, Floats, NDArray[int64], Floats], Floats]
"""`agreement.spearman` or `agreement.kendall`."""


class Ceiling(TypedDict):
    """The agreement of people with each other; its statistics are None without two graders."""

    graders: int
    """People who graded at least two answers that somebody else graded too."""
    n: int
    """Single grades that were compared with the mean of the others."""
    spearman: Estimate
    kendall: Estimate
    pair_agreement: CountedEstimate
    quadratic_kappa: Estimate


class _Grader(NamedTuple):
    """One grader's grades and, for the same answers, the mean of all other grades; shape (n,)."""

    own: Floats
    rest: Floats
    rows: NDArray[int64]


def human_ceiling(answers: Sequence[GradedAnswer], table: GradedRows) -> Ceiling:
    """Compare each grader's grades with the mean of all others' (leave one grader out).

    Correlations are computed for each grader and averaged, weighted by answers, since no two
    graders use the scale alike; pairs and kappa are counted over all graders together. As for a
    metric, a pair is two answers to one question whose means (here: of the others) differ by 1 or
    more. The mean of the others has one person less than the mean that a metric is compared with,
    so the ceiling is, if anything, a little low.
    """
    graders = _graders(answers)
    if not graders:
        undefined = Estimate(mean=None, ci95=None)
        return {
            "graders": 0,
            "n": 0,
            "spearman": undefined,
            "kendall": undefined,
            "pair_agreement": CountedEstimate(mean=None, ci95=None, n=0),
            "quadratic_kappa": undefined,
        }
    return {
        "graders": len(graders),
        "n": sum(len(grader.own) for grader in graders),
        "spearman": _mean_correlation(agreement.spearman, graders, table),
        "kendall": _mean_correlation(agreement.kendall, graders, table),
        "pair_agreement": _pair_agreement(graders, table),
        "quadratic_kappa": _kappa(graders, table),
    }


def _graders(answers: Sequence[GradedAnswer]) -> list[_Grader]:
    """Return the graders with at least two shared answers, by name."""
    grades_of_grader: dict[str, list[tuple[float, float, int]]] = defaultdict(list)
    for row, answer in enumerate(answers):
        total, count = sum(answer.grades.values()), len(answer.grades)
        if count > 1:
            for name, grade in answer.grades.items():
                mean_of_rest = (total - grade) / (count - 1)
                grades_of_grader[name].append((grade, mean_of_rest, row))
    graders = []
    for _, grades in sorted(grades_of_grader.items()):
        if len(grades) > 1:
            own, rest, rows = zip(*grades, strict=True)
            graders.append(_Grader(np.array(own), np.array(rest), np.array(rows)))
    return graders


def _mean_correlation(
    statistic: RankCorrelation, graders: Sequence[_Grader], table: GradedRows
) -> Estimate:
    """Return the mean over graders, weighted by their answers, in each draw.

    A grader whose statistic is undefined in a draw is left out of that draw's mean.
    """
    values = []
    for grader in graders:
        rows = table.only(grader.rows)
        values.append(statistic(grader.own, grader.rest, rows.question, rows.weights))
    draws = np.array(values)
    sizes = np.array([len(grader.own) for grader in graders], dtype=float)[:, None]
    counted = np.where(np.isnan(draws), 0, sizes)
    total = counted.sum(axis=0)
    sums = (np.nan_to_num(draws) * counted).sum(axis=0)
    missing = np.full(draws.shape[1], np.nan)
    means = np.asarray(np.divide(sums, total, out=missing, where=total > 0))
    return estimate(means, table.weights)


def _pair_agreement(graders: Sequence[_Grader], table: GradedRows) -> CountedEstimate:
    counts = np.zeros((table.weights.shape[1], 2))
    for grader in graders:
        question = table.question[grader.rows]
        counts += agreement.pair_counts(grader.own, grader.rest, question, len(counts))
    return pair_share(counts, table.weights)


def _kappa(graders: Sequence[_Grader], table: GradedRows) -> Estimate:
    own = np.concatenate([grader.own for grader in graders])
    rest = np.concatenate([grader.rest for grader in graders])
    question = table.question[np.concatenate([grader.rows for grader in graders])]
    draws = agreement.quadratic_kappa(
        agreement.grades_of(own / HIGHEST),
        agreement.grades_of(rest / HIGHEST),
        question,
        table.weights,
    )
    return estimate(draws, table.weights)

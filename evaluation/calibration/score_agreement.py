"""Agreement of a score with people's mean grades, each statistic with its bootstrap interval."""

from collections.abc import Sequence
from typing import NamedTuple, TypedDict

import numpy as np
from numpy import float64, int64
from numpy.typing import NDArray

from evaluation.calibration.grades import HIGHEST, GradedAnswer, human_means, question_indices
from evaluation.statistics import agreement
from evaluation.statistics.intervals import AGREEMENT_DRAWS, draws_interval, share_interval

Scores = Sequence[float | None]
"""One score in [0, 1] for each row; None where the row is unscored."""


class Estimate(TypedDict):
    """A statistic of the sample; None where it is not defined."""

    mean: float | None
    ci95: list[float] | None
    """Percentile interval of the cluster bootstrap by question; None for a single question, and where
    all draws give the same value. For `pair_agreement` on all pairs or on none: Wilson's."""


class CountedEstimate(Estimate):
    """A statistic with a number of observations of its own."""

    n: int


class PartAgreement(TypedDict):
    """The agreement on some of the rows."""

    n: int
    spearman: Estimate
    pair_agreement: CountedEstimate


class Agreement(TypedDict):
    """The agreement of a score with the human means."""

    n: int
    unscored: int
    spearman: Estimate
    kendall: Estimate
    pair_agreement: CountedEstimate
    """`n` pairs of answers to one question whose human means differ by 1 or more."""
    quadratic_kappa: Estimate
    calibration_error: Estimate | None


class AgreementLead(TypedDict):
    """The agreement of one score minus that of another, on the rows that both scored."""

    n: int
    spearman: Estimate
    pair_agreement: CountedEstimate


class OrderAgreement(TypedDict):
    """The agreement of a judge with itself when its grades are listed in the other order."""

    n: int
    spearman: Estimate
    quadratic_kappa: Estimate
    same_grade: float | None
    """Share of answers whose two scores are nearest to the same grade."""
    mean_difference: float | None
    """Mean of ascending minus descending; scores are in [0, 1]."""


class GradedRows(NamedTuple):
    """Graded answers as arrays, and the bootstrap draws of their questions."""

    human: NDArray[float64]
    """Mean grade of each row, shape (n,), in [0, 4]."""
    question: NDArray[int64]
    """Index of each row's question, shape (n,)."""
    weights: NDArray[float64]
    """Times that each question was drawn, shape (draws, questions); the first draw is all ones."""

    @classmethod
    def of(cls, answers: Sequence[GradedAnswer], draws: int | None = None) -> "GradedRows":
        """Build the arrays and draw the questions, `AGREEMENT_DRAWS` times by default."""
        question = question_indices(answers)
        # Read at the call, not as the default: tests patch the number of draws.
        weights = agreement.draw_questions(int(question.max()) + 1, draws or AGREEMENT_DRAWS)
        return cls(human_means(answers), question, weights)

    def only(self, rows: NDArray[int64]) -> "GradedRows":
        """Return the rows of these indices, with the same draws of the questions they belong to."""
        questions, question = np.unique(self.question[rows], return_inverse=True)
        return GradedRows(self.human[rows], question, self.weights[:, questions])


def measure_agreement(scores: Scores, table: GradedRows) -> Agreement:
    """Measure the agreement of scores with the human means."""
    values, rows = _scored(scores, table)
    kappa = error = Estimate(mean=None, ci95=None)
    if len(values):
        kappa = estimate(
            agreement.quadratic_kappa(
                agreement.grades_of(values),
                agreement.grades_of(rows.human / HIGHEST),
                rows.question,
                rows.weights,
            ),
            rows.weights,
        )
        error = estimate(
            agreement.calibration_error(values, rows.human, rows.question, rows.weights),
            rows.weights,
        )
    return {
        "n": len(values),
        "unscored": len(scores) - len(values),
        "spearman": estimate(_spearman(values, rows), rows.weights),
        "kendall": estimate(_kendall(values, rows), rows.weights),
        "pair_agreement": _pair_agreement(values, rows),
        "quadratic_kappa": kappa,
        "calibration_error": error,
    }


def measure_part(scores: Scores, table: GradedRows, mask: Sequence[bool]) -> PartAgreement:
    """Measure the agreement on the rows where `mask` is true."""
    part = [score if selected else None for score, selected in zip(scores, mask, strict=True)]
    values, rows = _scored(part, table)
    return {
        "n": len(values),
        "spearman": estimate(_spearman(values, rows), rows.weights),
        "pair_agreement": _pair_agreement(values, rows),
    }


def agreement_lead(ours: Scores, theirs: Scores, table: GradedRows) -> AgreementLead:
    """Return the agreement of `ours` minus that of `theirs`.

    The difference is taken in each draw, so the interval is a paired one.
    """
    first, second, rows = _both_scored(ours, theirs, table)
    first_pairs, second_pairs = _pair_counts(first, rows), _pair_counts(second, rows)
    lead = agreement.share(first_pairs, rows.weights) - agreement.share(second_pairs, rows.weights)
    return {
        "n": len(first),
        "spearman": estimate(_spearman(first, rows) - _spearman(second, rows), rows.weights),
        "pair_agreement": {**estimate(lead, rows.weights), "n": int(first_pairs[:, 1].sum())},
    }


def order_agreement(ascending: Scores, descending: Scores, table: GradedRows) -> OrderAgreement:
    """Return the agreement of a judge's two orders, on the rows that both scored."""
    first, second, rows = _both_scored(ascending, descending, table)
    ours, theirs = agreement.grades_of(first), agreement.grades_of(second)
    kappa = agreement.quadratic_kappa(ours, theirs, rows.question, rows.weights)
    return {
        "n": len(first),
        # The second order takes the part of the human means.
        "spearman": estimate(_spearman(first, rows._replace(human=second)), rows.weights),
        "quadratic_kappa": estimate(kappa, rows.weights),
        "same_grade": float((ours == theirs).mean()) if len(first) else None,
        "mean_difference": float((first - second).mean()) if len(first) else None,
    }


def mean_estimate(values: Scores, table: GradedRows) -> CountedEstimate:
    """Return the mean of the values that are not None, such as a judge's probability mass."""
    present, rows = _scored(values, table)
    sums = np.zeros((rows.weights.shape[1], 2))
    np.add.at(sums, rows.question, np.column_stack((present, np.ones(len(present)))))
    return {**estimate(agreement.share(sums, rows.weights), rows.weights), "n": len(present)}


def estimate(draws: NDArray[float64], weights: NDArray[float64]) -> Estimate:
    """Return the sample's statistic and its interval; a single question has no interval.

    Args:
        draws: The statistic in each draw, shape (draws,); the first is the sample itself, NaN is
            undefined.
        weights: Times that each question was drawn, shape (draws, questions).
    """
    mean = None if np.isnan(draws[0]) else float(draws[0])
    # All draws of one question are that question: their quantiles would look like certainty.
    interval = draws_interval(draws) if weights.shape[1] > 1 else None
    return {"mean": mean, "ci95": interval}


def pair_share(counts: NDArray[float64], weights: NDArray[float64]) -> CountedEstimate:
    """Return the share of pairs in the same order as people's, and the number of pairs.

    Where it is 0 or 1, no draw differs from the sample. The interval is then Wilson's, of as many
    trials as there are questions with pairs: pairs of one question are not independent.

    Args:
        counts: Pairs in the same order and all pairs of each question, shape (questions, 2).
        weights: Times that each question was drawn, shape (draws, questions).
    """
    result = estimate(agreement.share(counts, weights), weights)
    mean, questions = result["mean"], int((counts[:, 1] > 0).sum())
    if mean in (0, 1) and questions > 1:
        result["ci95"] = share_interval(float(mean), questions)
    return {**result, "n": int(counts[:, 1].sum())}


def _scored(scores: Scores, table: GradedRows) -> tuple[NDArray[float64], GradedRows]:
    rows = [row for row, score in enumerate(scores) if score is not None]
    values = np.array([scores[row] for row in rows], dtype=float)
    return values, table.only(np.array(rows, dtype=int))


def _both_scored(
    ours: Scores, theirs: Scores, table: GradedRows
) -> tuple[NDArray[float64], NDArray[float64], GradedRows]:
    pairs = list(zip(ours, theirs, strict=True))
    rows = np.array([row for row, pair in enumerate(pairs) if None not in pair], dtype=int)
    # The shape keeps two columns where no row has both scores.
    values = np.array([pairs[row] for row in rows], dtype=float).reshape(-1, 2)
    return values[:, 0], values[:, 1], table.only(rows)


def _spearman(values: NDArray[float64], table: GradedRows) -> NDArray[float64]:
    if len(values) < 2:
        return _undefined(table)
    return agreement.spearman(values, table.human, table.question, table.weights)


def _kendall(values: NDArray[float64], table: GradedRows) -> NDArray[float64]:
    if len(values) < 2:
        return _undefined(table)
    return agreement.kendall(values, table.human, table.question, table.weights)


def _undefined(table: GradedRows) -> NDArray[float64]:
    return np.full(len(table.weights), np.nan)


def _pair_counts(values: NDArray[float64], table: GradedRows) -> NDArray[float64]:
    return agreement.pair_counts(values, table.human, table.question, table.weights.shape[1])


def _pair_agreement(values: NDArray[float64], table: GradedRows) -> CountedEstimate:
    return pair_share(_pair_counts(values, table), table.weights)

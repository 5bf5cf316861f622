"""The fit of learned reranking: weighted sums of features, cross-validated by question.

One sum ranks the candidates of a question, and sees only their differences. The other one is the expected
score of the calibrated judge, which is comparable between questions.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy import float64
from numpy.typing import NDArray

from evaluation.metrics.calibrated_judge import CALIBRATED_JUDGE
from evaluation.metrics.metric import MetricScores
from evaluation.reranking.candidate_pools import TARGETS, Pool
from graph.reranking.features import FEATURES
from graph.reranking.formula import Expectation, Formula, Reranker, Term
from graph.support.errors import DatasetError
from graph.support.question_folds import FOLDS, fold_of, short_digest

RIDGE = 0.01
"""Of the mean square of the weights, which belong to features of deviation 1."""
LEAST_QUESTIONS = 2 * FOLDS
_LEAST_KNOWN = 0.05
"""The share of candidates of which a feature must be known."""
_DIGITS = 4


class Rows(NamedTuple):
    """The candidates of all pools as arrays; a row is a candidate."""

    pools: NDArray[np.int64]
    """The position of each row's pool."""
    features: NDArray[float64]
    """Shape (rows, features), NaN where a feature is not known."""
    targets: NDArray[float64]
    """The mean rank by `TARGETS` within the pool, in [0, 1]; 1 is the best."""
    judge_scores: NDArray[float64]
    """The scores of the calibrated judge, NaN where a candidate is unscored."""


def fit_reranker(
    pools: Sequence[Pool], provenance: dict[str, object], names: Sequence[str] = tuple(FEATURES)
) -> Reranker:
    """Fit a formula on all pools, and one more without each fold of questions.

    Args:
        pools: The candidates of each question.
        provenance: What the file says of the fit.
        names: The features that the formula may have.

    Raises:
        DatasetError: there are too few questions.
    """
    questions = {pool.question for pool in pools}
    if len(questions) < LEAST_QUESTIONS:
        raise DatasetError(
            f"a fit needs at least {LEAST_QUESTIONS} questions with a reference and two candidates, "
            f"better hundreds; here are {len(questions)}"
        )
    folds = [fold_of(pool.question) for pool in pools]
    formula = _fit_formula(pools, names)
    of_folds = [
        _fit_formula([pool for pool, of in zip(pools, folds, strict=True) if of != fold], names)
        for fold in range(FOLDS)
    ]
    if any(of_fold.expectation is None for of_fold in of_folds):
        # The calibrated judge scored the questions of one fold alone.
        formula, *of_folds = (f._replace(expectation=None) for f in (formula, *of_folds))
    return Reranker(
        formula,
        tuple(of_folds),
        frozenset(map(short_digest, questions)),
        provenance,
    )


def rows_of(pools: Sequence[Pool], names: Sequence[str]) -> Rows:
    """Return the candidates of pools as arrays."""
    sizes = [len(pool.candidates) for pool in pools]
    features = [
        [row.get(name, np.nan) for name in names] for pool in pools for row in pool.features
    ]
    return Rows(
        np.repeat(np.arange(len(pools)), sizes),
        np.array(features, dtype=float).reshape(-1, len(names)),
        np.concatenate([mean_ranks(pool) for pool in pools]),
        np.array([judge_score(row) for pool in pools for row in pool.scores]),
    )


def judge_score(scores: MetricScores) -> float:
    """Return the score of the calibrated judge; NaN if there is none."""
    score = scores.get(CALIBRATED_JUDGE.name)
    return np.nan if score is None else score


def mean_ranks(pool: Pool) -> NDArray[float64]:
    """Return the mean rank of each candidate in [0, 1]; equal scores share their mean rank."""
    from scipy.stats import rankdata

    ranks = []
    for metric in TARGETS:
        values = [row[metric] for row in pool.scores]
        scored = [value for value in values if value is not None]
        if len(scored) == len(values):
            ranks.append((rankdata(scored) - 1) / max(1, len(scored) - 1))
    return np.mean(ranks, axis=0) if ranks else np.full(len(pool.candidates), 0.5)


def _fit_formula(pools: Sequence[Pool], names: Sequence[str]) -> Formula:
    rows = rows_of(pools, names)
    known = ~np.isnan(rows.features)
    means = np.array([values[k].mean() if k.any() else 0.0 for values, k in _columns(rows, known)])
    deviations = np.array(
        [values[k].std() if k.any() else 0.0 for values, k in _columns(rows, known)]
    )
    # A deviation that is stored as 0 could not divide.
    usable = (known.mean(axis=0) >= _LEAST_KNOWN) & (deviations.round(_DIGITS) > 0)
    table = np.where(known, (rows.features - means) / np.where(usable, deviations, 1), 0.0)
    is_monotone = np.array([FEATURES[name].is_monotone for name in names])

    def terms_of(usable_weights: NDArray[float64]) -> dict[str, Term]:
        weights = np.zeros(len(names))
        weights[usable] = usable_weights
        return {
            name: Term(*(round(float(value), _DIGITS) for value in (weight, mean, deviation)))
            for name, weight, mean, deviation in zip(names, weights, means, deviations, strict=True)
            if abs(weight) >= 10.0**-_DIGITS
        }

    terms = terms_of(
        _ridge_weights(
            _within(table[:, usable], rows.pools),
            _within(rows.targets[:, None], rows.pools)[:, 0],
            is_monotone[usable],
        )
    )
    scored = ~np.isnan(rows.judge_scores)
    if not scored.any():
        return Formula(terms)
    intercept = float(rows.judge_scores[scored].mean())
    expectation = _ridge_weights(
        table[scored][:, usable], rows.judge_scores[scored] - intercept, is_monotone[usable]
    )
    return Formula(terms, Expectation(round(intercept, _DIGITS), terms_of(expectation)))


def _columns(
    rows: Rows, known: NDArray[np.bool_]
) -> list[tuple[NDArray[float64], NDArray[np.bool_]]]:
    return list(zip(rows.features.T, known.T, strict=True))


def _within(values: NDArray[float64], pools: NDArray[np.int64]) -> NDArray[float64]:
    """Return values minus the mean of their pool: only differences within a question decide a pick."""
    counts = np.bincount(pools)
    means = np.stack([np.bincount(pools, column) / np.maximum(counts, 1) for column in values.T], 1)
    within: NDArray[float64] = values - means[pools]
    return within


def _ridge_weights(
    features: NDArray[float64], targets: NDArray[float64], is_monotone: NDArray[np.bool_]
) -> NDArray[float64]:
    """Return the weights of a ridge regression; those of monotone features are at least 0."""
    from scipy.optimize import lsq_linear

    count = features.shape[1]
    penalty = np.sqrt(RIDGE * len(features)) * np.eye(count)
    lower = np.where(is_monotone, 0.0, -np.inf)
    result = lsq_linear(
        np.vstack((features, penalty)),
        np.append(targets, np.zeros(count)),
        bounds=(lower, np.full(count, np.inf)),
        tol=1e-12,
    )
    weights: NDArray[float64] = result.x
    return weights


def picked(formula: Formula, pool: Pool) -> int:
    """Return the index of the candidate that a formula picks; the first of equals."""
    scores = [round(formula.score(features), 9) for features in pool.features]
    return scores.index(max(scores))


def blind_picks(reranker: Reranker, pools: Sequence[Pool]) -> list[int]:
    """Return the pick of each pool by the formula that did not see its question."""
    return [picked(reranker.formula_for(pool.question), pool) for pool in pools]

"""The fit of the calibrated judge: few signals, no negative weight, cross-validated by question."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy import bool_, float64
from numpy.typing import NDArray

from evaluation.calibration.grades import HIGHEST, GradedAnswer
from evaluation.metrics.calibrated_judge import (
    CalibratedJudge,
    Formula,
    signal_value,
)
from graph.support.errors import DatasetError
from graph.support.question_folds import FOLDS, fold_of, short_digest

CANDIDATES = (
    "semantic_similarity",
    "question_similarity",
    "ROUGE-1",
    "edit_similarity",
    "chrF",
    "LLM_judge",
)
"""The signals that a fit chooses from. BLEU and ROUGE-L are left out: they repeat ROUGE-1."""
RIDGE = 1e-3
LEAST_SHARE = 0.05
"""A signal with a smaller share of the sum of weights is dropped."""
LEAST_QUESTIONS = 2 * FOLDS
_DIGITS = 4
"""Decimals of stored coefficients."""


def fit_judge(
    answers: Sequence[GradedAnswer], signals: Sequence[Mapping[str, float | None]]
) -> CalibratedJudge:
    """Fit a formula on all answers, and one more without each fold of questions.

    Signals are chosen anew within each fit, so a fold's formula depends in no way on the questions
    of that fold. Answers that lack a signal are left out.

    Args:
        answers: The graded answers.
        signals: The signals of each answer, as many; those named in `CANDIDATES` are used.

    Raises:
        DatasetError: There are too few questions, or all human means are equal.
    """
    names = [name for name in CANDIDATES if any(row.get(name) is not None for row in signals)]
    values = [[signal_value(name, row) for name in names] for row in signals]
    complete = [row for row, features in enumerate(values) if None not in features]
    answers = [answers[row] for row in complete]
    check_fit(answers)
    folds = np.array([fold_of(answer.question) for answer in answers])
    features = np.array([values[row] for row in complete], dtype=float)
    targets = np.array([answer.human_mean for answer in answers]) / HIGHEST
    return CalibratedJudge(
        _fit_formula(names, features, targets),
        tuple(
            _fit_formula(names, features[folds != fold], targets[folds != fold])
            for fold in range(FOLDS)
        ),
        frozenset(short_digest(answer.question) for answer in answers),
    )


def blind_scores(
    judge: CalibratedJudge,
    answers: Sequence[GradedAnswer],
    signals: Sequence[Mapping[str, float | None]],
) -> list[float | None]:
    """Return the judge's score of each answer in [0, 1], comparable with the answer's grades.

    A question of the fit is scored by the formula of its fold, which was fitted without it.
    """
    return [
        judge.score(answer.question, answer.candidate, row, blind=True)
        for answer, row in zip(answers, signals, strict=True)
    ]


def check_fit(answers: Sequence[GradedAnswer]) -> None:
    """Check that the answers suffice for a fit.

    Raises:
        DatasetError: There are too few questions, or all human means are equal.
    """
    questions = {answer.question for answer in answers}
    if len(questions) < LEAST_QUESTIONS:
        raise DatasetError(
            f"--fit needs answers with every signal to at least {LEAST_QUESTIONS} questions, "
            f"better to hundreds; here are {len(questions)}"
        )
    if len({answer.human_mean for answer in answers}) == 1:
        raise DatasetError("--fit: all answers have the same human mean: give answers that differ")


def logistic(features: NDArray[float64], targets: NDArray[float64]) -> NDArray[float64]:
    """Return the intercept and the weights of a fractional logistic regression.

    Minimises the mean cross-entropy of targets in [0, 1] (Papke and Wooldridge 1996) plus `RIDGE`
    times the mean square of the weights, subject to weights of at least 0. The loss is convex, so
    the result does not depend on the start.

    Args:
        features: Shape (n, signals).
        targets: Shape (n,).

    Returns:
        Shape (1 + signals,), the intercept first.
    """
    from scipy.optimize import minimize

    table = np.column_stack((np.ones(len(features)), features))
    # The gradient of the ridge is this times the weights; the intercept is not shrunk.
    shrinkage = np.append(0.0, np.full(features.shape[1], 2 * RIDGE / features.shape[1]))

    def loss(weights: NDArray[float64]) -> tuple[float, NDArray[float64]]:
        # Plain sums instead of matrix products: their result does not depend on the BLAS library
        # and its threads, so a fit is the same everywhere; at this size they are faster too.
        logits = (table * weights).sum(axis=1)
        entropy = np.logaddexp(0, logits) - targets * logits
        error = 1 / (1 + np.exp(-logits)) - targets
        return (
            float(entropy.mean() + (shrinkage * weights**2).sum() / 2),
            (table * error[:, None]).mean(axis=0) + shrinkage * weights,
        )

    result = minimize(
        loss,
        np.zeros(table.shape[1]),
        jac=True,
        method="L-BFGS-B",
        bounds=[(None, None), *[(0, None)] * features.shape[1]],
        options={"maxiter": 5_000, "ftol": 1e-15, "gtol": 1e-9},
    )
    return np.asarray(result.x, dtype=float)


def _fit_formula(
    names: Sequence[str], features: NDArray[float64], targets: NDArray[float64]
) -> Formula:
    """Fit, drop the signal with the least weight while its share is too small, and fit again."""
    selected: NDArray[bool_] = np.ones(len(names), dtype=bool)
    while True:
        intercept, *weights = logistic(features[:, selected], targets).tolist()
        least = min(range(len(weights)), key=weights.__getitem__)
        if len(weights) == 1 or weights[least] >= LEAST_SHARE * sum(weights):
            break
        selected[np.flatnonzero(selected)[least]] = False
    chosen = [name for name, keep in zip(names, selected, strict=True) if keep]
    return Formula(
        round(intercept, _DIGITS),
        {name: round(weight, _DIGITS) for name, weight in zip(chosen, weights, strict=True)},
    )

"""Fitting the calibrated judge: non-negative weights, few signals, cross-validated by question."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy import bool_, float64
from numpy.typing import NDArray

from evaluation.calibration.grades import HIGHEST, Graded
from evaluation.metrics.calibrated_judge import (
    FOLDS,
    CalibratedJudge,
    Formula,
    fold_of,
    mark,
    value_of,
)
from graph.support.errors import DatasetError

CANDIDATES = (
    "semantic_similarity",
    "question_similarity",
    "ROUGE-1",
    "edit_similarity",
    "chrF",
    "LLM_judge",
)
"""What a formula may take; BLEU and ROUGE-L say what these say."""
RIDGE = 1e-3
LEAST_SHARE = 0.05
"""A signal that gets less of the sum of weights is left out: few are better."""
LEAST_QUESTIONS = 2 * FOLDS
_DIGITS = 4


def fit_judge(
    rows: Sequence[Graded], signals: Sequence[Mapping[str, float | None]]
) -> CalibratedJudge:
    """Fit on all rows, and once without each fold; a fold is made of whole questions.

    Signals are chosen within each fit, so that a fold's formula has seen nothing of its questions.

    Raises:
        DatasetError: there is too little to fit on.
    """
    names = [name for name in CANDIDATES if any(each.get(name) is not None for each in signals)]
    values = [[value_of(name, each) for name in names] for each in signals]
    usable = np.array([None not in each for each in values], dtype=bool)
    known = [row for row, good in zip(rows, usable, strict=True) if good]
    check_fit(known)
    folds = np.array([fold_of(row.question) for row in known])
    features = np.array([each for each, good in zip(values, usable, strict=True) if good], float)
    means = np.array([row.human_mean for row in known]) / HIGHEST
    return CalibratedJudge(
        _chosen(names, features, means),
        tuple(_chosen(names, features[folds != k], means[folds != k]) for k in range(FOLDS)),
        frozenset(mark(row.question) for row in known),
    )


def check_fit(rows: Sequence[Graded]) -> None:
    """Raise DatasetError if there is too little to fit on."""
    asked = {row.question for row in rows}
    if len(asked) < LEAST_QUESTIONS:
        raise DatasetError(
            f"--fit needs answers with every signal to at least {LEAST_QUESTIONS} questions, better "
            f"to hundreds; here are {len(asked)}"
        )
    if len({row.human_mean for row in rows}) == 1:
        raise DatasetError("--fit: all answers have the same human mean: nothing to learn from")


def _chosen(names: Sequence[str], features: NDArray[float64], means: NDArray[float64]) -> Formula:
    """Fit, leave out the least signal while it has too small a share of the weights, fit again."""
    kept: NDArray[bool_] = np.ones(len(names), dtype=bool)
    while True:
        intercept, *weights = logistic(features[:, kept], means).tolist()
        least = min(range(len(weights)), key=weights.__getitem__)
        if len(weights) == 1 or weights[least] >= LEAST_SHARE * sum(weights):
            break
        kept[np.flatnonzero(kept)[least]] = False
    taken = [name for name, good in zip(names, kept, strict=True) if good]
    return Formula(
        round(intercept, _DIGITS),
        {name: round(weight, _DIGITS) for name, weight in zip(taken, weights, strict=True)},
    )


def logistic(features: NDArray[float64], targets: NDArray[float64]) -> NDArray[float64]:
    """Return intercept and weights, at least 0, of a fractional logistic regression.

    Minimises the mean cross-entropy of targets in [0, 1] (Papke and Wooldridge 1996) plus `RIDGE`
    times the mean square of the weights; convex, so that the start does not matter.

    Args:
        features: Shape (n, signals).
        targets: Shape (n,).
    """
    from scipy.optimize import minimize

    table = np.column_stack((np.ones(len(features)), features))
    shrunk = np.append(0.0, np.full(features.shape[1], 2 * RIDGE / features.shape[1]))

    def loss(weights: NDArray[float64]) -> tuple[float, NDArray[float64]]:
        # Sums that depend on no BLAS and its threads: equal everywhere, and faster at this size.
        total = (table * weights).sum(axis=1)
        entropy = np.logaddexp(0, total) - targets * total
        error = 1 / (1 + np.exp(-total)) - targets
        return (
            float(entropy.mean() + (shrunk * weights**2).sum() / 2),
            (table * error[:, None]).mean(axis=0) + shrunk * weights,
        )

    found = minimize(
        loss,
        np.zeros(table.shape[1]),
        jac=True,
        method="L-BFGS-B",
        bounds=[(None, None), *[(0, None)] * features.shape[1]],
        options={"maxiter": 5_000, "ftol": 1e-15, "gtol": 1e-9},
    )
    return np.asarray(found.x, dtype=float)

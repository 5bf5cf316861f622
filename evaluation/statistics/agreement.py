"""Agreement of a score with human means: statistics over many draws of questions at once.

A draw of the cluster bootstrap (Cameron, Gelbach and Miller 2008) takes whole questions with
replacement, so it is a vector that counts how often each question was drawn. Every statistic here
takes such weights, shape (draws, questions), and returns one value for each draw: exactly its value
on rows repeated that often, ties included. The first draw is the sample itself. NaN marks a draw in
which the statistic is undefined.
"""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from numpy import float32, float64, int64
from numpy.typing import NDArray

from evaluation.statistics.intervals import AGREEMENT_DRAWS, draws_interval

GAP = 1.0
"""The least difference of two human means, of 0 to 4, by which people tell answers apart."""
GRADES = 5
"""Number of grades: 0 to 4."""
BINS = 10
"""Bins of the calibration error."""

_CELLS = 2_000_000
"""Numbers held at once: bounds the memory, whatever the number of rows."""


def draw_questions(questions: int, draws: int = AGREEMENT_DRAWS, seed: int = 0) -> NDArray[float64]:
    """Return the weights of questions in each draw, shape (1 + draws, questions); ones in the first.

    Args:
        questions: Number of questions.
        draws: Number of draws besides the sample itself.
        seed: Seed of the draws.
    """
    drawn = np.random.default_rng(seed).multinomial(questions, [1 / questions] * questions, draws)
    return np.concatenate([np.ones((1, questions)), drawn])


def spearman(
    x: NDArray[float64],
    y: NDArray[float64],
    question_of_row: NDArray[int64],
    weights: NDArray[float64],
) -> NDArray[float64]:
    """Return Spearman's rank correlation: Pearson's of mid-ranks (Spearman 1904).

    Args:
        x: One score of each row, shape (n,).
        y: The other score of each row, shape (n,).
        question_of_row: Index of each row's question, shape (n,).
        weights: Number of times that each question was drawn, shape (draws, questions).

    Returns:
        Shape (draws,), in [-1, 1]; NaN where one of the scores is constant.
    """
    correlations = np.empty(len(weights))
    step = max(1, _CELLS // len(x))
    for start in range(0, len(weights), step):
        repeats = weights[start : start + step][:, question_of_row]
        ranks_x, ranks_y = _ranks(x, repeats), _ranks(y, repeats)
        total = repeats.sum(axis=1, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            ranks_x -= (repeats * ranks_x).sum(axis=1, keepdims=True) / total
            ranks_y -= (repeats * ranks_y).sum(axis=1, keepdims=True) / total
            squares_x = (repeats * ranks_x**2).sum(axis=1)
            spread = squares_x * (repeats * ranks_y**2).sum(axis=1)
            # Ranks of constant scores differ from their mean by rounding errors only.
            spread[spread < 1e-9] = np.nan
            products = (repeats * ranks_x * ranks_y).sum(axis=1)
            correlations[start : start + step] = products / np.sqrt(spread)
    return np.clip(correlations, -1, 1)


def _ranks(values: NDArray[float64], repeats: NDArray[float64]) -> NDArray[float64]:
    """Return the mid-rank of each row where rows are repeated; `repeats` and result (draws, n)."""
    _, tie = np.unique(values, return_inverse=True)
    size = _tie_sizes(tie, repeats)
    return (np.cumsum(size, axis=1) - size / 2 + 0.5)[:, tie]


def _tie_sizes(tie: NDArray[int64], repeats: NDArray[float64]) -> NDArray[float64]:
    """Return the number of rows with each distinct value, shape (draws, distinct values).

    Args:
        tie: Index of each row's value among the distinct values, shape (n,).
        repeats: Number of times that each row is repeated, shape (draws, n).
    """
    order = np.argsort(tie, kind="stable")
    starts = np.searchsorted(tie[order], np.arange(tie.max() + 1))
    return np.add.reduceat(repeats[:, order], starts, axis=1)


def kendall(
    x: NDArray[float64],
    y: NDArray[float64],
    question_of_row: NDArray[int64],
    weights: NDArray[float64],
) -> NDArray[float64]:
    """Return Kendall's tau-b (Kendall 1945), which takes ties into account.

    Concordant minus discordant pairs are a quadratic form in the weights, so pairs are counted
    once for all draws. Arguments and result are as for `spearman`.
    """
    surplus = np.zeros(len(weights))
    order = np.argsort(question_of_row, kind="stable")
    x, y, question_of_row = x[order], y[order], question_of_row[order]
    questions, starts, own = np.unique(question_of_row, return_index=True, return_inverse=True)
    drawn = weights[:, questions].astype(np.float32)
    step = max(1, _CELLS // len(x))
    for start in range(0, len(x), step):
        block = slice(start, start + step)
        signs = _signs(x, x[block]) * _signs(y, y[block])
        by_question = np.add.reduceat(signs, starts, axis=0)
        part = drawn[:, own[block]] * (drawn @ by_question)
        surplus += part.sum(axis=1, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        untied = _untied(x, question_of_row, weights) * _untied(y, question_of_row, weights)
        untied[untied == 0] = np.nan
        return np.clip(surplus / np.sqrt(untied), -1, 1)


def _signs(values: NDArray[float64], subtrahends: NDArray[float64]) -> NDArray[float32]:
    return np.sign(np.subtract.outer(values, subtrahends)).astype(np.float32)


def _untied(
    values: NDArray[float64], question_of_row: NDArray[int64], weights: NDArray[float64]
) -> NDArray[float64]:
    """Return the number of ordered pairs of rows with different values, shape (draws,)."""
    pairs = np.empty(len(weights))
    _, tie = np.unique(values, return_inverse=True)
    step = max(1, _CELLS // len(values))
    for start in range(0, len(weights), step):
        repeats = weights[start : start + step][:, question_of_row]
        tied = (_tie_sizes(tie, repeats) ** 2).sum(axis=1)
        pairs[start : start + step] = repeats.sum(axis=1) ** 2 - tied
    return pairs


def pair_counts(
    scores: NDArray[float64],
    human: NDArray[float64],
    question_of_row: NDArray[int64],
    questions: int,
) -> NDArray[float64]:
    """Count the pairs that people tell apart, and those of them on which the score agrees.

    A pair is two answers to one question whose human means differ by `GAP` or more. A tie of the
    score is half an agreement, as a coin's guess is on average.

    Args:
        scores: One score of each row, shape (n,).
        human: The human mean of each row, 0 to 4, shape (n,).
        question_of_row: Index of each row's question, shape (n,).
        questions: Number of questions.

    Returns:
        Agreements and pairs of each question, shape (questions, 2).
    """
    counts = np.zeros((questions, 2))
    order = np.argsort(question_of_row, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(question_of_row[order])) + 1):
        for index, row in enumerate(rows[:-1]):
            later_rows = rows[index + 1 :]
            gap = human[row] - human[later_rows]
            # Means like 2.4 and 1.4 differ by one, whatever their last binary digit says.
            apart = np.abs(gap) >= GAP - 1e-9
            agrees = np.sign(gap) * np.sign(scores[row] - scores[later_rows])
            counts[question_of_row[row]] += [((1 + agrees) / 2)[apart].sum(), apart.sum()]
    return counts


def share(counts: NDArray[float64], weights: NDArray[float64]) -> NDArray[float64]:
    """Return the sum of the first column over that of the second, shape (draws,).

    Args:
        counts: Hits and cases of each question, shape (questions, 2).
        weights: Number of times that each question was drawn, shape (draws, questions).
    """
    hits, total = (weights @ counts).T
    return np.asarray(np.divide(hits, total, out=np.full(len(total), np.nan), where=total > 0))


def grades_of(scores: NDArray[float64]) -> NDArray[int64]:
    """Return the grade 0 to 4 nearest to each score in [0, 1], shape (n,); a half goes up."""
    return np.clip(np.floor(scores * (GRADES - 1) + 0.5), 0, GRADES - 1).astype(np.int64)


def quadratic_kappa(
    ours: NDArray[int64],
    theirs: NDArray[int64],
    question_of_row: NDArray[int64],
    weights: NDArray[float64],
) -> NDArray[float64]:
    """Return Cohen's kappa with quadratic weights (Cohen 1968, Psychol. Bull. 70:213-220).

    1 - (sum of squared differences of the pairs of grades) / (the same if they were independent).

    Args:
        ours: Grades 0 to 4, shape (n,).
        theirs: The grades of the other grader, shape (n,).
        question_of_row: Index of each row's question, shape (n,).
        weights: Number of times that each question was drawn, shape (draws, questions).

    Returns:
        Shape (draws,); NaN where all grades of both are equal.
    """
    counts = np.zeros((weights.shape[1], GRADES * GRADES))
    np.add.at(counts, (question_of_row, ours * GRADES + theirs), 1)
    table = (weights @ counts).reshape(-1, GRADES, GRADES)
    cost = np.subtract.outer(np.arange(GRADES), np.arange(GRADES)) ** 2
    total = table.sum(axis=(1, 2))
    chance = np.einsum("da,db,ab->d", table.sum(axis=2), table.sum(axis=1), cost)
    observed = (table * cost).sum(axis=(1, 2)) * total
    ratio = np.divide(observed, chance, out=np.full(len(chance), np.nan), where=chance > 0)
    return np.asarray(1 - ratio)


def calibration_error(
    scores: NDArray[float64],
    human: NDArray[float64],
    question_of_row: NDArray[int64],
    weights: NDArray[float64],
) -> NDArray[float64]:
    """Return the expected calibration error (Naeini, Cooper and Hauskrecht 2015).

    Rows are put into `BINS` bins of equal width by their score. The error is the mean distance, in
    each bin and weighted by its rows, of the mean score from the mean of human / 4.

    Args:
        scores: One score in [0, 1] of each row, shape (n,).
        human: The human mean of each row, 0 to 4, shape (n,).
        question_of_row: Index of each row's question, shape (n,).
        weights: Number of times that each question was drawn, shape (draws, questions).

    Returns:
        Shape (draws,), in [0, 1].
    """
    bins = np.minimum((scores * BINS).astype(np.int64), BINS - 1)
    gaps = np.zeros((weights.shape[1], BINS))
    np.add.at(gaps, (question_of_row, bins), scores - human / (GRADES - 1))
    rows = np.bincount(question_of_row, minlength=weights.shape[1])
    return np.asarray(np.abs(weights @ gaps).sum(axis=1) / np.maximum(weights @ rows, 1))


class Correlation(TypedDict):
    """The rank correlation of two scores of the same answers."""

    n: int
    """Answers with both scores."""
    spearman: float | None
    ci95: list[float] | None
    why_none: str | None
    """The reason where `spearman` is None."""


def rank_correlation(ours: Sequence[float | None], theirs: Sequence[float | None]) -> Correlation:
    """Return Spearman's rank correlation with a 95 % bootstrap interval over questions.

    Args:
        ours: One score of each answer, shape (n,), one answer to each question; None is unscored.
        theirs: The other score of each answer, shape (n,).
    """
    pairs = [(a, b) for a, b in zip(ours, theirs, strict=True) if a is not None and b is not None]
    why = None
    if len(pairs) < 3:
        why = "fewer than three questions have both scores"
    elif any(len(set(values)) == 1 for values in zip(*pairs, strict=True)):
        why = "one of the two gives every answer the same score"
    if why:
        return {"n": len(pairs), "spearman": None, "ci95": None, "why_none": why}
    x, y = np.array(pairs, dtype=float).T
    draws = spearman(x, y, np.arange(len(pairs)), draw_questions(len(pairs)))
    return {
        "n": len(pairs),
        "spearman": float(draws[0]),
        "ci95": draws_interval(draws),
        "why_none": None,
    }

"""Agreement of a score with human means, seen on many draws of questions at once.

A draw of the cluster bootstrap (Cameron, Gelbach and Miller 2008) takes whole questions with
replacement, so it is a vector of how often each question was drawn. Every statistic here takes such
weights, shape (draws, questions), and returns one value per draw: what the statistic would be on
rows repeated that often, exactly, ties included. The first draw is the sample itself. NaN stands
for a draw in which a statistic is not defined.
"""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from numpy import float64, int64
from numpy.typing import NDArray

from evaluation.statistics.intervals import AGREEMENT_DRAWS

GAP = 1.0
"""Human means of two answers differ by at least this much, of 0 to 4, where people tell them apart."""
GRADES = 5
BINS = 10

_CELLS = 2_000_000
"""Numbers held at once, whatever the number of rows."""


def draw_questions(questions: int, draws: int = AGREEMENT_DRAWS, seed: int = 0) -> NDArray[float64]:
    """Return how often each question stands in each draw; once in the first."""
    drawn = np.random.default_rng(seed).multinomial(questions, [1 / questions] * questions, draws)
    return np.concatenate([np.ones((1, questions)), drawn])


def spearman(
    x: NDArray[float64],
    y: NDArray[float64],
    place: NDArray[int64],
    weights: NDArray[float64],
) -> NDArray[float64]:
    """Return Spearman's rank correlation: Pearson's of mid-ranks (Spearman 1904).

    Args:
        x: One score of each row, shape (n,).
        y: The other.
        place: The question of each row.
        weights: How often each question was drawn, shape (draws, questions).
    """
    found = np.empty(len(weights))
    step = max(1, _CELLS // len(x))
    for start in range(0, len(weights), step):
        rows = weights[start : start + step][:, place]
        ours, theirs = _ranks(x, rows), _ranks(y, rows)
        total = rows.sum(axis=1, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            ours -= (rows * ours).sum(axis=1, keepdims=True) / total
            theirs -= (rows * theirs).sum(axis=1, keepdims=True) / total
            spread = (rows * ours**2).sum(axis=1) * (rows * theirs**2).sum(axis=1)
            spread[spread < 1e-9] = np.nan
            found[start : start + step] = (rows * ours * theirs).sum(axis=1) / np.sqrt(spread)
    return np.clip(found, -1, 1)


def _ranks(values: NDArray[float64], rows: NDArray[float64]) -> NDArray[float64]:
    """Return each row's mid-rank among rows that stand there `rows` times, shape (draws, n)."""
    _, tie = np.unique(values, return_inverse=True)
    size = _tie_sizes(tie, rows)
    return (np.cumsum(size, axis=1) - size / 2 + 0.5)[:, tie]


def _tie_sizes(tie: NDArray[int64], rows: NDArray[float64]) -> NDArray[float64]:
    """Return how often each distinct value stands in each draw."""
    order = np.argsort(tie, kind="stable")
    starts = np.searchsorted(tie[order], np.arange(tie.max() + 1))
    return np.add.reduceat(rows[:, order], starts, axis=1)


def kendall(
    x: NDArray[float64],
    y: NDArray[float64],
    place: NDArray[int64],
    weights: NDArray[float64],
) -> NDArray[float64]:
    """Return Kendall's tau-b (Kendall 1945), which takes ties into account.

    Concordant minus discordant pairs are a quadratic form in the weights, so pairs are counted
    once for all draws. Arguments as for `spearman`.
    """
    surplus = np.zeros(len(weights))
    order = np.argsort(place, kind="stable")
    x, y, place = x[order], y[order], place[order]
    names, starts, own = np.unique(place, return_index=True, return_inverse=True)
    drawn = weights[:, names].astype(np.float32)
    step = max(1, _CELLS // len(x))
    for start in range(0, len(x), step):
        block = slice(start, start + step)
        signs = _signs(x, x[block]) * _signs(y, y[block])
        by_question = np.add.reduceat(signs, starts, axis=0)
        part = drawn[:, own[block]] * (drawn @ by_question)
        surplus += part.sum(axis=1, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        untied = _untied(x, place, weights) * _untied(y, place, weights)
        untied[untied == 0] = np.nan
        return np.clip(surplus / np.sqrt(untied), -1, 1)


def _signs(values: NDArray[float64], others: NDArray[float64]) -> NDArray[float64]:

    return np.sign(np.subtract.outer(values, others)).astype(np.float32)


def _untied(
    values: NDArray[float64], place: NDArray[int64], weights: NDArray[float64]
) -> NDArray[float64]:
    """Return the ordered pairs of rows with different values, per draw."""
    found = np.empty(len(weights))
    _, tie = np.unique(values, return_inverse=True)
    step = max(1, _CELLS // len(values))
    for start in range(0, len(weights), step):
        rows = weights[start : start + step][:, place]
        found[start : start + step] = rows.sum(axis=1) ** 2 - (_tie_sizes(tie, rows) ** 2).sum(
            axis=1
        )
    return found


def pair_counts(
    scores: NDArray[float64], human: NDArray[float64], place: NDArray[int64], questions: int
) -> NDArray[float64]:
    """Return per question how many pairs people tell apart, and on how many the score agrees.

    A pair is two answers to one question whose human means differ by `GAP` or more. A tie of the
    score is half an agreement: a coin would get as much.

    Returns:
        Shape (questions, 2): agreements, pairs.
    """
    found = np.zeros((questions, 2))
    order = np.argsort(place, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(place[order])) + 1):
        for number, row in enumerate(rows[:-1]):
            others = rows[number + 1 :]
            gap = human[row] - human[others]
            # Means like 2.4 and 1.4 differ by one, whatever their last binary digit says.
            apart = np.abs(gap) >= GAP - 1e-9
            agrees = np.sign(gap) * np.sign(scores[row] - scores[others])
            found[place[row]] += [((1 + agrees) / 2)[apart].sum(), apart.sum()]
    return found


def share(counts: NDArray[float64], weights: NDArray[float64]) -> NDArray[float64]:
    """Return the first column over the second, per draw."""
    hits, total = (weights @ counts).T
    return np.asarray(np.divide(hits, total, out=np.full(len(total), np.nan), where=total > 0))


def grades_of(scores: NDArray[float64]) -> NDArray[int64]:
    """Return the nearest of the grades 0 to 4 to scores in [0, 1]; a half goes up."""
    return np.clip(np.floor(scores * (GRADES - 1) + 0.5), 0, GRADES - 1).astype(np.int64)


def quadratic_kappa(
    ours: NDArray[int64],
    theirs: NDArray[int64],
    place: NDArray[int64],
    weights: NDArray[float64],
) -> NDArray[float64]:
    """Return Cohen's kappa with quadratic weights (Cohen 1968, Psychol. Bull. 70:213-220).

    1 - (sum of squared differences of the pairs of grades) / (the same if they were independent).
    NaN where all grades of both are one and the same.

    Args:
        ours: Grades 0 to 4, shape (n,).
        theirs: The others'.
        place: The question of each row.
        weights: How often each question was drawn, shape (draws, questions).
    """
    counts = np.zeros((weights.shape[1], GRADES * GRADES))
    np.add.at(counts, (place, ours * GRADES + theirs), 1)
    table = (weights @ counts).reshape(-1, GRADES, GRADES)
    cost = np.subtract.outer(np.arange(GRADES), np.arange(GRADES)) ** 2
    total = table.sum(axis=(1, 2))
    chance = np.einsum("da,db,ab->d", table.sum(axis=2), table.sum(axis=1), cost)
    seen = (table * cost).sum(axis=(1, 2)) * total
    ratio = np.divide(seen, chance, out=np.full(len(chance), np.nan), where=chance > 0)
    return np.asarray(1 - ratio)


def calibration_error(
    scores: NDArray[float64],
    human: NDArray[float64],
    place: NDArray[int64],
    weights: NDArray[float64],
) -> NDArray[float64]:
    """Return the expected calibration error (Naeini, Cooper and Hauskrecht 2015).

    Rows are put into ten bins of equal width by their score; in each the mean score is held
    against the mean of human / 4; the mean of the distances, weighted by rows. Scores in [0, 1].
    """
    bins = np.minimum((scores * BINS).astype(np.int64), BINS - 1)
    gaps = np.zeros((weights.shape[1], BINS))
    np.add.at(gaps, (place, bins), scores - human / (GRADES - 1))
    rows = np.bincount(place, minlength=weights.shape[1])
    return np.asarray(np.abs(weights @ gaps).sum(axis=1) / np.maximum(weights @ rows, 1))


class Correlation(TypedDict):
    """How two scores of the same answers rank them."""

    n: int
    spearman: float | None
    ci95: list[float] | None
    why_none: str | None


def rank_correlation(ours: Sequence[float | None], theirs: Sequence[float | None]) -> Correlation:
    """Return Spearman's rank rank_correlation with a 95 % bootstrap interval over questions."""
    from evaluation.statistics.agreement import draw_questions, spearman
    from evaluation.statistics.intervals import draws_interval

    pairs = [(a, b) for a, b in zip(ours, theirs, strict=True) if a is not None and b is not None]
    why = None
    if len(pairs) < 3:
        why = "fewer than three questions have both scores"
    elif any(len(set(values)) == 1 for values in zip(*pairs, strict=True)):
        why = "one of the two gives every answer the same score"
    if why:
        return {"n": len(pairs), "spearman": None, "ci95": None, "why_none": why}
    x, y = np.array(pairs, dtype=float).T
    place = np.arange(len(pairs))
    draws = spearman(x, y, place, draw_questions(len(pairs)))
    return {
        "n": len(pairs),
        "spearman": float(draws[0]),
        "ci95": draws_interval(draws),
        "why_none": None,
    }

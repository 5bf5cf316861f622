"""The document of a fit: what the formula gains in cross-validation, and what each feature is worth."""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from numpy import float64
from numpy.typing import NDArray

from evaluation.analysis.headroom import (
    CONSENSUS,
    FIRST,
    LEARNED,
    NEAREST,
    Choice,
    ChoiceDifference,
    Headroom,
    difference,
    headroom,
)
from evaluation.analysis.risk_coverage import (
    CoveragePoint,
    Curve,
    Question,
    by_confidence,
    coverage_points,
    curves,
)
from evaluation.metrics.calibrated_judge import CALIBRATED_JUDGE
from evaluation.reranking.candidate_pools import TARGETS, Pool
from evaluation.reranking.reranker_fit import blind_picks, fit_reranker, mean_ranks
from evaluation.statistics.intervals import mean_interval
from graph.reranking.features import FEATURES
from graph.reranking.formula import Reranker
from graph.support.question_folds import short_digest
from nodes.choice import index_of_highest


class FeatureWorth(TypedDict):
    """The place of a feature in the formula."""

    feature: str
    meaning: str
    weight: float | None
    """For one standard deviation; None if the formula leaves the feature out."""
    known: float
    """The share of candidates of which it is known."""
    worth: float | None
    """The mean rank of the picks, minus that without the feature, cross-validated; None if the formula
    leaves it out."""
    ci95: list[float] | None


class FitDocument(TypedDict):
    """A fit with its cross-validated figures."""

    questions: int
    candidates: int
    captured: Headroom
    """By metric of `TARGETS`; a question is picked for by the formula that did not see it."""
    learned_minus_first: dict[str, ChoiceDifference]
    """By metric."""
    judge_curve: Curve
    """The calibrated judge's scores of the picks against coverage, by their expected score."""
    coverage_points: list[CoveragePoint]
    features: list[FeatureWorth]


def fit_document(reranker: Reranker, pools: Sequence[Pool]) -> FitDocument:
    """Measure a fit on its own pools in cross-validation; one more fit for each feature.

    Args:
        reranker: The fit.
        pools: The pools of the fit.
    """
    step_choices = _choices(reranker, pools)
    questions = _picked_questions(reranker, pools)
    points = coverage_points(questions)
    return {
        "questions": len(pools),
        "candidates": sum(len(pool.candidates) for pool in pools),
        "captured": headroom(step_choices, TARGETS),
        "learned_minus_first": {
            metric: difference(step_choices, metric, LEARNED, FIRST) for metric in TARGETS
        },
        "judge_curve": curves(questions, points, [CALIBRATED_JUDGE.name])[CALIBRATED_JUDGE.name],
        "coverage_points": points,
        "features": _feature_worths(reranker, pools),
    }


def _choices(reranker: Reranker, pools: Sequence[Pool]) -> list[Choice]:
    choices = []
    for pool, pick in zip(pools, blind_picks(reranker, pools), strict=True):
        picks = {
            FIRST: 0,
            NEAREST: index_of_highest([row["question_cosine"] for row in pool.features]),
            CONSENSUS: index_of_highest([row["word_agreement"] for row in pool.features]),
            LEARNED: pick,
        }
        choices.append(Choice(pool.scores, picks, []))
    return choices


def _picked_questions(reranker: Reranker, pools: Sequence[Pool]) -> list[Question]:
    """Return the picks in the order of their expected scores; none if the fit has no expectation."""
    questions = []
    for pool, pick in zip(pools, blind_picks(reranker, pools), strict=True):
        expectation = reranker.formula_for(pool.question).expectation
        if expectation:
            confidence = expectation.score(pool.features[pick])
            questions.append(Question(confidence, short_digest(pool.question), pool.scores[pick]))
    return by_confidence(questions)


def _feature_worths(reranker: Reranker, pools: Sequence[Pool]) -> list[FeatureWorth]:
    ranks = [mean_ranks(pool) for pool in pools]
    rank_of_picks = _ranks_of_picks(reranker, pools, ranks)
    rows = [features for pool in pools for features in pool.features]
    terms = reranker.formula.terms
    worths: list[FeatureWorth] = []
    for name, feature in FEATURES.items():
        gains = None
        if name in terms:
            others = [other for other in FEATURES if other != name]
            without = fit_reranker(pools, {}, others)
            gains = rank_of_picks - _ranks_of_picks(without, pools, ranks)
        worths.append(
            {
                "feature": name,
                "meaning": feature.meaning,
                "weight": terms[name].weight if name in terms else None,
                "known": sum(name in row for row in rows) / len(rows),
                "worth": None if gains is None else float(gains.mean()),
                "ci95": None if gains is None else mean_interval(gains, bounded=False),
            }
        )
    return worths


def _ranks_of_picks(
    reranker: Reranker, pools: Sequence[Pool], ranks: Sequence[NDArray[float64]]
) -> NDArray[float64]:
    picks = blind_picks(reranker, pools)
    return np.array([of_pool[pick] for of_pool, pick in zip(ranks, picks, strict=True)])

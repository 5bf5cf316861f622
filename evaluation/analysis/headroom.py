"""The headroom of reranking: scores of each way to choose a draft, between chance and the best."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypedDict

import numpy as np
from numpy import float64
from numpy.typing import NDArray

from evaluation.metrics.metric import MetricScores
from evaluation.metrics.registry import stage_metric_names
from evaluation.statistics.intervals import ratio_interval
from evaluation.statistics.paired_tests import Inference, infer, paired_gains
from evaluation.statistics.summaries import Summary, summarise
from evaluation.store.journal import Record
from evaluation.store.recorded_run import RecordedRun, known_records
from graph.support.errors import DatasetError
from nodes.choice import CandidateScorer, index_of_highest, probability, strongest
from nodes.state import CandidateScore, Preference, Step
from nodes.word_overlap import agreement

RANDOM, BEST = "random pick", "best of n"
"""The two bounds: the mean over all drafts, and the highest score among them."""
FIRST, CONSENSUS, LIKELIHOOD = "first candidate", "consensus", "likelihood"
NEAREST, LEARNED = "nearest to the question", "learned"
ONE_ORDER, OTHER_ORDER, BOTH_ORDERS = "model, one order", "model, other order", "model, both orders"


class Choice(NamedTuple):
    """The candidates of one question at one reranking step, and the picks among them."""

    scores: list[MetricScores]
    """The metrics of each candidate."""
    picks: dict[str, int]
    """Index of the candidate that each way of choosing picks; ways that did not run are missing."""
    disagreeing: list[bool]
    """For each pair with readable verdicts in both orders, whether the orders disagree."""


class Share(TypedDict):
    """A share of the headroom: 0 is a random pick, 1 the best draft of each question."""

    mean: float | None
    """None if all drafts of every question score the same: there is no headroom."""
    ci95: list[float] | None


class CapturedHeadroom(TypedDict):
    """The result of one way of choosing by one metric."""

    score: Summary
    share: Share


class ChoiceDifference(Inference):
    """The scores of one way of choosing minus those of another, paired by question."""

    n: int
    mean_difference: float | None


class Headroom(TypedDict):
    """The headroom of one reranking step, and the part of it that each way of choosing captures."""

    n: int
    """Questions at which the step chose."""
    candidates: dict[str, int]
    """Number of questions by number of candidates."""
    metrics: dict[str, dict[str, CapturedHeadroom]]
    """By metric and way of choosing."""
    consensus_minus_model: dict[str, ChoiceDifference]
    """By metric; empty if the model compared no drafts."""
    pairs_flipped: Summary
    """Share of a question's pairs whose winner depends on the order; mean over questions."""
    picks_flipped: Summary
    """Share of questions whose pick depends on the order."""


def run_headroom(run: RecordedRun, scorer: CandidateScorer | None = None) -> dict[str, Headroom]:
    """Measure the headroom of each reranking step of a run, by the name of the step.

    Args:
        run: The run.
        scorer: Scores the candidates for the ways `learned` and `nearest to the question` at steps that
            the run did not score itself; without it, these ways are left out there.

    Raises:
        DatasetError: The run has no step that chose among drafts, or its records are damaged.
    """
    with known_records(run.folder):
        by_step = choices(run.answered, scorer)
    if not by_step:
        raise DatasetError(
            f"{run.folder} chose among no drafts: name a run whose config reranks, such as "
            "semantic_rerank_initial"
        )
    return {step: headroom(step_choices) for step, step_choices in by_step.items()}


def choices(
    records: Sequence[Record], scorer: CandidateScorer | None = None
) -> dict[str, list[Choice]]:
    """Return all choices among at least two candidates, by the name of their step."""
    by_step: dict[str, list[Choice]] = defaultdict(list)
    for record in records:
        scores: dict[int, list[MetricScores]] = defaultdict(list)
        for candidate in record["candidates"]:
            scores[candidate["step"]].append(candidate["metrics"])
        for index, step in enumerate(record["steps"]):
            if step["node"].startswith("rerank") and len(scores[index]) > 1:
                by_step[step["node"]].append(
                    _choice(step, scores[index], _learned_picks(record, step, scorer))
                )
    return by_step


def headroom(step_choices: Sequence[Choice], metrics: Sequence[str] = ()) -> Headroom:
    """Measure the headroom of one reranking step by some metrics; by all of its candidates without names."""
    sizes = [len(choice.scores) for choice in step_choices]
    metrics = metrics or stage_metric_names(
        scores for choice in step_choices for scores in choice.scores
    )
    compared = any(BOTH_ORDERS in choice.picks for choice in step_choices)
    return {
        "n": len(step_choices),
        "candidates": {str(size): sizes.count(size) for size in sorted(set(sizes))},
        "metrics": {metric: _captured(step_choices, metric) for metric in metrics},
        "consensus_minus_model": {
            metric: difference(step_choices, metric, CONSENSUS, BOTH_ORDERS)
            for metric in metrics
            if compared
        },
        "pairs_flipped": summarise(
            [
                sum(choice.disagreeing) / len(choice.disagreeing) if choice.disagreeing else None
                for choice in step_choices
            ]
        ),
        "picks_flipped": summarise([_pick_flipped(choice) for choice in step_choices]),
    }


def _learned_picks(record: Record, step: Step, scorer: CandidateScorer | None) -> dict[str, int]:
    if step.get("scores"):
        # The run's own formula may be another one than that of the project.
        return learned_picks(step["scores"])
    if scorer is None:
        return {}
    return learned_picks(scorer.score(record["question"], step["candidates"], record["passages"]))


def learned_picks(scores: Sequence[CandidateScore]) -> dict[str, int]:
    """Return the pick of learned reranking, and that of the similarity to the question alone."""
    cosines = [score["features"]["question_cosine"] for score in scores]
    return {
        NEAREST: index_of_highest(cosines),
        LEARNED: index_of_highest([score["score"] for score in scores]),
    }


def _choice(step: Step, scores: list[MetricScores], learned: Mapping[str, int]) -> Choice:
    candidates = step["candidates"]
    agreements = agreement([draft["text"] for draft in candidates])
    picks = {FIRST: 0, CONSENSUS: index_of_highest(agreements), **learned}
    if step.get("likelihoods"):
        picks[LIKELIHOOD] = step["chosen"]
    preferences = step.get("preferences", [])
    if preferences:
        for order, name in enumerate((ONE_ORDER, OTHER_ORDER)):
            picks[name] = strongest(len(candidates), _preferences_in_order(step, order))
        picks[BOTH_ORDERS] = step["chosen"]
    agreed = [preference["orders_agree"] for preference in preferences]
    return Choice(scores, picks, [not agree for agree in agreed if agree is not None])


def _preferences_in_order(step: Step, order: int) -> list[Preference]:
    """Return the preferences by the verdicts of one order alone: 0 is straight, 1 is swapped."""
    # A step holds two verdicts for each pair. The straight one shows the first draft as A, the
    # swapped one shows it as B.
    return [
        {**preference, "first_wins": probability(step["verdicts"][2 * pair + order], "AB"[order])}
        for pair, preference in enumerate(step["preferences"])
    ]


def _pick_flipped(choice: Choice) -> float | None:
    if ONE_ORDER not in choice.picks:
        return None
    return float(choice.picks[ONE_ORDER] != choice.picks[OTHER_ORDER])


def _captured(step_choices: Sequence[Choice], metric: str) -> dict[str, CapturedHeadroom]:
    ways = dict.fromkeys(way for choice in step_choices for way in choice.picks)
    return {
        way: {
            "score": summarise([_score(choice, metric, way) for choice in step_choices]),
            "share": _share(step_choices, metric, way),
        }
        for way in (RANDOM, *ways, BEST)
    }


def _score(choice: Choice, metric: str, way: str) -> float | None:
    """Return the score of one way of choosing at one question; None if a draft is unscored."""
    values = [scores.get(metric) for scores in choice.scores]
    scored = [value for value in values if value is not None]
    if len(scored) < len(values):
        return None
    if way == RANDOM:
        # The expected score of a pick at random.
        return sum(scored) / len(scored)
    if way == BEST:
        return max(scored)
    return scored[choice.picks[way]] if way in choice.picks else None


def _paired_scores(
    step_choices: Sequence[Choice], metric: str, ways: Sequence[str]
) -> NDArray[float64]:
    """Return the scores of questions that all these ways have a score of, shape (n, ways)."""
    rows = [[_score(choice, metric, way) for way in ways] for choice in step_choices]
    complete = [row for row in rows if None not in row]
    return np.array(complete, dtype=float).reshape(-1, len(ways))


def _share(step_choices: Sequence[Choice], metric: str, way: str) -> Share:
    """Return (score - random) / (best - random), each a mean over questions.

    The interval is the percentile bootstrap of a ratio over questions (Efron and Tibshirani 1993,
    chapter 13); see `intervals.ratio_interval`.
    """
    scores = _paired_scores(step_choices, metric, (way, RANDOM, BEST))
    captured, possible = scores[:, 0] - scores[:, 1], scores[:, 2] - scores[:, 1]
    if not possible.sum() > 0:
        return {"mean": None, "ci95": None}
    mean = float(captured.sum() / possible.sum())
    return {"mean": mean, "ci95": ratio_interval(captured, possible)}


def difference(
    step_choices: Sequence[Choice], metric: str, way: str, other_way: str
) -> ChoiceDifference:
    """Return the difference of two ways of choosing over the questions that both have a score of."""
    ours, theirs = _paired_scores(step_choices, metric, (way, other_way)).T
    gains = paired_gains(ours, theirs)
    return {
        "n": len(gains),
        "mean_difference": float(gains.mean()) if len(gains) else None,
        **infer(ours, theirs),
    }

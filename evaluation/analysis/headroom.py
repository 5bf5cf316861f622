"""What a way of choosing scored, and how much of what was to be won that is."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple, TypedDict

import numpy as np

from evaluation.analysis.stage_gains import STAGE_METRICS, MetricScores
from evaluation.statistics.intervals import ratio_interval
from evaluation.statistics.paired_tests import Inference, infer
from evaluation.statistics.summaries import Summary, summarise
from evaluation.store.journal import Record
from nodes.consensus import agreement, most_agreed
from nodes.rerank import probability, strongest
from nodes.state import Preference, Step

RANDOM, BEST = "random pick", "best of n"


FIRST, CONSENSUS, LIKELIHOOD = "first draft", "consensus", "likelihood"
ONE_ORDER, OTHER_ORDER, BOTH_ORDERS = "model, one order", "model, other order", "model, both orders"


class Choice(NamedTuple):
    """One question's drafts at one reranking step."""

    scores: list[MetricScores]
    """Metrics of each candidate."""
    picks: dict[str, int]
    """The candidate that each way of choosing takes; ways that the run holds nothing of are left out."""
    disagreeing: list[bool]
    """For each pair that was asked and read in both orders, whether the two disagree."""


def choices(records: Sequence[Record]) -> dict[str, list[Choice]]:
    """Return every choice among two candidates or more, by the name of its step."""
    found: dict[str, list[Choice]] = defaultdict(list)
    for record in records:
        scores: dict[int, list[MetricScores]] = defaultdict(list)
        for each in record["candidates"]:
            scores[each["step"]].append(each["metrics"])
        for number, step in enumerate(record["steps"]):
            if step["node"].startswith("rerank") and len(scores[number]) > 1:
                found[step["node"]].append(_choice(step, scores[number]))
    return found


def _choice(step: Step, scores: list[MetricScores]) -> Choice:
    candidates = step["candidates"]
    agreements = agreement([draft["text"] for draft in candidates])
    picks = {FIRST: 0, CONSENSUS: most_agreed(agreements)}
    if step.get("likelihoods"):
        picks[LIKELIHOOD] = step["chosen"]
    preferences = step.get("preferences", [])
    if preferences:
        for order, name in enumerate((ONE_ORDER, OTHER_ORDER)):
            picks[name] = strongest(len(candidates), _in_one_order(step, order))
        picks[BOTH_ORDERS] = step["chosen"]
    disagreeing = [
        not each["orders_agree"] for each in preferences if each["orders_agree"] is not None
    ]
    return Choice(scores, picks, disagreeing)


def _in_one_order(step: Step, order: int) -> list[Preference]:
    """Return the preferences as they would be had each pair been asked in one order only."""
    found: list[Preference] = []
    for place, preference in enumerate(step["preferences"]):
        verdict = step["verdicts"][2 * place + order]
        # In the straight order the first of the pair was shown as A, in the other as B.
        wins = probability(verdict, "AB"[order])
        found.append({**preference, "first_wins": wins})
    return found


class Share(TypedDict):
    """A share of the headroom: 0 is a random pick, 1 the best draft of each question."""

    mean: float | None
    """None where all drafts score the same: there is nothing to win."""
    ci95: list[float] | None


class Captured(TypedDict):
    """One way of choosing by one metric."""

    score: Summary
    share: Share


class Against(Inference):
    """The scores of one way of choosing minus those of another."""

    n: int
    mean_difference: float | None


class Headroom(TypedDict):
    """What one reranking step could win and did."""

    n: int
    """Questions at which it chose."""
    candidates: dict[str, int]
    """How many of them had how many candidates."""
    metrics: dict[str, dict[str, Captured]]
    """By metric and way of choosing."""
    consensus_minus_model: dict[str, Against]
    """By metric; empty where the model did not compare."""
    pairs_flipped: Summary
    """Share of pairs whose winner depends on the order, by question."""
    picks_flipped: Summary
    """Share of questions whose pick depends on the order."""


def headroom(found: Sequence[Choice]) -> Headroom:
    """Measure one step's choices."""
    sizes = [len(choice.scores) for choice in found]
    return {
        "n": len(found),
        "candidates": {str(size): sizes.count(size) for size in sorted(set(sizes))},
        "metrics": {metric: _captured(found, metric) for metric in STAGE_METRICS},
        "consensus_minus_model": {
            metric: _against(found, metric, CONSENSUS, BOTH_ORDERS)
            for metric in STAGE_METRICS
            if any(BOTH_ORDERS in choice.picks for choice in found)
        },
        "pairs_flipped": summarise(
            [
                sum(choice.disagreeing) / len(choice.disagreeing) if choice.disagreeing else None
                for choice in found
            ]
        ),
        "picks_flipped": summarise([_flipped(choice) for choice in found]),
    }


def _flipped(choice: Choice) -> float | None:
    if ONE_ORDER not in choice.picks:
        return None
    return float(choice.picks[ONE_ORDER] != choice.picks[OTHER_ORDER])


def _captured(found: Sequence[Choice], metric: str) -> dict[str, Captured]:
    names = list(dict.fromkeys(name for each in found for name in each.picks))
    return {
        name: {
            "score": summarise([_score(choice, metric, name) for choice in found]),
            "share": _share(found, metric, name),
        }
        for name in (RANDOM, *names, BEST)
    }


def _score(choice: Choice, metric: str, way: str) -> float | None:
    """Return what a way of choosing scores at one question; None if any draft is unscored."""
    values = [scores.get(metric) for scores in choice.scores]
    scored = [value for value in values if value is not None]
    if len(scored) < len(values):
        return None
    if way == RANDOM:
        return sum(scored) / len(scored)
    if way == BEST:
        return max(scored)
    return scored[choice.picks[way]] if way in choice.picks else None


def _share(found: Sequence[Choice], metric: str, way: str) -> Share:
    """Return (score - random) / (best - random) of the means, with a bootstrap interval.

    Percentile bootstrap over questions (Efron and Tibshirani 1993, chapter 13); resamples with
    nothing to win say nothing about the share and are left out.
    """
    rows = [[_score(choice, metric, name) for name in (way, RANDOM, BEST)] for choice in found]
    sound = np.array([row for row in rows if None not in row], dtype=float).reshape(-1, 3)
    gained, possible = sound[:, 0] - sound[:, 1], sound[:, 2] - sound[:, 1]
    if not possible.sum() > 0:
        return {"mean": None, "ci95": None}
    mean = float(gained.sum() / possible.sum())
    return {"mean": mean, "ci95": ratio_interval(gained, possible)}


def _against(found: Sequence[Choice], metric: str, way: str, other: str) -> Against:

    rows = [[_score(choice, metric, name) for name in (way, other)] for choice in found]
    sound = np.array([row for row in rows if None not in row], dtype=float).reshape(-1, 2)
    gains = np.round(sound[:, 0] - sound[:, 1], 9)
    return {
        "n": len(sound),
        "mean_difference": float(gains.mean()) if len(gains) else None,
        **infer(sound[:, 0], sound[:, 1], gains),
    }

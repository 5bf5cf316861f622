"""What each stage of a run did to the answers: their scores after it, and what it added."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, TypedDict

from evaluation.metrics.registry import METRIC_NAMES
from evaluation.statistics.summaries import Summary, summarise
from evaluation.store.journal import Record

STAGE_METRICS = tuple(name for name in METRIC_NAMES if name != "LLM_judge")
"""The judge sees the last answer alone: what a draft would have got of it is not known."""

MetricScores = dict[str, float | None]


class StageGain(TypedDict):
    """What a stage did to the answers of the questions that came to it."""

    ran: int
    changed: int
    """Of those, how many had another answer afterwards."""
    metrics: dict[str, Summary]
    """Score after it minus score before it, over the questions where it ran."""


class _Answer(NamedTuple):
    stage: str
    text: str
    metrics: MetricScores


def stage_scores(records: Sequence[Record]) -> dict[str, dict[str, Summary]]:
    """Return each stage's metrics of the answer as it stood after it, in the order of the graph.

    A question that a stage did not reach keeps the answer that it had, so that every stage is about
    the same questions.
    """
    answers = [found for record in records if (found := answers_of(record))]
    order = _order(answers)
    return {
        stage: {
            metric: summarise([_after(each, stage, order)[metric] for each in answers])
            for metric in STAGE_METRICS
        }
        for stage in order
    }


def stage_gains(records: Sequence[Record]) -> dict[str, StageGain]:
    """Return what each stage but the first added, where it ran."""
    answers = [answers_of(record) for record in records]
    found: dict[str, StageGain] = {}
    for stage in _order(answers)[1:]:
        steps = [
            (before, after)
            for each in answers
            for before, after in pairwise(each)
            if after.stage == stage
        ]
        found[stage] = {
            "ran": len(steps),
            "changed": sum(before.text != after.text for before, after in steps),
            "metrics": {
                metric: summarise([_gain(before, after, metric) for before, after in steps])
                for metric in STAGE_METRICS
            },
        }
    return found


def answers_of(record: Record) -> list[_Answer]:
    """Return the answer after each step that gives one; empty for a failed question.

    A stage that comes again in a later round has its number behind it, as `refine 2`.
    """
    texts: dict[str, MetricScores] = {}
    for score in record["candidates"]:
        draft = record["steps"][score["step"]]["candidates"][score["candidate"]]
        texts[draft["text"]] = score["metrics"]
    found: list[_Answer] = []
    rounds: dict[str, int] = {}
    for step in record["steps"]:
        if "answer" not in step or step["answer"] not in texts:
            continue
        node = step["node"]
        rounds[node] = rounds.get(node, 0) + 1
        name = node if rounds[node] == 1 else f"{node} {rounds[node]}"
        found.append(_Answer(name, step["answer"], texts[step["answer"]]))
    return found


def _order(answers: Sequence[Sequence[_Answer]]) -> list[str]:
    """Return the stages in the order of the graph: the longest way through it names them all."""
    longest = max(answers, key=len, default=[])
    return [answer.stage for answer in longest]


def _after(answers: Sequence[_Answer], stage: str, order: Sequence[str]) -> MetricScores:
    reached = order[: order.index(stage) + 1]
    return [answer for answer in answers if answer.stage in reached][-1].metrics


def _gain(before: _Answer, after: _Answer, metric: str) -> float | None:
    old, new = before.metrics[metric], after.metrics[metric]
    return None if old is None or new is None else new - old

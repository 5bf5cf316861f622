"""The stages of a run: scores of the answers after each stage, and the gain of each stage."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, TypedDict

from evaluation.metrics.metric import MetricScores
from evaluation.metrics.registry import stage_metric_names
from evaluation.statistics.summaries import Summary, summarise
from evaluation.store.journal import Record


class StageGain(TypedDict):
    """The effect of a stage on the answers of the questions that reached it."""

    ran: int
    """Questions that reached the stage."""
    changed: int
    """Of those, the questions whose answer changed."""
    metrics: dict[str, Summary]
    """By metric, the score after the stage minus the score before it, where it ran."""


class StageAnswer(NamedTuple):
    """The answer to a question after one stage."""

    stage: str
    text: str
    metrics: MetricScores


def stage_scores(records: Sequence[Record]) -> dict[str, dict[str, Summary]]:
    """Return the metrics of the answers after each stage, stages in the order of the graph.

    A question that a stage did not reach keeps the answer of the stage before, so that the means
    of all stages are over the same questions.
    """
    answers = [stages for record in records if (stages := stage_answers(record))]
    order, names = _stage_order(answers), _metric_names(answers)
    return {
        stage: {
            metric: summarise([_scores_after(q, stage, order).get(metric) for q in answers])
            for metric in names
        }
        for stage in order
    }


def stage_gains(records: Sequence[Record]) -> dict[str, StageGain]:
    """Return the gain of each stage but the first."""
    answers = [stage_answers(record) for record in records]
    names = _metric_names(answers)
    gains: dict[str, StageGain] = {}
    for stage in _stage_order(answers)[1:]:
        steps = [
            (before, after)
            for question in answers
            for before, after in pairwise(question)
            if after.stage == stage
        ]
        gains[stage] = {
            "ran": len(steps),
            "changed": sum(before.text != after.text for before, after in steps),
            "metrics": {
                metric: summarise(
                    [_gain(before, after, metric) for before, after in steps], bounded=False
                )
                for metric in names
            },
        }
    return gains


def stage_answers(record: Record) -> list[StageAnswer]:
    """Return the answer after each stage that writes one; empty for a failed question.

    A stage that runs again in a later round has the number of its run in the name, as `refine 2`.
    """
    metrics_of_text: dict[str, MetricScores] = {}
    for candidate in record["candidates"]:
        draft = record["steps"][candidate["step"]]["candidates"][candidate["candidate"]]
        metrics_of_text[draft["text"]] = candidate["metrics"]
    answers: list[StageAnswer] = []
    rounds: dict[str, int] = {}
    for step in record["steps"]:
        if "answer" not in step or step["answer"] not in metrics_of_text:
            continue
        node = step["node"]
        rounds[node] = rounds.get(node, 0) + 1
        stage = node if rounds[node] == 1 else f"{node} {rounds[node]}"
        answers.append(StageAnswer(stage, step["answer"], metrics_of_text[step["answer"]]))
    return answers


def _metric_names(answers: Sequence[Sequence[StageAnswer]]) -> list[str]:
    return stage_metric_names(answer.metrics for question in answers for answer in question)


def _stage_order(answers: Sequence[Sequence[StageAnswer]]) -> list[str]:
    """Return the stages in the order of the graph."""
    # Questions differ in the number of rounds alone, so the longest one has all stages.
    longest = max(answers, key=len, default=[])
    return [answer.stage for answer in longest]


def _scores_after(answers: Sequence[StageAnswer], stage: str, order: Sequence[str]) -> MetricScores:
    reached = order[: order.index(stage) + 1]
    return [answer for answer in answers if answer.stage in reached][-1].metrics


def _gain(before: StageAnswer, after: StageAnswer, metric: str) -> float | None:
    old, new = before.metrics.get(metric), after.metrics.get(metric)
    return None if old is None or new is None else new - old

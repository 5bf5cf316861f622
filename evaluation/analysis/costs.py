"""The cost of a run's answers: tokens for each question, and seconds of model calls."""

from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.answering.model_calls import Tokens, count_calls, tokens_of, without_judging
from evaluation.statistics.summaries import Summary, summarise
from evaluation.store.journal import Record
from nodes.state import calls_of


@dataclass(frozen=True)
class Cost:
    """The cost of a run's answers, without the judge, which is no cost of a config."""

    tokens: Summary
    """Tokens of a question, in prompts and replies."""
    seconds: Summary | None
    """Seconds of a question's model calls; None if some came from a cache, which takes no time."""
    calls: int
    cached: int
    """Calls whose result came from a cache."""
    estimated: int = 0
    """Calls whose token counts are estimates."""


@dataclass(frozen=True)
class QuestionCost:
    """The cost of one answer, without the judge."""

    tokens: Tokens
    seconds: float | None
    """Seconds of its model calls; None if one came from a cache, which takes no time."""


def question_cost(record: Record) -> QuestionCost:
    """Return the cost of an answer."""
    answering = without_judging([record])
    seconds = None if count_calls(answering).cached else _seconds(answering[0])
    return QuestionCost(tokens_of(answering), seconds)


def cost_of(records: Sequence[Record]) -> Cost:
    """Return the cost of the answers of records."""
    answering = without_judging(records)
    calls = count_calls(answering)
    return Cost(
        tokens=summarise([_tokens(record) for record in answering], bounded=False),
        seconds=(
            None
            if calls.cached
            else summarise([_seconds(record) for record in answering], bounded=False)
        ),
        calls=calls.fresh + calls.cached,
        cached=calls.cached,
        estimated=calls.estimated,
    )


def _tokens(record: Record) -> float:
    tokens = tokens_of([record])
    return float(tokens["prompt"] + tokens["new"])


def _seconds(record: Record) -> float:
    return sum(call["seconds"] for step in record["steps"] for call in calls_of(step))

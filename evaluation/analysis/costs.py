"""What an answer cost: tokens, and seconds where no call came from a cache."""

from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.answering.model_calls import count_calls, tokens_of, without_judging
from evaluation.statistics.summaries import Summary, summarise
from evaluation.store.journal import Record
from nodes.state import calls_of as asked_in


@dataclass(frozen=True)
class Cost:
    """What a question's answer cost a run; the judge is no cost of a config."""

    tokens: Summary
    seconds: Summary | None
    """Of model calls; None where some came from a cache, which takes no time."""
    calls: int
    cached: int


def cost_of(records: Sequence[Record]) -> Cost:
    """Return what the answers of records cost."""
    counted = without_judging(records)
    calls = count_calls(counted)
    return Cost(
        tokens=summarise([_spent(record) for record in counted]),
        seconds=None if calls.cached else summarise([_seconds(record) for record in counted]),
        calls=calls.fresh + calls.cached,
        cached=calls.cached,
    )


def _spent(record: Record) -> float:
    found = tokens_of([record])
    return float(found["prompt"] + found["new"])


def _seconds(record: Record) -> float:
    return sum(call["seconds"] for step in record["steps"] for call in asked_in(step))

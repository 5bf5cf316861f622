"""What an answer cost: tokens, and seconds where no call came from a cache."""

from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.journal import Record
from evaluation.results import tokens_of
from evaluation.statistics import Summary, summarise
from nodes.model import Likelihood, Reply, Verdict
from nodes.state import calls_of


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
    answering: list[Record] = [
        {**record, "steps": [step for step in record["steps"] if step["node"] != "judge"]}
        for record in records
    ]
    calls = [call for record in answering for call in _calls(record)]
    cached = sum(bool(call.get("cached")) for call in calls)
    return Cost(
        tokens=summarise([_spent(record) for record in answering]),
        seconds=None if cached else summarise([_seconds(record) for record in answering]),
        calls=len(calls),
        cached=cached,
    )


def _spent(record: Record) -> float:
    found = tokens_of([record])
    return float(found["prompt"] + found["new"])


def _seconds(record: Record) -> float:
    return sum(call["seconds"] for call in _calls(record))


def _calls(record: Record) -> list[Reply | Verdict | Likelihood]:
    return [call for step in record["steps"] for call in calls_of(step)]

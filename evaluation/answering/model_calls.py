"""How many model calls records hold: made for them, or kept from an earlier run."""

from collections.abc import Sequence
from typing import NamedTuple

from evaluation.store.journal import Record
from nodes.state import calls_of as asked_in


class Calls(NamedTuple):
    """Texts and verdicts that models were asked for."""

    fresh: int
    cached: int
    new_tokens: int
    """Of the fresh ones."""

    def plus(self, others: "Calls") -> "Calls":
        """Return both together."""
        return Calls(*(ours + theirs for ours, theirs in zip(self, others, strict=True)))

    def __str__(self) -> str:
        return f"{self.fresh} fresh, {self.cached} from the cache"


def calls_of(records: Sequence[Record]) -> Calls:
    """Count the calls of records; a run's own count belongs to its session, not to its results."""
    steps = [step for record in records for step in record["steps"]]
    asked = [call for step in steps for call in asked_in(step)]
    cached = sum(call["cached"] for call in asked)
    replies = [reply for step in steps for reply in step.get("replies", [])]
    fresh_tokens = sum(reply["new_tokens"] for reply in replies if not reply["cached"])
    return Calls(len(asked) - cached, cached, fresh_tokens)


def answering(records: Sequence[Record]) -> list[Record]:
    """Return the records without the judge's steps: judging is no cost of a config."""
    return [
        {**record, "steps": [step for step in record["steps"] if step["node"] != "judge"]}
        for record in records
    ]

"""Model calls of records: their number, those served from the cache, and their tokens."""

from collections.abc import Sequence
from typing import NamedTuple, TypedDict

from evaluation.store.journal import Record
from graph.support.errors import PromptTooLongError
from graph.support.terminal import safe_text
from graph.support.text import one_line
from nodes.model import Likelihood, Reply, Verdict
from nodes.state import Step, calls_of

_REASON_CHARS = 100
"""Characters of the reason why a judge gave no score."""


class Calls(NamedTuple):
    """Counts of model calls, which are replies, verdicts and likelihoods."""

    fresh: int
    cached: int
    new_tokens: int
    """Tokens that fresh replies generated."""
    estimated: int = 0
    """Calls whose token counts are estimates."""

    def plus(self, calls: "Calls") -> "Calls":
        """Return the sums of both counts."""
        return Calls(*map(sum, zip(self, calls, strict=True)))

    def __str__(self) -> str:
        return f"{self.fresh} fresh, {self.cached} from the cache"


def count_calls(records: Sequence[Record]) -> Calls:
    """Count the model calls of records."""
    calls = _calls(records)
    cached = sum(call["cached"] for call in calls)
    fresh_tokens = sum(reply["new_tokens"] for reply in _replies(records) if not reply["cached"])
    return Calls(len(calls) - cached, cached, fresh_tokens, _count_estimated(calls))


def without_judging(records: Sequence[Record]) -> list[Record]:
    """Return the records without the judge's steps, whose cost is not the config's."""
    return [
        {**record, "steps": [step for step in record["steps"] if step["node"] != "judge"]}
        for record in records
    ]


class Tokens(TypedDict):
    """Tokens of a run."""

    prompt: int
    cached: int
    """Tokens of prompts that engines report as read before."""
    new: int
    cut: int
    """Tokens of passages and drafts that were cut so that prompts fit the window."""
    estimated: int
    """Calls whose token counts are estimates, since the model reported none."""


def tokens_of(records: Sequence[Record]) -> Tokens:
    """Return the sums of the tokens of records, prompts of verdicts included."""
    calls = _calls(records)
    return {
        "prompt": sum(call["prompt_tokens"] for call in calls),
        "cached": sum(call.get("cached_tokens", 0) for call in calls),
        "new": sum(reply["new_tokens"] for reply in _replies(records)),
        "cut": sum(call["cut_tokens"] for call in calls),
        "estimated": _count_estimated(calls),
    }


def cut_by_judge(steps: Sequence[Step]) -> int:
    """Return the number of tokens of answer and reference that the judge did not read."""
    return sum(
        verdict["cut_tokens"]
        for step in steps
        if step["node"] == "judge"
        for verdict in step.get("verdicts", [])
    )


def judge_error(steps: Sequence[Step]) -> str | None:
    """Return the error that the judge failed with, as `ValueError: no number`; None without one."""
    return next(
        (step["error"] for step in steps if step["node"] == "judge" and "error" in step), None
    )


def judge_reason(error: str | None) -> str:
    """Return in a few words why a judge gave no score: for its error, or for a reply that it gave."""
    if error is None:
        return "the reply is no grade"
    name, _, message = error.partition(": ")
    if name == PromptTooLongError.__name__:
        return "the question does not fit the window"
    return safe_text(one_line(f"{name}: {message}", _REASON_CHARS))


def lacks_result(record: Record) -> bool:
    """Tell whether a question has no answer, or one that the judge failed at."""
    return record["error"] is not None or judge_error(record["steps"]) is not None


def _steps(records: Sequence[Record]) -> list[Step]:
    return [step for record in records for step in record["steps"]]


def _calls(records: Sequence[Record]) -> list[Reply | Verdict | Likelihood]:
    return [call for step in _steps(records) for call in calls_of(step)]


def _count_estimated(calls: Sequence[Reply | Verdict | Likelihood]) -> int:
    return sum(call["tokens_estimated"] for call in calls)


def _replies(records: Sequence[Record]) -> list[Reply]:
    return [reply for step in _steps(records) for reply in step.get("replies", [])]

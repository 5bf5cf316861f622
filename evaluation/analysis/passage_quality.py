"""The quality of passages: retrieval of the relevant posts, and their use in the answer."""

import re
from collections.abc import Sequence
from typing import Literal, TypedDict

from evaluation.metrics.registry import METRIC_NAMES
from evaluation.statistics.summaries import Summary, summarise
from evaluation.store.journal import Record
from nodes.state import Passage

PassageOutcome = Literal["retrieved and used", "retrieved, not used", "not retrieved"]
OUTCOMES: tuple[PassageOutcome, ...] = (
    "retrieved and used",
    "retrieved, not used",
    "not retrieved",
)

_QUOTE_WORDS = 8
"""Consecutive words that an answer and a passage hardly share by chance."""
_WORD = re.compile(r"\w+")


class OutcomeScores(TypedDict):
    """The answers with one outcome."""

    n: int
    metrics: dict[str, Summary]


class RetrievalQuality(TypedDict):
    """The quality of retrieval over the answered questions that name relevant posts."""

    n: int
    unscored: int
    """Questions that name no relevant post."""
    hit_rate: Summary
    """Share of questions with a relevant passage."""
    recall: Summary
    """Share of a question's relevant posts among its passages: recall@k with k = `top_k`."""
    MRR: Summary
    """1 / number of the first relevant passage; 0 without one."""
    outcomes: dict[PassageOutcome, OutcomeScores]


def retrieval_quality(records: Sequence[Record]) -> RetrievalQuality | None:
    """Return the quality of retrieval over answered records; None if none names a relevant post."""
    judged = [record for record in records if record["relevant_question_ids"]]
    if not judged:
        return None
    ranks = [_relevant_ranks(record) for record in judged]
    by_outcome: dict[PassageOutcome, list[Record]] = {outcome: [] for outcome in OUTCOMES}
    for record in judged:
        by_outcome[outcome_of(record)].append(record)
    return {
        "n": len(judged),
        "unscored": len(records) - len(judged),
        "hit_rate": summarise([float(bool(numbers)) for numbers in ranks]),
        "recall": summarise([_recall(record) for record in judged]),
        "MRR": summarise([1 / numbers[0] if numbers else 0.0 for numbers in ranks]),
        "outcomes": {outcome: _outcome_scores(group) for outcome, group in by_outcome.items()},
    }


def outcome_of(record: Record) -> PassageOutcome:
    """Return the outcome of a question's relevant passages.

    An answer uses a passage if it cites the passage's number, as in [1], or shares 8 consecutive
    words with it.
    """
    passages = _relevant_passages(record)
    if not passages:
        return "not retrieved"
    used = any(_uses(record["answer"], passage) for passage in passages)
    return "retrieved and used" if used else "retrieved, not used"


def _relevant_passages(record: Record) -> list[Passage]:
    relevant = set(record["relevant_question_ids"])
    return [passage for passage in record["passages"] if passage["question_id"] in relevant]


def _relevant_ranks(record: Record) -> list[int]:
    """Return the numbers of the relevant passages, from 1, in ascending order."""
    return sorted(passage["number"] for passage in _relevant_passages(record))


def _recall(record: Record) -> float:
    # A post can be relevant twice, and be two passages: each counts once.
    retrieved = {passage["question_id"] for passage in _relevant_passages(record)}
    return len(retrieved) / len(set(record["relevant_question_ids"]))


def _uses(answer: str, passage: Passage) -> bool:
    if f"[{passage['number']}]" in answer:
        return True
    return not _word_runs(answer).isdisjoint(_word_runs(passage["text"]))


def _word_runs(text: str) -> set[tuple[str, ...]]:
    """Return all runs of `_QUOTE_WORDS` consecutive words, in lower case."""
    words = _WORD.findall(text.lower())
    starts = range(len(words) - _QUOTE_WORDS + 1)
    return {tuple(words[start : start + _QUOTE_WORDS]) for start in starts}


def _outcome_scores(records: Sequence[Record]) -> OutcomeScores:
    metrics = {
        name: summarise([record["metrics"].get(name) for record in records])
        for name in METRIC_NAMES
    }
    return {"n": len(records), "metrics": metrics}

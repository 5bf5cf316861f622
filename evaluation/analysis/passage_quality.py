"""The quality of passages: retrieval of the relevant posts, and their use in the answer.

A relevant post that the corpus does not hold cannot be retrieved, and nothing is known about the
retrieval of posts like it: a question that names one is unscored, never 0.
"""

import re
from collections.abc import Sequence
from typing import Literal, TypedDict

from evaluation.analysis.citations import cited_numbers
from evaluation.metrics.normal_text import normal_text, with_spaced_characters
from evaluation.metrics.registry import METRIC_NAMES
from evaluation.statistics.summaries import Summary, summarise
from evaluation.store.journal import Record
from nodes.state import Passage, is_withheld

PassageOutcome = Literal["retrieved and used", "retrieved, not used", "not retrieved"]
OUTCOMES: tuple[PassageOutcome, ...] = (
    "retrieved and used",
    "retrieved, not used",
    "not retrieved",
)

_QUOTE_WORDS = 8
"""Consecutive words that an answer and a passage hardly share by chance."""
_QUOTE_CHARACTERS = 16
"""The same in scripts without spaces, where each character counts as a word."""
_WORD = re.compile(r"\w+")
USE = (
    f"cites its number outside code, shares {_QUOTE_WORDS} consecutive words with it "
    f"({_QUOTE_CHARACTERS} characters in scripts without spaces), or has the same words as the "
    "passage or as the answer in it"
)
"""The definition of use, after "An answer uses a passage if it"."""


class OutcomeScores(TypedDict):
    """The answers with one outcome."""

    n: int
    metrics: dict[str, Summary]


class RetrievalQuality(TypedDict):
    """The quality of retrieval over the answered questions whose relevant posts are in the corpus."""

    n: int
    unscored: int
    """Questions that name no relevant post, or one that is not in the corpus."""
    not_in_corpus: int
    """Of those, the questions that name a post that is not in the corpus."""
    hit_rate: Summary
    """Share of questions with a relevant passage."""
    recall: Summary
    """Share of a question's relevant posts among its passages: recall@k with k = `top_k`."""
    MRR: Summary
    """1 / number of the first relevant passage; 0 without one."""
    outcomes: dict[PassageOutcome, OutcomeScores]


def retrieval_quality(records: Sequence[Record]) -> RetrievalQuality | None:
    """Return the quality of retrieval over answered records; None if none names a relevant post."""
    if not any(record["relevant_question_ids"] for record in records):
        return None
    judged = [record for record in records if is_judged(record)]
    ranks = [_relevant_ranks(record) for record in judged]
    by_outcome: dict[PassageOutcome, list[Record]] = {outcome: [] for outcome in OUTCOMES}
    for record in judged:
        by_outcome[outcome_of(record)].append(record)
    return {
        "n": len(judged),
        "unscored": len(records) - len(judged),
        "not_in_corpus": sum(bool(record["relevant_not_in_corpus"]) for record in records),
        "hit_rate": summarise([float(bool(numbers)) for numbers in ranks]),
        "recall": summarise([_recall(record) for record in judged]),
        "MRR": summarise([1 / numbers[0] if numbers else 0.0 for numbers in ranks]),
        "outcomes": {outcome: _outcome_scores(group) for outcome, group in by_outcome.items()},
    }


def is_judged(record: Record) -> bool:
    """Tell whether a question names relevant posts and the corpus holds all of them."""
    return bool(record["relevant_question_ids"]) and not record["relevant_not_in_corpus"]


def is_retrieved(record: Record) -> bool:
    """Tell whether one of a question's relevant posts is among its passages."""
    return bool(_relevant_passages(record))


def outcome_of(record: Record) -> PassageOutcome:
    """Return the outcome of a question's relevant passages; `USE` defines their use."""
    passages = _relevant_passages(record)
    if not passages:
        return "not retrieved"
    if is_withheld(record["steps"]):
        return "retrieved, not used"
    cited = cited_numbers(record["answer"], len(record["passages"]))
    used = any(
        passage["number"] in cited or _shares_words(record["answer"], passage)
        for passage in passages
    )
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


def _shares_words(answer: str, passage: Passage) -> bool:
    text, words = passage["text"], _words(answer)
    copies = (_words(text), _words(text[: passage["answer_chars"]]))
    if words and words in copies:
        return True
    # Texts of scripts without spaces hold many words of one character.
    characters = sum(len(word) == 1 and not word.isascii() for word in words)
    length = _QUOTE_CHARACTERS if 2 * characters > len(words) else _QUOTE_WORDS
    return not _word_runs(words, length).isdisjoint(_word_runs(copies[0], length))


def _words(text: str) -> list[str]:
    return _WORD.findall(with_spaced_characters(normal_text(text)).casefold())


def _word_runs(words: Sequence[str], length: int) -> set[tuple[str, ...]]:
    """Return all runs of `length` consecutive words."""
    starts = range(len(words) - length + 1)
    return {tuple(words[start : start + length]) for start in starts}


def _outcome_scores(records: Sequence[Record]) -> OutcomeScores:
    metrics = {
        name: summarise([record["metrics"].get(name) for record in records])
        for name in METRIC_NAMES
    }
    return {"n": len(records), "metrics": metrics}

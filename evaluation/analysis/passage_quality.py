"""How well passages were found, and whether the answer used them: retrieval and answer together."""

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

_RUN = 8
"""Words in a row that an answer and a passage share by more than chance."""
_WORD = re.compile(r"\w+")


class ByOutcome(TypedDict):
    """The answers that had one outcome."""

    n: int
    metrics: dict[str, Summary]


class RetrievalQuality(TypedDict):
    """Retrieval over the questions whose relevant posts are known; passages in their order."""

    n: int
    unscored: int
    """Questions that name no relevant post."""
    hit_rate: Summary
    """Share of questions with a relevant passage."""
    recall: Summary
    """Share of a question's relevant posts among its passages: recall@k, k being `top_k`."""
    MRR: Summary
    """One over the place of the first relevant passage, 0 without one."""
    outcomes: dict[PassageOutcome, ByOutcome]


def retrieval_quality(records: Sequence[Record]) -> RetrievalQuality | None:
    """Return how retrieval did over sound records; None where no question names relevant posts."""
    known = [record for record in records if record["relevant_question_ids"]]
    if not known:
        return None
    places = [_places(record) for record in known]
    by_outcome: dict[PassageOutcome, list[Record]] = {name: [] for name in OUTCOMES}
    for record in known:
        by_outcome[outcome_of(record)].append(record)
    return {
        "n": len(known),
        "unscored": len(records) - len(known),
        "hit_rate": summarise([float(bool(found)) for found in places]),
        "recall": summarise([_recall(record) for record in known]),
        "MRR": summarise([1 / found[0] if found else 0.0 for found in places]),
        "outcomes": {name: _by_outcome(group) for name, group in by_outcome.items()},
    }


def outcome_of(record: Record) -> PassageOutcome:
    """Return what became of the relevant passages.

    An answer used a passage if it cites its number, as in [1], or shares 8 words in a row with it.
    """
    found = _relevant(record)
    if not found:
        return "not retrieved"
    used = any(_uses(record["answer"], passage) for passage in found)
    return "retrieved and used" if used else "retrieved, not used"


def _relevant(record: Record) -> list[Passage]:
    wanted = set(record["relevant_question_ids"])
    return [passage for passage in record["passages"] if passage["question_id"] in wanted]


def _places(record: Record) -> list[int]:
    return sorted(passage["number"] for passage in _relevant(record))


def _recall(record: Record) -> float:
    found = {passage["question_id"] for passage in _relevant(record)}
    return len(found) / len(set(record["relevant_question_ids"]))


def _uses(answer: str, passage: Passage) -> bool:
    if f"[{passage['number']}]" in answer:
        return True
    return not _runs(answer).isdisjoint(_runs(passage["text"]))


def _runs(text: str) -> set[tuple[str, ...]]:
    words = _WORD.findall(text.lower())
    return {tuple(words[start : start + _RUN]) for start in range(len(words) - _RUN + 1)}


def _by_outcome(records: Sequence[Record]) -> ByOutcome:
    metrics = {
        name: summarise([record["metrics"][name] for record in records]) for name in METRIC_NAMES
    }
    return {"n": len(records), "metrics": metrics}

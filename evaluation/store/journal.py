"""The journal of a run: one record for each question; every figure is computed from it."""

from pathlib import Path
from typing import TypedDict, TypeGuard

from evaluation.store.checked_lines import CheckedLines, LineFormat
from nodes.state import Passage, Step


class Failure(TypedDict):
    """The error of a question without an answer."""

    type: str
    message: str


class CandidateScore(TypedDict):
    """The metrics of one draft or refinement; a judge sees final answers only and gives none."""

    step: int
    """Index into the record's steps."""
    candidate: int
    """Index into that step's candidates."""
    metrics: dict[str, float | None]


class Record(TypedDict):
    """One question: its answer, the steps to it, and its scores."""

    index: int
    eval_id: str
    question: str
    reference: str
    relevant_question_ids: list[str]
    answer: str
    reasoning: str
    passages: list[Passage]
    steps: list[Step]
    error: Failure | None
    metrics: dict[str, float | None]
    """By metric; None is unscored. Empty for a failed question."""
    candidates: list[CandidateScore]
    """The scores of every draft and refinement. Empty for a failed question."""


_TYPES: dict[str, type | tuple[type, ...]] = {
    "index": int,
    "question": str,
    "reference": str,
    "answer": str,
    "steps": list,
    "error": (dict, type(None)),
    "metrics": dict,
    "candidates": list,
}
"""The fields that every reader of a record needs; records of older versions may lack others."""


def is_record(value: object) -> TypeGuard[Record]:
    """Tell whether a value has the fields of a record, with the right types."""
    if not isinstance(value, dict):
        return False
    if not all(isinstance(value.get(name, ...), kind) for name, kind in _TYPES.items()):
        return False
    return all(isinstance(step, dict) and "node" in step for step in value["steps"]) and all(
        map(is_score, value["metrics"].values())
    )


def is_score(value: object) -> bool:
    """Tell whether a value is a number or None, as a metric is stored."""
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


RECORD_LINES = LineFormat(
    is_record, "record of a question", "start over with --fresh (the old run is kept)"
)


class Journal(CheckedLines[Record]):
    """The journal of a run, open for appending."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, RECORD_LINES)


def journal_path(folder: Path) -> Path:
    """Return the path of a run folder's journal."""
    return folder / "journal.jsonl"

"""The journal of a run: one record for each question; every figure is computed from it."""

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple, NotRequired

from pydantic import TypeAdapter
from typing_extensions import TypedDict

from evaluation.store.checked_lines import CheckedLines, LineFormat, check_fields, check_index
from nodes.state import Passage, Step


class Failure(TypedDict):
    """The error of a question without an answer."""

    type: str
    message: str
    of_question: bool
    """Whether the question itself is known to be the cause, as with a prompt that is too long."""


class CandidateScore(TypedDict):
    """The metrics of one draft or refinement; a judge sees final answers only and gives none."""

    step: int
    """Index into the record's steps."""
    candidate: int
    """Index into that step's candidates."""
    metrics: dict[str, float | None]


class EncoderParts(TypedDict):
    """The number of parts in which the metrics' encoder read a text; 1 if it read it at once."""

    answer: int
    reference: int


class Record(TypedDict):
    """One question: its answer, the steps to it, and its scores."""

    index: int
    eval_id: str
    question: str
    reference: str
    relevant_question_ids: list[str]
    relevant_not_in_corpus: list[str]
    """Of those, the ids that retrieval could not return: the corpus lacks them, or they are leaks."""
    tags: NotRequired[list[str]]
    """Absent if the dataset has no column of tags, and in runs of older versions."""
    answer: str
    reasoning: str
    passages: list[Passage]
    steps: list[Step]
    error: Failure | None
    metrics: dict[str, float | None]
    """By metric; None is unscored. Empty for a failed question."""
    encoder_parts: EncoderParts | None
    """None where no encoder measured a metric."""
    candidates: list[CandidateScore]
    """The scores of every draft and refinement. Empty for a failed question."""
    criteria: NotRequired[str]
    """What an answer must hold, as JSON; missing if the dataset does not say it."""
    rubric: NotRequired[list[str]]
    """The conditions that a good answer meets; missing if the dataset does not say them."""
    criteria_unscored: NotRequired[str]
    """The reason why the criteria do not score the answer; missing if they do."""


_RECORD: TypeAdapter[Record] = TypeAdapter(Record)


class RunKey(NamedTuple):
    """The values that bind records to their run."""

    digest: str
    """The digest of the run's identity."""
    question_digests: Sequence[str]
    """Of each question, by index; see `question_digest`."""
    batch_size: int


def question_digest(
    eval_id: str,
    question: str,
    reference: str,
    relevant_question_ids: Sequence[str],
    criteria: str = "",
    rubric: Sequence[str] = (),
) -> str:
    """Return the digest of the fields that a record takes from its row of the dataset."""
    fields = [eval_id, question, reference, list(relevant_question_ids)]
    if criteria:
        fields.append(criteria)
    if rubric:
        fields.append(["rubric", *rubric])
    return sha256(json.dumps(fields).encode()).hexdigest()[:16]


def record_lines(key: RunKey) -> LineFormat[Record]:
    """Return the format of the lines of a run's journal."""

    def record_of(value: object) -> Record:
        record = check_fields(value, _RECORD, "record of a question")
        index = record["index"]
        check_index(index, len(key.question_digests))
        if digest_of_record(record) != key.question_digests[index]:
            raise ValueError(
                f"holds another question than the run's question {index} (its eval_id is "
                f"{record['eval_id'][:80]!r})"
            )
        return record

    remedy = "start over with --fresh (the old run is kept)"
    return LineFormat(record_of, key.digest, key.batch_size, remedy)


def digest_of_record(record: Record) -> str:
    """Return the `question_digest` of a record's question."""
    return question_digest(
        record["eval_id"],
        record["question"],
        record["reference"],
        record["relevant_question_ids"],
        record.get("criteria", ""),
        record.get("rubric", ()),
    )


class Journal(CheckedLines[Record]):
    """The journal of a run, open for appending."""

    def __init__(self, path: Path, key: RunKey) -> None:
        super().__init__(path, record_lines(key))


def journal_path(folder: Path) -> Path:
    """Return the path of a run folder's journal."""
    return folder / "journal.jsonl"

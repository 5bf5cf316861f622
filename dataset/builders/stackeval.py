"""The builder for StackEval and StackUnseen: Stack Overflow questions with their accepted answers.

The files are `stack-eval.jsonl` and `stack-unseen-*.jsonl`. Their texts are Markdown. The benchmark
has its answers graded from 0 to 3 by the reference, which is what a run's own judge does.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from dataset.builders.json_values import Damage
from dataset.builders.question_output import Table, json_entries, write_questions
from dataset.builders.row_counts import RowCounts


class StackEvalQuestion(NamedTuple):
    """One row of the table."""

    eval_id: str
    question: str
    answer: str
    language: str
    question_type: str
    level: str


def build(source: Path, target: Path) -> RowCounts:
    """Build the table from a file of questions, or from all files of a folder.

    Raises:
        DatasetError: the source cannot be read, no question is kept, or the disk is full; the target
            is unchanged.
    """
    table = Table(source, target, StackEvalQuestion._fields)
    return write_questions(table, map(_question, json_entries(source)), lambda _: "questions")


def _question(value: object) -> StackEvalQuestion | str:
    """Return the row of a question, or the reason why it is left out."""
    if isinstance(value, Damage):
        return value.reason
    if not isinstance(value, dict) or "questionId" not in value:
        return "no question of StackEval"
    metadata = value.get("questionMetadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    question = StackEvalQuestion(
        eval_id=_text(value, "questionId"),
        question=_text(value, "question"),
        answer=_text(value, "answer"),
        language=_text(metadata, "tag"),
        question_type=_text(metadata, "type"),
        level=_text(metadata, "level"),
    )
    if not question.eval_id:
        return "no id"
    if not question.question:
        return "empty question"
    return question if question.answer else "no answer"


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.strip() if isinstance(value, str) else ""

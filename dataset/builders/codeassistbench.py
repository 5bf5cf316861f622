"""The builder for CodeAssistBench: its GitHub issues become evaluation questions with a rubric.

The question is the title and the body of an issue, the reference answer what others than the asker
replied, and the rubric its satisfaction conditions. The files lie in the benchmark's folder `dataset`
(`cab_verified.jsonl` and others). Its Dockerfiles are not used: nothing is built or run.
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from dataset.builders.issue import replies
from dataset.builders.json_values import Damage
from dataset.builders.question_output import Table, json_entries, write_questions
from dataset.builders.row_counts import RowCounts

_BETWEEN_REPLIES = "\n\n---\n\n"
_CONDITIONS = ("satisfaction_conditions", "user_satisfaction_condition")


class CodeAssistBenchQuestion(NamedTuple):
    """One row of the table."""

    eval_id: str
    question: str
    answer: str
    satisfaction_conditions: str
    """A JSON list of texts."""
    language: str
    url: str


def build(source: Path, target: Path) -> RowCounts:
    """Build the table from a file of issues, or from all files of a folder.

    Raises:
        DatasetError: the source cannot be read, no issue is kept, or the disk is full; the target is
            unchanged.
    """
    table = Table(source, target, CodeAssistBenchQuestion._fields)
    return write_questions(table, map(_question, json_entries(source)), lambda _: "questions")


def _question(value: object) -> CodeAssistBenchQuestion | str:
    """Return the row of an issue, or the reason why it is left out."""
    if isinstance(value, Damage):
        return value.reason
    if not isinstance(value, dict):
        return "not an issue"
    first = value.get("first_question")
    post: Mapping[str, Any] = first if isinstance(first, dict) else value
    question = f"{_text(post, 'title')}\n\n{_text(post, 'body')}".strip()
    if not question:
        return "empty question"
    conditions = _conditions(value)
    if not conditions:
        return "no satisfaction conditions"
    asker = _text(post, "author") or _text(post, "user")
    answers = replies({"user": asker, "comments": value.get("comments")})
    return CodeAssistBenchQuestion(
        eval_id=_text(value, "url")
        or _text(value, "task_id")
        or _text(value, "id")
        or sha256(question.encode("utf-8", "replace")).hexdigest()[:12],
        question=question,
        answer=_BETWEEN_REPLIES.join(answers),
        satisfaction_conditions=json.dumps(conditions, ensure_ascii=False),
        language=_text(value, "language"),
        url=_text(value, "url"),
    )


def _conditions(issue: Mapping[str, Any]) -> list[str]:
    for name in _CONDITIONS:
        values = issue.get(name)
        texts = (
            [text.strip() for text in values or () if isinstance(text, str)]
            if isinstance(values, list)
            else []
        )
        if any(texts):
            return [text for text in texts if text]
    return []


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return value.strip() if isinstance(value, str) else ""

"""Evaluation questions read from a table, and the rows of long tables with a progress bar."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dataset.tags import parse_tags
from graph.support.body_markup import SAMPLE, BodyMarkup
from graph.support.errors import DatasetError
from graph.support.progress import progress
from graph.support.table_files import Row, read_rows
from graph.support.table_values import TableValues, is_missing

MARKDOWN_COLUMNS = ("question", "answer")
HTML_COLUMNS = ("question_title", "question_body", "answer_body")
_TAG_COLUMNS = ("question_tags", "tags")
"""The columns that can hold tags; the first that a table has is read."""
_OWN_DATASET = Path("dataset/coderepoqa_python.csv")
_SAMPLE_DATASET = Path("dataset/sample/coderepoqa_python.csv")
_ROWS_PER_STEP = 500


@dataclass(frozen=True)
class Question:
    """A question of a dataset with its reference answer."""

    eval_id: str
    """The id in the dataset, else the row number."""
    title: str
    """Plain text; empty if the dataset has no column of titles."""
    body: str
    reference: str
    """May be empty: the question is answered, and metrics that need a reference are unscored."""
    is_html: bool
    """Whether body and reference are HTML (`HTML_COLUMNS`) or Markdown (`MARKDOWN_COLUMNS`)."""
    relevant_question_ids: tuple[str, ...]
    """The posts of the corpus that hold the answer, if the dataset names them."""
    criteria: str = ""
    """What an answer must hold, as a JSON object (`dataset.criteria`); empty if nothing is said."""
    rubric: tuple[str, ...] = ()
    """The conditions that a good answer meets, each a question for a judge."""
    tags: tuple[str, ...] | None = None
    """In lower case; None if the dataset has no column of tags."""


def default_dataset() -> Path:
    """Return the dataset for runs that name none: the user's own, else the sample."""
    return _OWN_DATASET if _OWN_DATASET.is_file() else _SAMPLE_DATASET


def read_questions(path: Path) -> list[Question]:
    """Read the questions of a dataset.

    A row has `question` and `answer` (Markdown), or `question_title`, `question_body` and
    `answer_body` (HTML). The columns `eval_id`, `relevant_question_ids` (`|`-separated), `criteria`
    (JSON), `satisfaction_conditions` (a condition a line, or a JSON list), and `question_tags` or
    `tags` are optional. `TableValues` reads the texts and ids.

    Raises:
        DatasetError: the file cannot be read, columns are missing, a question is empty, an
            `eval_id` is repeated, an id cannot be read for sure, or criteria are no JSON object.
    """
    questions: list[Question] = []
    rows_by_id: dict[str, int] = {}
    values = TableValues(path)
    for number, row in read_rows(path):
        question = _parse_question(path, number, row, values)
        if not (question.title or question.body.strip()):
            raise DatasetError(f"{path}: row {number}: the question is empty")
        earlier = rows_by_id.setdefault(question.eval_id, number)
        if earlier != number:
            raise DatasetError(
                f"{path}: row {number}: eval_id {question.eval_id!r} is already in row {earlier}"
            )
        questions.append(question)
    values.log_changes()
    bodies = [text for question in questions for text in (question.body, question.reference)]
    if not questions[0].is_html:
        return questions
    markup = BodyMarkup(path, bodies[:SAMPLE])
    for body in bodies:
        markup.count(body)
    markup.log_others()
    if markup.markup == "markdown":
        return [replace(question, is_html=False) for question in questions]
    return questions


def _parse_question(path: Path, number: int, row: Row, values: TableValues) -> Question:
    if all(name in row for name in MARKDOWN_COLUMNS):
        title, body, reference, is_html = "", row["question"], row["answer"], False
    elif all(name in row for name in HTML_COLUMNS):
        title, body, reference = (row[name] for name in HTML_COLUMNS)
        is_html = True
    else:
        raise DatasetError(
            f"{path}: needs the columns {', '.join(MARKDOWN_COLUMNS)}, or "
            f"{', '.join(HTML_COLUMNS)}; it has {', '.join(row)}"
        )
    return Question(
        eval_id=values.id(number, row, "eval_id") or str(number),
        title=values.text(title.strip()),
        body=values.text(body),
        reference=values.text(reference),
        is_html=is_html,
        relevant_question_ids=values.ids(number, row, "relevant_question_ids"),
        criteria=_criteria(path, number, row),
        rubric=_rubric(path, number, row, values),
        tags=_tags(row),
    )


def _criteria(path: Path, number: int, row: Row) -> str:
    cell = row.get("criteria", "").strip()
    if is_missing(cell):
        return ""
    try:
        is_object = isinstance(json.loads(cell), dict)
    except (ValueError, RecursionError):
        is_object = False
    if not is_object:
        raise DatasetError(
            f"{path}: row {number}: criteria is no JSON object: write it as "
            '{"keywords": ["..."]}, or leave it empty'
        )
    return cell


def _rubric(path: Path, number: int, row: Row, values: TableValues) -> tuple[str, ...]:
    cell = row.get("satisfaction_conditions", "").strip()
    if is_missing(cell):
        return ()
    conditions = _json_list(cell)
    if conditions is None:
        conditions = values.text(cell).split("\n")
    if not all(isinstance(condition, str) for condition in conditions):
        raise DatasetError(
            f"{path}: row {number}: satisfaction_conditions is a JSON list with a value that is no text: "
            'write it as ["...", "..."]'
        )
    return tuple(stripped for condition in conditions if (stripped := condition.strip()))


def _json_list(cell: str) -> list[Any] | None:
    """Return the values of a JSON list; None if the cell is none."""
    try:
        values = json.loads(cell)
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, list) else None


def _tags(row: Row) -> tuple[str, ...] | None:
    cell = next((row[name] for name in _TAG_COLUMNS if name in row), None)
    if cell is None:
        return None
    return () if is_missing(cell) else tuple(dict.fromkeys(parse_tags(cell)))


def rows_with_progress(
    path: Path, required: Sequence[str], label: str
) -> Iterator[tuple[int, Row]]:
    """Yield (row number from 1, row) of a table under a progress bar.

    The table is read twice: a bar needs the number of rows.

    Raises:
        DatasetError: see `read_rows`.
    """
    total = sum(1 for _ in read_rows(path, required))
    with progress(label, total) as bar:
        number = 0
        for number, row in read_rows(path, required):
            yield number, row
            if number % _ROWS_PER_STEP == 0:
                bar.advance(_ROWS_PER_STEP)
        bar.advance(number % _ROWS_PER_STEP)

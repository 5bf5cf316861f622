"""People's grades of answers: a file of them is read whole, or refused with its first wrong row."""

import ast
import json
from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy import float64, int64
from numpy.typing import NDArray

from graph.support.errors import DatasetError
from graph.support.table_files import Row, read_rows
from graph.support.table_values import TableValues

COLUMNS = ("item_id", "question", "reference", "candidate", "human_mean", "grades")
HIGHEST = 4
"""The highest grade; the lowest is 0."""
_MEAN_TOLERANCE = 0.01
"""Distance of a stated mean from the mean of the grades that rounding to two decimals explains."""


class GradedAnswer(NamedTuple):
    """One answer to a question, with the grades that people gave it."""

    item_id: str
    question: str
    reference: str
    candidate: str
    """The answer that was graded."""
    human_mean: float
    """Mean of the grades, in [0, 4]."""
    grades: dict[str, float]
    """Grade by grader, in [0, 4]; empty if the file holds the mean alone."""

    @property
    def copied(self) -> bool:
        """Whether the answer equals the reference, apart from white space.

        Every metric of word overlap gives such an answer its highest score.
        """
        return self.candidate.split() == self.reference.split()


def load_grades(path: Path, questions: int | None = None) -> list[GradedAnswer]:
    """Read graded answers; columns other than `COLUMNS` are ignored.

    Args:
        path: The table.
        questions: Return the answers to the first so many questions; None returns all.

    Raises:
        DatasetError: The file cannot be read, a row is wrong, or an `item_id` occurs twice.
    """
    answers: list[GradedAnswer] = []
    row_of_item: dict[str, int] = {}
    values = TableValues(path)
    for number, row in read_rows(path, COLUMNS):
        answer = _parse_row(path, number, row, values)
        first = row_of_item.setdefault(answer.item_id, number)
        if first != number:
            raise DatasetError(
                f"{path}: row {number}: item_id {answer.item_id[:80]!r} is already in row {first}"
            )
        answers.append(answer)
    values.log_changes()
    selected = {*list(dict.fromkeys(answer.question for answer in answers))[:questions]}
    return [answer for answer in answers if answer.question in selected]


def question_indices(answers: Sequence[GradedAnswer]) -> NDArray[int64]:
    """Return the index of each answer's question, shape (n,), in order of first occurrence."""
    indices: dict[str, int] = {}
    return np.array([indices.setdefault(answer.question, len(indices)) for answer in answers])


def human_means(answers: Sequence[GradedAnswer]) -> NDArray[float64]:
    """Return the mean grade of each answer, shape (n,), in [0, 4]."""
    return np.array([answer.human_mean for answer in answers])


def count_unlike_means(answers: Sequence[GradedAnswer]) -> int:
    """Count the answers whose `human_mean` is not the mean of their grades."""
    return sum(
        abs(sum(answer.grades.values()) / len(answer.grades) - answer.human_mean) > _MEAN_TOLERANCE
        for answer in answers
        if answer.grades
    )


def _parse_row(path: Path, number: int, row: Row, values: TableValues) -> GradedAnswer:
    where = f"{path}: row {number}"
    for name, value in (
        ("item_id", values.id(number, row, "item_id")),
        ("question", row["question"]),
    ):
        if not value.strip():
            raise DatasetError(f"{where}: {name} is empty")
    try:
        mean = float(row["human_mean"])
    except ValueError:
        mean = float("nan")
    # NaN fails this comparison too.
    if not 0 <= mean <= HIGHEST:
        raise DatasetError(
            f"{where}: human_mean {row['human_mean'][:40]!r} is not a number from 0 to {HIGHEST}"
        )
    return GradedAnswer(
        values.id(number, row, "item_id"),
        values.text(row["question"]),
        values.text(row["reference"]),
        values.text(row["candidate"]),
        mean,
        _parse_grades(where, row["grades"]),
    )


def _parse_grades(where: str, text: str) -> dict[str, float]:
    value = _parse_literal(text) if text.strip() else {}
    if not isinstance(value, dict):
        raise DatasetError(
            f"{where}: grades is not a JSON object of grader and grade, as in "
            '{"ann": 3, "ben": 4}'
        )
    # Parquet gives every row all graders of the file, with null for those who did not grade it.
    grades = {str(grader): grade for grader, grade in value.items() if grade is not None}
    for grader, grade in grades.items():
        is_number = isinstance(grade, int | float) and not isinstance(grade, bool)
        if not is_number or not isfinite(grade) or not 0 <= grade <= HIGHEST:
            raise DatasetError(
                f"{where}: grade {str(grade)[:40]!r} of grader {grader[:40]!r} is not a number "
                f"from 0 to {HIGHEST}"
            )
    return {grader: float(grade) for grader, grade in grades.items()}


def _parse_literal(text: str) -> object:
    """Parse JSON or a Python literal; return None for anything else.

    `read_rows` gives a nested object of JSON lines or parquet as Python's `str()` of it.
    """
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError, OverflowError):
            continue
    return None

"""People's grades of answers: read strictly, a row is whole or the file is refused."""

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

COLUMNS = ("item_id", "question", "reference", "candidate", "human_mean", "grades")
HIGHEST = 4
_ROUNDED = 0.01
"""A stated mean and the mean of the stated grades differ by no more where one of them is rounded."""


class Graded(NamedTuple):
    """One answer and what people thought of it."""

    item_id: str
    question: str
    reference: str
    candidate: str
    human_mean: float
    """0 to 4."""
    grades: dict[str, float]
    """By grader; empty where single grades are not known."""

    @property
    def copied(self) -> bool:
        """Whether the answer is the reference: every metric of overlap is then at its highest."""
        return self.candidate.split() == self.reference.split()


def load_grades(path: Path) -> list[Graded]:
    """Read graded answers; columns beyond `COLUMNS` are not looked at.

    Raises:
        DatasetError: the file or a row is not what it should be, or an item stands there twice.
    """
    found, seen = [], dict[str, int]()
    for number, row in read_rows(path, COLUMNS):
        item = _graded(path, number, row)
        first = seen.setdefault(item.item_id, number)
        if first != number:
            raise DatasetError(
                f"{path}: row {number}: item {item.item_id[:80]!r} stands in row {first} already"
            )
        found.append(item)
    return found


def _graded(path: Path, number: int, row: Row) -> Graded:
    where = f"{path}: row {number}"
    for name in ("item_id", "question"):
        if not row[name].strip():
            raise DatasetError(f"{where}: {name} is empty")
    try:
        mean = float(row["human_mean"])
    except ValueError:
        mean = float("nan")
    if not 0 <= mean <= HIGHEST:
        raise DatasetError(
            f"{where}: human_mean {row['human_mean'][:40]!r} is no number from 0 to {HIGHEST}"
        )
    return Graded(
        row["item_id"],
        row["question"],
        row["reference"],
        row["candidate"],
        mean,
        _grades(where, row["grades"]),
    )


def _grades(where: str, text: str) -> dict[str, float]:
    value = _object(text) if text.strip() else {}
    if not isinstance(value, dict):
        raise DatasetError(
            f"{where}: grades is not a JSON object of grader and grade, as in "
            '{"ann": 3, "ben": 4}'
        )
    # A table with a column for each grader has nulls for those who did not grade.
    given = {str(grader): grade for grader, grade in value.items() if grade is not None}
    for grader, grade in given.items():
        number = isinstance(grade, int | float) and not isinstance(grade, bool)
        if not number or not isfinite(grade) or not 0 <= grade <= HIGHEST:
            raise DatasetError(
                f"{where}: grade {str(grade)[:40]!r} of grader {grader[:40]!r} is no number from 0 "
                f"to {HIGHEST}"
            )
    return {grader: float(grade) for grader, grade in given.items()}


def _object(text: str) -> object:
    """Return the JSON value; an object inside JSON lines or parquet comes as Python writes it."""
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError, OverflowError):
            continue
    return None


def questions_of(rows: Sequence[Graded]) -> NDArray[int64]:
    """Return the number of each row's question, counted from 0 as they come."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(row.question, len(numbers)) for row in rows])


def human_means(rows: Sequence[Graded]) -> NDArray[float64]:
    """Return what people thought of each row on average, 0 to 4."""
    return np.array([row.human_mean for row in rows])


def unlike_means(rows: Sequence[Graded]) -> int:
    """Return how many rows state another mean than that of their own grades."""
    return sum(
        abs(sum(row.grades.values()) / len(row.grades) - row.human_mean) > _ROUNDED
        for row in rows
        if row.grades
    )

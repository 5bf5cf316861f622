"""The checks of a single row: columns, encodings, empty and oversized fields, ids."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dataset.check.findings import Example, Findings, Kind
from dataset.load import HTML_COLUMNS, MARKDOWN_COLUMNS
from graph.support.errors import DatasetError
from graph.support.table_files import CORPUS_COLUMNS
from graph.support.table_values import MAX_EXACT_FLOAT, id_or_text

MAX_CHARACTERS = 65_536
"""The longest body that GitHub accepts; Stack Overflow accepts 30,000 characters."""
MAX_TITLE = 256
"""The longest title that GitHub accepts; Stack Overflow accepts 150 characters."""

_CONTROL = re.compile("[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_SURROGATE = re.compile("[\ud800-\udfff]")
# UTF-8 that was read as Latin-1 or Windows-1252: the first byte of a character became one of the
# letters in _MOJIBAKE, the next bytes became these signs, which rarely follow such a letter.
_NEXT = "[\x80-\xbf\u20ac\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u017d\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u017e\u0178]"
_MOJIBAKE = re.compile(
    f"[\u00c2\u00c3]{_NEXT}|\u00e2\u20ac{_NEXT}|\u00f0\u0178{_NEXT}|\u00ef\u00bb\u00bf"
)
_TAG = re.compile(r"<[^<>]*>")


@dataclass(frozen=True)
class Shape:
    """The kind of a table by its columns."""

    name: str
    """"corpus" or "dataset"."""
    columns: tuple[str, ...]
    """The required columns."""
    nonempty_columns: frozenset[str]
    """Columns in which an empty field is a problem."""

    @property
    def is_html(self) -> bool:
        """Whether the columns of bodies are those of HTML."""
        return "question_body" in self.columns

    @property
    def bodies(self) -> tuple[str, str]:
        """The columns of the question's and of the answer's body."""
        return ("question_body", "answer_body") if self.is_html else ("question", "answer")


def shape_of(path: Path, columns: Collection[str]) -> Shape:
    """Return the shape of a corpus or an evaluation dataset with these columns.

    Raises:
        DatasetError: the columns are those of neither.
    """
    if all(name in columns for name in CORPUS_COLUMNS):
        optional_texts = {"question_tags", "answer_score"}
        return Shape("corpus", CORPUS_COLUMNS, frozenset(CORPUS_COLUMNS) - optional_texts)
    if all(name in columns for name in MARKDOWN_COLUMNS):
        return Shape("dataset", MARKDOWN_COLUMNS, frozenset(MARKDOWN_COLUMNS))
    if all(name in columns for name in HTML_COLUMNS):
        return Shape("dataset", HTML_COLUMNS, frozenset(HTML_COLUMNS) - {"question_body"})
    raise DatasetError(
        f"{path}: needs the columns {', '.join(CORPUS_COLUMNS)} (a corpus), or "
        f"{', '.join(MARKDOWN_COLUMNS)}, or {', '.join(HTML_COLUMNS)} (an evaluation dataset); "
        f"it has {', '.join(list(columns)[:20])}"
    )


def id_of(shape: Shape, number: int, row: Mapping[str, str]) -> str:
    """Return the name of a row in a report: its ids, else its number."""
    if shape.name == "corpus":
        return f"{id_or_text(row['question_id'])}/{id_or_text(row['answer_id'])}"
    return id_or_text(row.get("eval_id", "")) or str(number)


def check_row(shape: Shape, number: int, row: Mapping[str, str], findings: Findings) -> None:
    """Add the findings of a row."""
    example = Example(number, id_of(shape, number, row))
    for column, value in row.items():
        for kind in _faults(column, value):
            # Many pasted logs contain the codes of a terminal's colours.
            findings.add(kind, column, example, problem=kind != "control character")
        if column in shape.columns and _is_empty(value):
            findings.add("empty", column, example, problem=column in shape.nonempty_columns)
        if column in CORPUS_COLUMNS and column.endswith("_id"):
            _check_id(column, value.strip(), example, findings)


def _faults(column: str, value: str) -> Iterator[Kind]:
    if len(value) > (MAX_TITLE if column == "question_title" else MAX_CHARACTERS):
        yield "oversized"
    if "\x00" in value:
        yield "NUL character"
    if _CONTROL.search(value):
        yield "control character"
    if value.isascii():
        return
    if _SURROGATE.search(value):
        yield "lone surrogate"
    if "\ufffd" in value:
        yield "replacement character"
    if _MOJIBAKE.search(value):
        yield "mojibake"


def _is_empty(value: str) -> bool:
    if not value.strip():
        return True
    # A picture is content. A long text is taken for content without the costly removal of tags.
    return len(value) < 200 and "<img" not in value and not _TAG.sub("", value).strip()


def _check_id(column: str, value: str, example: Example, findings: Findings) -> None:
    if value.isascii() and value.isdigit() and len(value) < 100 and int(value) > MAX_EXACT_FLOAT:
        findings.add("id beyond 2^53", column, example, problem=False)

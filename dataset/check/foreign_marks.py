"""The checks for what other programs do to a table: markup, line ends, ids, backslashes.

The project reads most of it rightly, or refuses it; other readers of the file may not.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from dataset.check.fields import Shape
from dataset.check.findings import Example, Findings, Kind
from graph.support.body_markup import has_reference, markup_of_body
from graph.support.csv_dialects import BACKSLASHES, MIN_ESCAPED_ROWS
from graph.support.table_files import Row
from graph.support.table_values import id_or_text, is_float, is_missing, read_ids

_IDS = ("question_id", "answer_id", "eval_id", "relevant_question_ids")
_BODIES = ("question_body", "answer_body", "question", "answer")
_BAR = re.compile(r"\s*\|\s*")


class ForeignMarks:
    """The findings of a file that need all of its rows."""

    def __init__(self, shape: Shape, findings: Findings) -> None:
        self._is_html = shape.is_html
        self._findings = findings
        self._only_pairs: list[Example] = []
        self._has_single_backslash = False
        self._relevant: list[tuple[Example, tuple[str, ...]]] = []

    def add(self, row: Row, example: Example) -> None:
        """Check a row."""
        for column, text in row.items():
            for kind in self._faults(column, text):
                # In HTML a line end is white space.
                is_hint = kind == "CR line end" and self._is_html
                self._findings.add(kind, column, example, problem=not is_hint)
        self._add_backslashes(row, example)
        if names := row.get("relevant_question_ids", "").strip():
            self._relevant.append((example, _ids_or_none(names)))

    def _faults(self, column: str, text: str) -> Iterator[Kind]:
        if "\r" in text:
            yield "CR line end"
        if column in _IDS and (kind := _id_fault(column, text.strip())):
            yield kind
        if column in _BODIES and (kind := self._markup_fault(text)):
            yield kind
        if column == "question_title" and has_reference(text):
            yield "character reference"

    def finish(self) -> None:
        """Add the finding of a file all of whose backslashes come in pairs."""
        if not self._has_single_backslash:
            for example in self._only_pairs:
                is_certain = len(self._only_pairs) >= MIN_ESCAPED_ROWS
                self._findings.add("doubled backslash", "any", example, problem=is_certain)

    def collect_ids(
        self, rows: Iterable[tuple[int, Row]], ids: set[str]
    ) -> Iterator[tuple[int, Row]]:
        """Yield the rows of a corpus, and add their question ids to a set."""
        for number, row in rows:
            ids.add(id_or_text(row["question_id"]))
            yield number, row

    def finish_ids(self, ids: set[str]) -> None:
        """Add the rows whose relevant ids the corpus does not hold."""
        for example, names in self._relevant:
            if not ids.issuperset(names):
                self._findings.add("id not in the corpus", "relevant_question_ids", example)

    def _markup_fault(self, body: str) -> Kind | None:
        markup = markup_of_body(body) if body else None
        if self._is_html:
            return "Markdown body" if markup == "markdown" else None
        if markup == "html" and "<" in body:
            return "HTML body"
        return "character reference" if has_reference(body) else None

    def _add_backslashes(self, row: Mapping[str, str], example: Example) -> None:
        runs = [
            len(run) for text in row.values() if "\\" in text for run in BACKSLASHES.findall(text)
        ]
        if any(length % 2 for length in runs):
            self._has_single_backslash = True
            self._only_pairs.clear()
        elif runs and not self._has_single_backslash:
            self._only_pairs.append(example)


def _id_fault(column: str, value: str) -> Kind | None:
    if value.isascii() and value.isdigit():
        return None
    is_single = column != "relevant_question_ids"
    items = [value] if is_single else _BAR.split(value)
    if any(map(is_float, items)):
        return "decimal id"
    try:
        ids = read_ids(value, single=is_single)
    except ValueError:
        return "unreadable id"
    return None if list(ids) == [item for item in items if not is_missing(item)] else "list of ids"


def _ids_or_none(cell: str) -> tuple[str, ...]:
    try:
        return read_ids(cell)
    except ValueError:
        return ()

r"""The dialect of a CSV file: its delimiter, its quotes and its escape character.

The header tells the delimiter and the quotes. All backslashes of the file tell whether the backslash
is its escape character (`BackslashUse`). A file whose dialect is not certain is refused, or read as
it stands with a warning.
"""

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeAlias

from graph.support.errors import DatasetError
from graph.support.logger import log_once
from graph.support.text import plural

if TYPE_CHECKING:
    from _csv import Reader

OpenText: TypeAlias = Callable[[Path], IO[str]]

MIN_ESCAPED_ROWS = 20
"""Rows with backslashes, all in pairs, from which on the backslash is the escape character.

If every second row had pairs alone by chance, 20 such rows would have a probability of 1e-6.
"""
BACKSLASHES = re.compile(r"\\+")
"""A run of backslashes."""
_DELIMITERS = ",;\t|"
_EXCEL_DELIMITER = re.compile(r"\"?sep=.?\"?\s*", re.IGNORECASE)
_ESCAPED_LINE_END = re.compile(r"(?<!\\)(?:\\\\)*\\\r?\n")
_SINGLE_QUOTED = re.compile(r"'[^'\r\n]*'(?:[,;\t|]'[^'\r\n]*')*\s*")


class BackslashUse(IntEnum):
    """What a run of backslashes tells about its file; a greater member overrules a smaller one."""

    NONE = 0
    """The file has no backslash."""
    IN_PAIRS = 1
    """An even number: a program doubled each backslash of the text, or the text has them so."""
    BEFORE_QUOTE = 2
    """An odd number before a quote that may escape it, or may end the field after it."""
    ESCAPING_QUOTE = 3
    """An odd number before a quote that can neither end a field nor be half of a doubled one."""
    BEFORE_LINE_END = 4
    """An odd number at the end of a line: MySQL escapes line ends so; shells continue lines so."""
    ALONE = 5
    """An odd number before anything else, such as the n of `\\n`: no escape character."""


@dataclass(frozen=True)
class Dialect:
    """The arguments of `csv.reader`, which is strict."""

    delimiter: str = ","
    quotechar: str = '"'
    escapechar: str | None = None
    doublequote: bool = True

    def rows(self, file: IO[str]) -> "Reader":
        """Return the rows of an open file.

        Raises:
            csv.Error: while the rows are read: a row is damaged.
        """
        return csv.reader(
            file,
            delimiter=self.delimiter,
            quotechar=self.quotechar,
            escapechar=self.escapechar,
            doublequote=self.doublequote,
            strict=True,
        )


def dialect_of(path: Path, open_text: OpenText) -> Dialect:
    """Return the dialect of a file; a use of backslashes that is not certain is logged.

    Raises:
        DatasetError: the dialect cannot be told.
    """
    with open_text(path) as file:
        header = next(file, "")
    _check_header(path, header)
    quotechar = "'" if _SINGLE_QUOTED.fullmatch(header) else '"'
    plain = Dialect(_delimiter(path, header, quotechar), quotechar)
    use = _backslashes(path, open_text, plain)
    match use:
        case BackslashUse.BEFORE_QUOTE | BackslashUse.ESCAPING_QUOTE:
            is_certain = use == BackslashUse.ESCAPING_QUOTE
            return _by_fit(path, open_text, plain, certain=is_certain)
        case BackslashUse.IN_PAIRS:
            return _by_pairs(path, open_text, plain)
        case BackslashUse.BEFORE_LINE_END:
            _check_line_ends(path, open_text, plain)
    return plain


def _check_header(path: Path, header: str) -> None:
    if _EXCEL_DELIMITER.fullmatch(header):
        raise DatasetError(
            f"{path}: its first line, {header.strip()!r}, is Excel's mark of a delimiter: remove it"
        )
    if header and not header.strip():
        raise DatasetError(
            f"{path}: its first line is blank, and should name the columns: remove it"
        )


def _delimiter(path: Path, header: str, quotechar: str) -> str:
    several = [
        mark
        for mark in _DELIMITERS
        if len(next(csv.reader([header], delimiter=mark, quotechar=quotechar), [])) > 1
    ]
    if len(several) > 1 and several[0] != ",":
        raise DatasetError(f"{path}: its columns have two delimiters; separate them by commas")
    return several[0] if several else ","


def _backslashes(path: Path, open_text: OpenText, plain: Dialect) -> BackslashUse:
    """Return the greatest use that a run of backslashes of a file has."""
    use = BackslashUse.NONE
    with open_text(path) as file:
        for line in file:
            for run in BACKSLASHES.finditer(line) if "\\" in line else ():
                use = max(use, _use(line, run, plain))
                if use == BackslashUse.ALONE:
                    return use
    return use


def _use(line: str, run: re.Match[str], plain: Dialect) -> BackslashUse:
    if len(run[0]) % 2 == 0:
        return BackslashUse.IN_PAIRS
    after = line[run.end() : run.end() + 2]
    if after in {"\n", "\r\n"}:
        return BackslashUse.BEFORE_LINE_END
    if after[:1] != plain.quotechar:
        return BackslashUse.ALONE
    # Otherwise a quote inside quotes is doubled, and one that ends a field is followed by one of these.
    is_usual = after[1:] in {plain.quotechar, plain.delimiter, "\r", "\n", ""}
    return BackslashUse.BEFORE_QUOTE if is_usual else BackslashUse.ESCAPING_QUOTE


def _check_line_ends(path: Path, open_text: OpenText, plain: Dialect) -> None:
    """Check that some line inside quotes ends without a backslash, so that none escapes a line end.

    Raises:
        DatasetError: all lines inside quotes end with a backslash.
    """
    escaped = 0
    with open_text(path) as file:
        try:
            for cell in (cell for row in plain.rows(file) for cell in row if "\n" in cell):
                escaped_in_cell = len(_ESCAPED_LINE_END.findall(cell))
                if escaped_in_cell < cell.count("\n"):
                    return
                escaped += escaped_in_cell
        except csv.Error:  # The reading of the rows reports it with its line.
            return
    if escaped:
        raise DatasetError(
            f"{path}: each line inside quotes ends with a backslash, as MySQL escapes line ends; "
            "export it as standard CSV or .jsonl"
        )


def _by_fit(path: Path, open_text: OpenText, plain: Dialect, *, certain: bool) -> Dialect:
    """Return the one dialect in which every row has as many fields as the header.

    Args:
        path: The file.
        open_text: Opens it.
        plain: Its dialect if no backslash escapes a quote.
        certain: Whether one does for sure.
    """
    escaped = replace(plain, escapechar="\\", doublequote=False)
    dialects = (escaped,) if certain else (plain, escaped)
    fitting = [dialect for dialect in dialects if _fits(path, open_text, dialect)]
    if len(fitting) > 1 or (certain and not fitting):
        raise DatasetError(
            f"{path}: a backslash before a quote may escape it or belong to the text; "
            "convert the file to .jsonl"
        )
    if fitting == [escaped]:
        log_once(f"{path}: the backslash is its escape character, and is read so")
    return fitting[0] if fitting else plain


def _by_pairs(path: Path, open_text: OpenText, plain: Dialect) -> Dialect:
    """Return the dialect of a file whose backslashes all come in pairs: by their number."""
    with open_text(path) as file:
        try:
            rows = sum(any("\\" in cell for cell in row) for row in plain.rows(file))
        except csv.Error:  # The reading of the rows reports it with its line.
            return plain
    if rows >= MIN_ESCAPED_ROWS:
        log_once(f"{path}: the backslash is its escape character, and is read so")
        return replace(plain, escapechar="\\")
    log_once(
        f"{path}: all backslashes come in pairs, in {rows} {plural(rows, 'row')}, and are kept; if "
        "the program that wrote the file doubled them, convert it to .jsonl"
    )
    return plain


def _fits(path: Path, open_text: OpenText, dialect: Dialect) -> bool:
    with open_text(path) as file:
        rows = dialect.rows(file)
        try:
            width = len(next(rows, []))
            return all(len(row) == width for row in rows if row)
        except csv.Error:
            return False

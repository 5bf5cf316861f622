r"""The dialect of a CSV file: its delimiter, its quotes and its escape character.

Only what is certain is concluded: the delimiter and the quotes from the header, a backslash as escape
character from all backslashes of the file. A program that escapes by backslashes doubles each of them
in the text, so that all come in pairs; in other files most of the cells with backslashes have one
that stands alone (code such as `\n`).
"""

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeAlias

from graph.support.errors import DatasetError
from graph.support.logger import log_once

if TYPE_CHECKING:
    from _csv import Reader

OpenText: TypeAlias = Callable[[Path], IO[str]]

MIN_ESCAPED_ROWS = 20
"""Rows with backslashes, all in pairs, from which on the backslash is the escape character.

Of Stack Overflow's posts with backslashes 4 % have pairs alone; of short snippets it is one half.
"""
_USES = ("none", "in pairs", "before quotes", "escaping quotes", "alone")
_DELIMITERS = ",;\t|"
_RUN = re.compile(r"\\+")
_SINGLE_QUOTED = re.compile(r"'[^'\r\n]*'(?:[,;\t|]'[^'\r\n]*')*\s*")


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
    quotechar = "'" if _SINGLE_QUOTED.fullmatch(header) else '"'
    plain = Dialect(_delimiter(path, header, quotechar), quotechar)
    use = _backslashes(path, open_text, plain)
    if use in {"before quotes", "escaping quotes"}:
        return _by_fit(path, open_text, plain, certain=use == "escaping quotes")
    return _by_pairs(path, open_text, plain) if use == "in pairs" else plain


def _delimiter(path: Path, header: str, quotechar: str) -> str:
    several = [
        mark
        for mark in _DELIMITERS
        if len(next(csv.reader([header], delimiter=mark, quotechar=quotechar), [])) > 1
    ]
    if len(several) > 1 and several[0] != ",":
        raise DatasetError(f"{path}: its columns have two delimiters; separate them by commas")
    return several[0] if several else ","


def _backslashes(path: Path, open_text: OpenText, plain: Dialect) -> str:
    """Return the use of backslashes: the last in `_USES` that a run of them has.

    A backslash alone ends the search: it is no escape character there.
    """
    use = 0
    with open_text(path) as file:
        for line in file:
            for run in _RUN.finditer(line) if "\\" in line else ():
                use = max(use, _USES.index(_use(line, run, plain)))
                if _USES[use] == "alone":
                    return "alone"
    return _USES[use]


def _use(line: str, run: re.Match[str], plain: Dialect) -> str:
    if len(run[0]) % 2 == 0:
        return "in pairs"
    after = line[run.end() : run.end() + 2]
    if after[:1] != plain.quotechar:
        return "alone"
    # Elsewhere a quote inside quotes is doubled, and one that ends a text is followed by one of these.
    is_usual = after[1:] in {plain.quotechar, plain.delimiter, "\r", "\n", ""}
    return "before quotes" if is_usual else "escaping quotes"


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
        f"{path}: all backslashes come in pairs, in {rows} rows, and are kept; if the program that "
        "wrote the file doubled them, convert it to .jsonl"
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

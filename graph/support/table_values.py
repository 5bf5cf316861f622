"""Texts and ids in the cells of a table that another program wrote, and counts of the changes.

Windows and web forms end a line with CR and LF. A column of whole numbers with gaps becomes one of
floats in pandas. Ids come in lists of several notations. Every reader of a table reads its texts and
ids here, so that an id of one file equals the id of another.
"""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

from graph.support.errors import DatasetError
from graph.support.logger import log_once
from graph.support.text import unix_lines

MAX_EXACT_FLOAT = 2**53
"""A float beyond it may be that of a neighbouring whole number."""
_MISSING = frozenset(["", "nan", "none", "null", "<na>", "na", "n/a", "#n/a"])
"""Words that programs write where there is no value, casefolded."""
_WHOLE = re.compile(r"[0-9]+")
# A whole number with an exponent needs its sign: 12e5 may be text, and programs write 1e+05.
_FLOAT = re.compile(
    r"-?(?:0|[1-9][0-9]*)(?:\.([0-9]*)(?:[eE]([+-]?[0-9]{1,3}))?|[eE]([+-][0-9]{1,3}))"
)
_SPACE = "[ \t\r\n]"
"""White space that may separate ids; a no-break or thin space separates groups of one number."""
_SPACES = re.compile(rf"{_SPACE}+")
_SEPARATOR = re.compile(rf"{_SPACE}*[,;]{_SPACE}*|{_SPACE}+")
_ITEM = r"""(?:[0-9][0-9.]*|"[^"]*"|'[^']*')"""
_SEVERAL = re.compile(rf"{_ITEM}(?:(?:{_SPACE}*[,;|]{_SPACE}*|{_SPACE}+){_ITEM})+")
_GROUPS = re.compile(
    r"[1-9][0-9]{0,2}(?:(?:[,'\u2019\s][0-9]{3})+|(?:\.[0-9]{3}){2,})"
    r"|[0-9]+(?:[^\S \t\r\n][0-9]+)+"
)
"""A number in groups of thousands; 7.000 is a float, and 7.000.001 is none."""
_GROUPS_REFUSED = (
    "may be one number in groups of thousands or several ids: write a number without groups, and "
    "separate ids by ; or |, or write them as JSON"
)
_DECIMAL_COMMA = re.compile(r"[0-9][0-9.]*,0+")
_LIST = re.compile(r"\[.*\]|\{.*\}|\(.*\)", re.DOTALL)
_UNQUOTED = re.compile(r"""[^'"\[\]{}():]*""")
_QUOTED = re.compile(r"""(["'])((?:(?!\1).)*)\1""", re.DOTALL)
_SPREADSHEET_TEXT = re.compile(r"""="([^"]*)"|'([0-9][^']*)""")
"""A cell that a spreadsheet keeps as text: ="11" or '11."""
_EDGES = "".join(filter(str.isspace, map(chr, range(0x3001)))) + "\u200b\u200c\u200d\u2060\ufeff"
"""White space and invisible characters."""
_FULL_WIDTH = str.maketrans(
    "".join(map(chr, range(0xFF10, 0xFF1A))) + "\uff0c\u3001\uff1b\uff5c", "0123456789,,;|"
)
"""Full-width digits and separators, and the usual ones."""
_TORN = re.compile(r"""["'][^"']*|[^"']*["']""")
"""A part of a quoted text."""


class TableValues:
    """The reader of the texts and ids of one file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._counts: dict[str, int] = {}
        self._examples: dict[str, str] = {}

    def text(self, cell: str) -> str:
        """Return a text whose lines end with LF."""
        if "\r" not in cell:
            return cell
        self._count("texts with CRLF or CR line ends, read as LF")
        return unix_lines(cell)

    def id(self, number: int, row: Mapping[str, str], column: str) -> str:
        """Return the id in a column of a row; the empty text if it has none.

        Raises:
            DatasetError: the cell cannot be read as one id for sure.
        """
        cell = row.get(column, "").strip()
        return cell if _WHOLE.fullmatch(cell) else "".join(self._read(number, column, cell, True))

    def id_or_text(self, number: int, row: Mapping[str, str], column: str) -> str:
        """Return the id in a column of a row; a cell that is none for sure stays as it is."""
        try:
            return self.id(number, row, column)
        except DatasetError:
            return row[column].strip()

    def ids(self, number: int, row: Mapping[str, str], column: str) -> tuple[str, ...]:
        """Return all ids in a column of a row: `11|12`, `11,12`, `[11, 12]`, `["11"]` or `11.0`.

        Raises:
            DatasetError: the cell cannot be read for sure.
        """
        return self._read(number, column, row.get(column, "").strip(), False)

    def log_changes(self) -> None:
        """Log all changes in one line; the same line is logged once in a process."""
        parts = (
            f"{change}: {count}{self._examples.get(change, '')}"
            for change, count in self._counts.items()
        )
        if line := "; ".join(parts):
            log_once(f"{self._path}: {line}")

    def _read(self, number: int, column: str, cell: str, single: bool) -> tuple[str, ...]:
        plain = _plain(cell)
        try:
            items = _split(plain, single=single)
            ids = tuple(read_id(item) for item in items)
        except ValueError as error:
            shown = cell if len(cell) <= 40 else f"{cell[:40]}..."
            raise DatasetError(f"{self._path}: row {number}: {column} {shown!r} {error}") from None
        for item, name in zip(items, ids, strict=True):
            if item and not name:
                self._count("words for a missing value, read as none", f" ({item})")
            elif _FLOAT.fullmatch(item):
                self._count("floats, read as whole numbers", f" ({item} as {name})")
        if plain != cell or any(_plain(item) != item for item in items):
            self._count("ids read without marks of a spreadsheet and the like", f" ({cell[:20]})")
        if _LIST.fullmatch(plain) or (len(items) > 1 and "|" not in plain):
            self._count("lists of ids in another form than 11|12", f" ({cell[:20]})")
        return tuple(name for name in ids if name)

    def _count(self, change: str, example: str = "") -> None:
        self._counts[change] = self._counts.get(change, 0) + 1
        self._examples.setdefault(change, example)


def read_id(text: str) -> str:
    """Return one id: a float of a whole number is that number, other text stays as it is.

    A word for a missing value gives the empty text.

    Raises:
        ValueError: the text may be several ids, or a number that has lost digits; the message
            continues "question_id '1.5' ...".
    """
    text = _plain(text)
    if _WHOLE.fullmatch(text):
        return text
    if quoted := _QUOTED.fullmatch(text):
        text = quoted[2].strip()
    if is_missing(text):
        return ""
    if _LIST.fullmatch(text) or _SEVERAL.fullmatch(text):
        raise ValueError("is not one id: write one, as in 11")
    if _GROUPS.fullmatch(text):
        raise ValueError(_GROUPS_REFUSED)
    number = _FLOAT.fullmatch(text)
    return str(_whole_number(text, number)) if number else text


def _plain(text: str) -> str:
    """Return a text without what surrounds an id: white space, invisible characters, marks of Excel.

    Full-width digits and separators become the usual ones.
    """
    text = text.strip(_EDGES)
    if not text.isascii():
        text = text.translate(_FULL_WIDTH)
    mark = _SPREADSHEET_TEXT.fullmatch(text)
    return (mark[1] or mark[2] or "").strip(_EDGES) if mark else text


def is_missing(text: str) -> bool:
    """Tell whether a cell is empty or has a word for a missing value."""
    return text.strip().casefold() in _MISSING


def is_float(text: str) -> bool:
    """Tell whether a text is a float as programs write it: 11.0 or 1e+05, but not 12e5."""
    return bool(_FLOAT.fullmatch(text))


def read_ids(cell: str, *, single: bool = False) -> tuple[str, ...]:
    """Return the ids of a cell, in the notations of `TableValues.ids`; at most one if `single`.

    Raises:
        ValueError: the cell cannot be read for sure.
    """
    return tuple(name for item in _split(_plain(cell), single=single) if (name := read_id(item)))


def _whole_number(text: str, number: re.Match[str]) -> int:
    decimals, exponent = number[1] or "", int(number[2] or number[3] or 0)
    if exponent > len(decimals):
        raise ValueError("may have lost its last digits: write the id itself")
    value = Decimal(text)
    if abs(value) >= MAX_EXACT_FLOAT:
        raise ValueError("is a float beyond 2^53, whose last digits are lost: write the id itself")
    if value != value.to_integral_value():
        raise ValueError("is a number with a fraction: write the id itself")
    return int(value)


def id_or_text(text: str) -> str:
    """Return the id of a cell as `read_id` does; a cell that is none for sure stays as it is."""
    try:
        return "".join(read_ids(text, single=True))
    except ValueError:
        return text.strip()


def _split(cell: str, *, single: bool) -> list[str]:
    """Return the items of a cell: `11|12`, `11,12`, `[11, 12]`, `["11"]`, `{11,12}` or `11 12`.

    Args:
        cell: The text as `_plain` returns it.
        single: Whether the cell should have one id, which may be text with a separator.

    Raises:
        ValueError: the items cannot be told apart for sure, or a single id has several.
    """
    if not single and (quoted := _QUOTED.fullmatch(cell)):
        cell = quoted[2].strip()
    if _LIST.fullmatch(cell):
        items = _list_items(cell)
    elif single:
        return [cell]
    elif "|" in cell:
        items = cell.split("|")
        if any(_TORN.fullmatch(_plain(item)) for item in items):
            raise ValueError(
                "has a | in quotation marks: separate ids by | without quotation marks"
            )
    else:
        items = _separated(cell)
    items = [stripped for item in items if (stripped := item.strip())]
    if single and len(items) > 1:
        raise ValueError("is not one id: write one, as in 11")
    return items


def _separated(cell: str) -> list[str]:
    """Return the numbers of a cell such as `11,12` or `11 12`; a cell of other text is one item."""
    separator = next((sign for sign in ";," if sign in cell), None)
    items = [item.strip() for item in (cell.split(separator) if separator else _SPACES.split(cell))]
    if not all(map(_is_number_or_quoted, items)):
        if separator:
            raise ValueError("may be one id or several: separate ids by |")
        return [cell]
    if _GROUPS.fullmatch(cell):
        raise ValueError(_GROUPS_REFUSED)
    if _DECIMAL_COMMA.fullmatch(cell):
        raise ValueError("may have a decimal comma: write whole numbers, separated by |")
    return items


def _is_number_or_quoted(item: str) -> bool:
    return any(pattern.fullmatch(item) for pattern in (_WHOLE, _FLOAT, _QUOTED))


def _list_items(cell: str) -> list[str]:
    """Return the items of a list in brackets, as JSON, Python, numpy or PostgreSQL write it."""
    if not cell[1:-1].strip():
        return []
    try:
        # Numbers stay text: a number beyond 2^53 would change as a float.
        values = json.loads(cell, parse_int=str, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError):
        values = _SEPARATOR.split(cell[1:-1].strip())
        if not all(_UNQUOTED.fullmatch(item) or _QUOTED.fullmatch(item) for item in values):
            values = None
    if not isinstance(values, list) or not all(isinstance(item, str | None) for item in values):
        raise ValueError("is not a list of ids: separate ids by |")
    return [item or "" for item in values]

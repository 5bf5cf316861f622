"""Texts in files of other programs: those that a file cannot hold, and cells that a spreadsheet runs.

Both changes can be undone; docs/export.md has the code.
"""

import json
import re
import unicodedata
from typing import Any

_MARK = "json:"
"""The start of a text that is written as a JSON string."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_SURROGATE_OR_NUL = re.compile("[\0\ud800-\udfff]")
_DEFUSED = "'"
"""The first character of a cell that a spreadsheet reads as text."""
_OPERATORS = "=+-@\u2212"
"""The first characters of a formula; the last one is the minus sign."""
_CONTROL_STARTS = ("\t", "\r", "\n")


def portable_text(text: str) -> str:
    """Return a text that UTF-8 can hold: one with a lone surrogate is written as a JSON string.

    Readers of JSON lines join or drop lone surrogates, and parquet refuses them.
    """
    return _as_json(text, _SURROGATE)


def portable(value: Any) -> Any:
    """Return a JSON value with each text in it as `portable_text` writes it."""
    if isinstance(value, str):
        return portable_text(value)
    if isinstance(value, dict):
        return {portable_text(name): portable(item) for name, item in value.items()}
    return [portable(item) for item in value] if isinstance(value, list) else value


def spreadsheet_cell(text: str) -> str:
    """Return a cell of CSV: without NUL, which ends a text in many readers, and never a formula.

    A cell that a spreadsheet could run starts with an apostrophe, and so does a text that has one at
    its start already (OWASP, CSV Injection).
    """
    text = _as_json(text, _SURROGATE_OR_NUL)
    return _DEFUSED + text if text.startswith(_DEFUSED) or _is_formula(text) else text


def _as_json(text: str, unwritable: re.Pattern[str]) -> str:
    if text.startswith(_MARK) or unwritable.search(text):
        return _MARK + json.dumps(text)
    return text


def _is_formula(text: str) -> bool:
    if text.startswith(_CONTROL_STARTS):
        return True
    first = next((char for char in text if not _is_skipped(char)), "")
    # Some spreadsheets take full-width and other forms of the signs too.
    return first != "" and unicodedata.normalize("NFKC", first)[:1] in {*_OPERATORS}


def _is_skipped(char: str) -> bool:
    """Tell whether a character is white space, invisible or a control character."""
    return char.isspace() or unicodedata.category(char) in {"Cc", "Cf"}

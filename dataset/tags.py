"""The tags of a question, in the notations of dumps, exports and tables."""

import re

_IN_BRACKETS = re.compile(r"<([^<>]+)>")
_LIST_MARKS = "[]\"' \t\r\n"
"""Marks around the items of a written list, as in `["a", 'b']`."""


def parse_tags(text: str) -> list[str]:
    """Return the names in `<a><b>`, `|a|b|`, `a|b`, `a, b` or `["a", "b"]`, in lower case."""
    text = text.strip().lower()
    if text.startswith("<"):
        names = _IN_BRACKETS.findall(text)
    else:
        names = text.split("|" if "|" in text else ",")
    return [stripped for name in names if (stripped := name.strip(_LIST_MARKS))]

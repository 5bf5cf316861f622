"""The markup of bodies: HTML or Markdown, told by many of them.

A body of Stack Exchange's HTML begins with a tag and closes it. Markdown has marks of its own, or a
`<` that HTML would have written as `&lt;`. A body of plain words is no evidence: both read it alike.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Literal, TypeVar

from graph.support.logger import log_once

Markup = Literal["html", "markdown"]
_Row = TypeVar("_Row", bound=Mapping[str, str])
SAMPLE = 2000
"""The bodies that are looked at."""
CERTAIN_SHARE = 0.9
"""The share of the bodies with evidence that decides."""

_NAMES = (
    "a|abbr|b|blockquote|br|center|code|dd|del|details|div|dl|dt|em|h[1-6]|hr|i|img|ins|kbd|li|ol|p|"
    "pre|q|s|samp|small|span|strike|strong|sub|summary|sup|table|tbody|td|th|thead|tr|tt|u|ul|var"
)
_BLOCKS = "p|pre|ul|ol|li|blockquote|h[1-6]|div|table"
_BLOCK_START = re.compile(rf"<(?:{_BLOCKS})(?:\s[^<>]*)?>", re.I)
_TAG = re.compile(rf"<(?:{_NAMES})(?:\s[^<>]*)?/?>|<!--", re.I)


def _certain_tag(names: str, void: str) -> re.Pattern[str]:
    """Return the pattern of tags that are no code such as `List<a>`: closing, void, with attributes."""
    return re.compile(
        rf"</(?:{names})\s*>|<(?:{void})(?:\s[^<>]*)?/?>|<(?:{names})\s+[\w:-]+=", re.I
    )


_CERTAIN_BLOCK = _certain_tag(_BLOCKS, "hr")
_CERTAIN_TAG = _certain_tag(_NAMES, "br|hr|img")
_CODE = re.compile(
    r"^ {0,3}(`{3,}|~{3,}).*?(?:^ {0,3}\1|\Z)|^(?: {4}|\t)[^\n]*$|`[^`\n]+`", re.S | re.M
)
_REFERENCE = re.compile(r"&(?:[a-zA-Z][a-zA-Z0-9]*|#[0-9]+|#[xX][0-9a-fA-F]+);")
_MARKDOWN = re.compile(
    r"^ {0,3}(?:```|~~~|#{1,6} \S|> |[-*+] \S|\d{1,3}\. \S)|^[^\S\n]*\n(?: {4}|\t)\S|"
    r"\*\*\S[^*\n]*\*\*|`[^`\n]+`|\]\([^\s()]{1,2000}\)|^ {0,3}\[[^\]\n]+\]: \S",
    re.M,
)


class BodyMarkup:
    """The markup in which all bodies of a file are read, and the count of those that look otherwise."""

    def __init__(self, path: Path, sample: Iterable[str]) -> None:
        """Decide on the markup by a sample of the bodies, and log what is not plain HTML."""
        self._path = path
        self._others = 0
        votes = markup_of(sample)
        self.markup = read_as(votes)
        if votes == "markdown":
            log_once(f"{path}: its bodies are Markdown, and are read so")
        elif votes == "unclear":
            log_once(
                f"{path}: some bodies look like Markdown, and all are read as HTML, which costs "
                "Markdown its indentation: see python -m dataset check"
            )

    def count(self, body: str) -> None:
        """Count a body if it looks like the other markup."""
        self._others += markup_of_body(body) not in {None, self.markup}

    def log_others(self) -> None:
        """Log the number of the counted bodies."""
        if self._others:
            names = {"html": "HTML", "markdown": "Markdown"}
            used = names.pop(self.markup)
            (other,) = names.values()
            log_once(f"{self._path}: bodies that look like {other}, read as {used}: {self._others}")


def peek_bodies(
    rows: Iterator[tuple[int, _Row]], columns: Sequence[str]
) -> tuple[list[str], Iterator[tuple[int, _Row]]]:
    """Return the first bodies of a table, at most `SAMPLE`, and all its rows."""
    first_rows = list(islice(rows, SAMPLE // len(columns)))
    bodies = [row.get(name, "") for _, row in first_rows for name in columns]
    return bodies, chain(first_rows, rows)


def peek_markup(
    rows: Iterator[tuple[int, _Row]], columns: Sequence[str]
) -> tuple[Markup, Iterator[tuple[int, _Row]]]:
    """Return the markup in which the bodies of a table are read, and all its rows."""
    bodies, rows = peek_bodies(rows, columns)
    return read_as(markup_of(bodies)), rows


def read_as(markup: Literal["html", "markdown", "unclear"]) -> Markup:
    """Return the markup in which bodies are read: Markdown only if that is certain."""
    return "markdown" if markup == "markdown" else "html"


def markup_of(bodies: Iterable[str]) -> Literal["html", "markdown", "unclear"]:
    """Return the markup of a column of bodies; "html" where no body has evidence.

    "unclear" means that fewer than `CERTAIN_SHARE` of those with evidence agree.
    """
    votes = Counter(map(markup_of_body, bodies))
    html, markdown = votes["html"], votes["markdown"]
    if html >= CERTAIN_SHARE * (html + markdown):
        return "html"
    return "markdown" if markdown >= CERTAIN_SHARE * (html + markdown) else "unclear"


def has_reference(markdown: str) -> bool:
    """Tell whether a text that should be Markdown or plain has a reference such as `&lt;`.

    Code may well be about references, and is not looked at.
    """
    return "&" in markdown and bool(_REFERENCE.search(_CODE.sub("", markdown)))


def markup_of_body(body: str) -> Markup | None:
    """Return the markup of one body; None where nothing tells it."""
    start = body.lstrip()
    if _TAG.match(start) and ("</" in body or _BLOCK_START.match(start)):
        return "html"
    prose = _CODE.sub("", body)
    if _CERTAIN_BLOCK.search(prose):
        return "html"
    if _MARKDOWN.search(body):
        return "markdown"
    if _TAG.match(start) or _CERTAIN_TAG.search(prose) or _REFERENCE.search(prose):
        return "html"
    # HTML would have written these as references.
    return "markdown" if re.search(r"<\w|&(?:\s|&)", body) else None

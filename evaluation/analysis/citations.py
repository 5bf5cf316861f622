"""Citations of passages in an answer: the numbers that its prose names, never those in code."""

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_SEPARATOR = r"\s*(?:[;&\u2013-]|to\b|,?\s*(?:and|or)\b|,)\s*"
_NUMBERS = rf"\^?\d{{1,4}}(?:{_SEPARATOR}\^?\d{{1,4}})*"
_BRACKETS = re.compile(
    # An index or a list of code is no citation: `row[1]`, `pairs = [1, 2]`. Full-width brackets are
    # no part of code, and scripts without spaces put none before a bracket.
    r"(?:(?<![A-Za-z0-9_)\[\]=])(?<!=\s)|(?=[\u3010\uff3b]))"
    rf"(?:[\[\u3010\uff3b]\s*(?:passages?\s+|sources?\s+)?{_NUMBERS}\s*(?:\u2020[^\]\u3011\u2020]{{0,80}})?[\]\u3011\uff3d])+",
    re.IGNORECASE,
)
_GROUP = re.compile(r"[\[\u3010\uff3b]([^\[\]\u3010\u3011\uff3b\uff3d]*)")
_PHRASE = re.compile(rf"\bpassages?\s+({_NUMBERS})(?![\d.]*\d)", re.IGNORECASE)
_DEPTHS = {"link_open": 1, "link_close": -1, "<code>": 1, "</code>": -1}
"""Change of the number of open links and elements of code, by the type or the text of a token."""
_RANGE = re.compile(r"(\d+)(?:\s*(?:[\u2013-]|to)\s*\^?(\d+))?")


def cited_numbers(answer: str, passages: int) -> set[int]:
    """Return the numbers of the passages that an answer cites, from 1 to `passages`.

    Citations are `[1]`, `[1, 2]`, `[1-3]`, `[1][2]`, `[^1]`, with full-width brackets too, and
    "passage 1". Brackets with a number that no passage has are no citation, nor is anything in code
    or the text or target of a link.

    Args:
        answer: Markdown.
        passages: The number of passages in the prompt.
    """
    numbers: set[int] = set()
    for prose in _prose(answer):
        lists = [group for run in _BRACKETS.findall(prose) for group in _GROUP.findall(run)]
        for text in (*lists, *_PHRASE.findall(prose)):
            named = _expand(text.partition("\u2020")[0])
            if all(1 <= first <= last <= passages for first, last in named):
                numbers.update(n for first, last in named for n in range(first, last + 1))
    return numbers


def _expand(text: str) -> list[tuple[int, int]]:
    """Return the ranges of numbers in a list such as `1, 3-5`, first and last of each."""
    return [(int(first), int(last or first)) for first, last in _RANGE.findall(text)]


def _prose(markdown: str) -> Iterator[str]:
    """Yield the text of each paragraph, heading and cell without code and links."""
    for token in _parser().parse(markdown):
        if token.type == "inline":
            yield "".join(_texts(token.children or []))


def _texts(tokens: list["Token"]) -> Iterator[str]:
    skipped = 0
    for token in tokens:
        skipped += _DEPTHS.get(token.type) or _DEPTHS.get(token.content.lower(), 0)
        if token.type in ("softbreak", "hardbreak"):
            yield "\n"
        elif token.type == "text" and not skipped:
            yield token.content
        elif token.type == "code_inline":
            # The brackets behind code are an index into it: `row`[1].
            yield "x"


@cache
def _parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").enable("table")

"""Citations of passages in an answer: the numbers that its prose names, never those in code."""

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from evaluation.metrics.normal_text import normal_text
from graph.markdown.elements import CODE
from graph.markdown.number_lists import BEFORE, is_list_of_values
from graph.retrieval.letters import LETTER, UNSPACED

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_SPACED_LETTER = rf"(?![{UNSPACED}]){LETTER}"
"""A letter after which a bracket is an index or a call. Scripts without spaces put none before it."""
_OPEN, _CLOSE = r"[\[\u3010\uff3b]", r"[\]\u3011\uff3d]"
_DASH = r"(?:[\u2010-\u2015\u2212-]|\.{2,3}|\u2026)"
_NUMBERED = r"[\s:]*(?:(?:numbers?|nos?\.)\s*)?"
_SOURCE = rf"(?:passage|source|doc(?:ument)?|citation|ref(?:erence)?)s?{_NUMBERED}"
_NUMBER = rf"(?:{_SOURCE})?[#^]?\d{{1,4}}"
_SEPARATOR = rf"\s*(?:[;&\uff1b\u3001\uff0c]|{_DASH}|to\b|(?:,\s*)?(?:and|or)\b|,)\s*"
_NUMBERS = rf"{_NUMBER}(?:{_SEPARATOR}{_NUMBER})*"
_NOTE = r"\s*(?:\u2020[^\]\u3011\u2020]{0,80})?"
"""The name of the source in `\u30101\u2020name\u3011`."""
_BRACKETS = re.compile(
    # Full-width brackets are no part of code.
    rf"(?:(?<!{_SPACED_LETTER})(?<![)\[\]$!@&])(?<!\?\.)|(?=[\u3010\uff3b]))"
    rf"(?:\[\[{_NUMBERS}\]\]|{_OPEN}\s*(?!\#){_NUMBERS}{_NOTE}{_CLOSE})+",
    re.IGNORECASE,
)
_GROUP = re.compile(r"[\[\u3010\uff3b]([^\[\]\u3010\u3011\uff3b\uff3d]*)")
_BROKEN_RANGE = re.compile(rf"(?<=\d){_CLOSE}({_DASH}){_OPEN}(?=\d)")
_PHRASE = re.compile(rf"\bpassages?(?=[\s#]){_NUMBERED}({_NUMBERS})(?![\d.]*\d)", re.IGNORECASE)
_RANGE = re.compile(rf"(\d+)(?:\s*(?:{_DASH}|to)\s*(?:{_SOURCE})?[#^]?(\d+))?", re.IGNORECASE)

_LIST = r"\[(?:[^\[\]\n]|\[[^\[\]\n]*\])*\]"
_LITERAL = r"""(?:"[^"\n]*"|[-+]?[\d.][\w.+-]*|TRUE|FALSE|NA|NULL|NaN|-?Inf)"""
_NO_PROSE = r"(?![ \t]+(?!(?:if|for|and|or|in|is|not)\b)[^\W\d_])"
_UNMARKED_CODE = re.compile(
    rf"""
    # print([1, 2])
    {_SPACED_LETTER}\([^()]*\)
    # {{"a": [1]}}
    | \{{[^{{}}]*\}}
    # a, b = [1], [2]
    | (?:=|[-=]>|<-|["'][\w.-]*["']:)\s*{_LIST}(?:,\s*{_LIST})*
    # return [1], but not "they return [1] a value"
    | \b(?:return|yield|print)\s*{_LIST}(?:,\s*{_LIST})*+{_NO_PROSE}
    # a [1] = 5, [1, 2].sort()
    | {_LIST}(?:\s*[-+*/|&]?=|\.[a-z_]|\()
    # for i in [1, 2]:
    | \b(?:for\s\w+(?:,\s*\w+)*|(?:if|elif|while)\s[\w.]+(?:\snot)?)\sin\s{_LIST}\s*[:\]{{]
    # [[1], [2]]
    | \[\s*\[[\d,\s]*\]\s*,[\[\]\d,\s]*\]
    # R's output: [1] 4.5
    | ^[ \t]*\[\d+\](?:[ \t]+{_LITERAL})+[ \t]*$
    """,
    re.VERBOSE | re.MULTILINE,
)
"""Code that stands in prose without marks."""
_WORD_CHARS = 4
"""Letters of a word that is no name or unit such as `sin` or `km`."""
_MOST_NESTED = 5
"""Calls and braces in one another that are looked for."""
_PROMPT = re.compile(r"[\W\d]{0,40}>>>\s|\W{0,40}(?:In|Out)\s?\[\d+\]:")
"""The start of a line of an interpreter's session."""
_TAG = re.compile(r"<(/?)(\w+)")


def cited_numbers(answer: str, passages: int) -> set[int]:
    """Return the numbers of the passages that an answer cites, from 1 to `passages`.

    Citations are `[1]`, `[1, 2]`, `[1-3]`, `[1]-[3]`, `[1][2]`, `[[1]]`, `[^1]`, `[source: 1]`,
    `<sup>1</sup>`, with full-width brackets too, and "passage 1". Brackets with a number that no
    passage has are no citation, nor is a list of values (`is_list_of_values`) or anything in code, also where no mark of Markdown says that it
    is code, or in the text or target of a link.

    Args:
        answer: Markdown.
        passages: The number of passages in the prompt.
    """
    numbers: set[int] = set()
    for prose in _prose(normal_text(answer)):
        text = _without_code(_BROKEN_RANGE.sub(r"\1", prose))
        lists = [
            group
            for run in _BRACKETS.finditer(text)
            if not is_list_of_values(text[max(0, run.start() - BEFORE) : run.start()], run[0])
            for group in _GROUP.findall(run[0])
        ]
        for cited in (*lists, *_PHRASE.findall(text)):
            ranges = _expand(cited.partition("\u2020")[0])
            if all(1 <= first <= last <= passages for first, last in ranges):
                numbers.update(n for first, last in ranges for n in range(first, last + 1))
    return numbers


def _expand(text: str) -> list[tuple[int, int]]:
    """Return the ranges of numbers in a list such as `1, 3-5`, first and last of each."""
    return [(int(first), int(last or first)) for first, last in _RANGE.findall(text)]


def _without_code(prose: str) -> str:
    """Return prose with a letter in place of code: brackets behind code are an index into it."""
    for _ in range(_MOST_NESTED):
        prose, count = _UNMARKED_CODE.subn("x", prose)
        if not count:
            break
    return prose


def _prose(markdown: str) -> Iterator[str]:
    """Yield the text of each paragraph, heading and cell without marked code, sessions and links."""
    lines = markdown.split("\n")
    for token in _parser().parse(markdown):
        if token.type == "inline" and not any(map(_PROMPT.match, lines[slice(*token.map or ())])):
            yield "".join(_texts(token.children or []))


_BRACKET_SIGNS = "[]\u3010\u3011\uff3b\uff3d"


def _texts(tokens: list["Token"]) -> Iterator[str]:
    links = elements = 0
    before = ""
    for token in tokens:
        tag = _TAG.match(token.content) if token.type == "html_inline" else None
        name = tag[2].lower() if tag else ""
        links += {"link_open": 1, "link_close": -1}.get(token.type, 0)
        if tag and name in CODE:
            elements = max(0, elements + (-1 if tag[1] else 1))
            yield "x"
        elif token.type in ("softbreak", "hardbreak"):
            yield "\n"
        elif links or elements:
            continue
        elif name == "sup":
            # After a word it is a citation, after a name or a unit an exponent.
            is_after_word = len(before) == _WORD_CHARS and before.isalpha()
            yield "]" if tag and tag[1] else "\u3010" if is_after_word else "["
        elif token.type in ("text", "text_special"):
            before = token.content[-_WORD_CHARS:]
            # Escaped brackets make no citation.
            is_escaped = token.type == "text_special" and token.content in _BRACKET_SIGNS
            yield "x" if is_escaped else token.content
        elif token.type == "code_inline":
            before = ""
            yield "x"


@cache
def _parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    # Escaped characters stay tokens of their own.
    return MarkdownIt("commonmark").enable("table").disable("text_join")

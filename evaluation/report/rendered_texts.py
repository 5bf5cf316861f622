"""The Markdown texts of the page as HTML, which a reader sees first, in the few bytes that the text itself lacks.

rendered_texts.js puts the HTML together again and builds it from elements: the page never parses a text.
"""

import re
from collections.abc import Iterable, Mapping
from enum import IntEnum
from html import unescape

from graph.html.answer_markdown import answer_html

LIMIT = 10_000_000
"""Largest number of characters that are rendered: more would take longer than the rest of the report."""
_TAG = re.compile(r"(<[^>]*>)")
_CITABLE = 999
"""Passages that a text may cite: citation_links.js knows which of them there are."""
_NEAR = 400
"""A part of the HTML is searched in so many characters of the text after the part before it."""
_ASTRAL = re.compile("[\U00010000-\U0010ffff]")


class Place(IntEnum):
    """Where a Markdown text is shown; the first places are rendered first."""

    ANSWER = 0
    """A question, a reference or an answer: a reader sees it at once."""
    DRAFT = 1
    """A draft, its notes, or an answer between two steps."""
    PASSAGE = 2


_TEXTS = {
    Place.ANSWER: "questions, references and answers",
    Place.DRAFT: "drafts and notes",
    Place.PASSAGE: "passages",
}


def places_to_render(texts: Iterable[tuple[Place, str]], limit: int = LIMIT) -> frozenset[Place]:
    """Return the places whose texts are rendered: all texts of the first ones, as long as they fit.

    Args:
        texts: All Markdown texts of the page, each with its place.
        limit: The largest number of characters, in which equal texts count once.
    """
    places: dict[str, Place] = {}
    for place, text in texts:
        places[text] = min(place, places.get(text, place))
    rendered = []
    for place in Place:
        limit -= sum(len(text) for text, own in places.items() if own is place)
        if limit < 0:
            break
        rendered.append(place)
    return frozenset(rendered)


def raw_texts(rendered: frozenset[Place]) -> str:
    """Return the names of the texts that are not rendered; an empty text if there are none."""
    return ", ".join(_TEXTS[place] for place in Place if place not in rendered)


def markdown_fields(fields: Mapping[str, object]) -> dict[str, Place]:
    """Return the fields that hold Markdown and are not empty, of a record or an object in it."""
    if "question_id" in fields:
        names = {"text": Place.PASSAGE}
    elif "node" in fields:
        names = {"answer": Place.DRAFT}
    elif "text" in fields:
        # A reply has no notes: it is shown as the model wrote it.
        names = dict.fromkeys(("text", "reasoning"), Place.DRAFT) if "reasoning" in fields else {}
    else:
        names = {"answer": Place.ANSWER, "reasoning": Place.DRAFT}
    return {name: place for name, place in names.items() if _is_text(fields.get(name))}


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def packed_html(text: str) -> str:
    """Return the HTML of a Markdown text with each part that stands in the text replaced by its place.

    A part between two tags is `=` and the part itself, or the number of characters (UTF-16) of the text that
    it repeats, after `+` and the number of characters that are skipped before it.
    """
    source, position = _utf16(text), 0
    parts = []
    for part in _TAG.split(str(answer_html(text, _CITABLE))):
        if not part or part.startswith("<"):
            parts.append(part)
            continue
        shown = _utf16(unescape(part))
        start = source.find(shown, position, position + len(shown) + _NEAR)
        if start < 0:
            parts.append(f"={part}")
            continue
        parts.append(f"{len(shown)}+{start - position}" if start > position else str(len(shown)))
        position = start + len(shown)
    return "".join(parts)


def _utf16(text: str) -> str:
    """Return a text with two characters for each one that has two units in the strings of a browser."""
    return _ASTRAL.sub(_surrogates, text)


def _surrogates(match: re.Match[str]) -> str:
    high, low = divmod(ord(match[0]) - 0x10000, 0x400)
    return chr(0xD800 + high) + chr(0xDC00 + low)

"""The bodies of a source, as the HTML that a corpus has: kept, or converted from Markdown."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import chain
from typing import Literal, get_args

from graph.support.body_markup import SAMPLE, markup_of
from graph.support.errors import DatasetError, MissingExtraError
from graph.support.logger import log

Bodies = Literal["auto", "html", "markdown"]
CHOICES = get_args(Bodies)
Row = Mapping[str, str]
_SAMPLE_CHARACTERS = 16 * 1024 * 1024
"""Characters of bodies after which the sample ends, for the sake of memory."""
# Stack Exchange's marks of a code's language and of snippets, which its own HTML does not show.
_MARK = re.compile(r"^ {0,3}<!-- (?:language|begin snippet|end snippet)[^\n]*-->[^\S\n]*$", re.M)


def open_bodies(
    rows: Iterable[Row], columns: Sequence[str], bodies: Bodies, source: str
) -> tuple[Iterator[Row], Callable[[str], str]]:
    """Return all rows, and the function from a body of theirs to HTML.

    Args:
        rows: The rows of a source; the first of them are read here.
        columns: The columns of bodies.
        bodies: Their markup, or "auto" to tell it by the first `SAMPLE` of them.
        source: The name of the source, for messages.

    Raises:
        DatasetError: the markup cannot be told.
        MissingExtraError: the bodies are Markdown, and markdown-it-py is missing.
    """
    if bodies == "auto":
        rows = iter(rows)
        sample, texts = _sample(rows, columns)
        rows = chain(sample, rows)
        markup = markup_of(texts)
        if markup == "unclear":
            raise DatasetError(
                f"{source}: some bodies are HTML and some Markdown; say which is right with "
                "--bodies html or --bodies markdown"
            )
        if markup == "markdown":
            log.warning("%s: its bodies are Markdown, converted to HTML", source)
        bodies = markup
    return iter(rows), _as_it_is if bodies == "html" else _html_of()


def _sample(rows: Iterator[Row], columns: Sequence[str]) -> tuple[list[Row], list[str]]:
    sample: list[Row] = []
    texts: list[str] = []
    characters = 0
    for row in rows:
        sample.append(row)
        bodies = [body for name in columns if (body := row.get(name, "")).strip()]
        texts += bodies
        characters += sum(map(len, bodies))
        if len(texts) >= SAMPLE or characters > _SAMPLE_CHARACTERS:
            break
    return sample, texts


def _as_it_is(body: str) -> str:
    return body


@cache
def _html_of() -> Callable[[str], str]:
    """Return the converter of Markdown; HTML in it stays text, as in `Map<String, Integer>`."""
    try:
        from markdown_it import MarkdownIt
    except ImportError:
        raise MissingExtraError(
            "bodies in Markdown need markdown-it-py: pip install 'opencoder[build]'"
        ) from None
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")

    def html_of(body: str) -> str:
        return str(parser.render(_MARK.sub("", body)))

    return html_of

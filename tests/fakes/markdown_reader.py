"""Markdown as a CommonMark parser that is not ours reads it."""

from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token

_READER = MarkdownIt("commonmark", {"html": False, "maxNesting": 100}).enable(
    ["table", "strikethrough"]
)
# It lets no link to a script pass; here we want to see whether there is one.
_READER.validateLink = lambda url: True


def tokens(markdown: str) -> Iterator[Token]:
    """Yield the blocks, and what is inside their sentences."""
    for token in _READER.parse(markdown):
        yield token
        yield from token.children or ()


def fences(markdown: str) -> list[str]:
    """Return the code of all fenced blocks, without the line end before the closing fence."""
    return [token.content.removesuffix("\n") for token in tokens(markdown) if token.type == "fence"]


def code_spans(markdown: str) -> list[str]:
    """Return the code inside sentences."""
    return [token.content for token in tokens(markdown) if token.type == "code_inline"]


def targets(markdown: str) -> list[str]:
    """Return where links and pictures lead."""
    attributes = [token.attrs for token in tokens(markdown) if token.type in {"link_open", "image"}]
    return [str(each.get("href", each.get("src"))) for each in attributes]


def outside_of_code(markdown: str) -> str:
    """Return the text without code."""
    return "\n".join(token.content for token in tokens(markdown) if token.type == "text")

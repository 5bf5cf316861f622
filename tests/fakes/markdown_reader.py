"""The content of Markdown, as an independent CommonMark parser reads it."""

from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token

_READER = MarkdownIt("commonmark", {"html": False, "maxNesting": 100}).enable(
    ["table", "strikethrough"]
)
# By default the parser drops links to scripts, which the tests look for.
_READER.validateLink = lambda url: True


def tokens(markdown: str) -> Iterator[Token]:
    """Yield the tokens of the blocks and of the text inside them."""
    for token in _READER.parse(markdown):
        yield token
        yield from token.children or ()


def fences(markdown: str) -> list[str]:
    """Return the code of all fenced blocks, without the line end before the closing fence."""
    return [token.content.removesuffix("\n") for token in tokens(markdown) if token.type == "fence"]


def code_spans(markdown: str) -> list[str]:
    """Return the inline code."""
    return [token.content for token in tokens(markdown) if token.type == "code_inline"]


def targets(markdown: str) -> list[str]:
    """Return the addresses of links and pictures."""
    attributes = [token.attrs for token in tokens(markdown) if token.type in {"link_open", "image"}]
    return [str(values.get("href", values.get("src"))) for values in attributes]


def outside_of_code(markdown: str) -> str:
    """Return the text outside of code."""
    return "\n".join(token.content for token in tokens(markdown) if token.type == "text")

"""The query: the text of a question, split into the parts that posts have."""

import re
from typing import NamedTuple

from graph.retrieval.plain import plain_text
from graph.support.text import unix_lines

_MAX_TITLE_CHARS = 300
_BLANK_LINE = re.compile(r"\n[^\S\n]*\n")


class Query(NamedTuple):
    """A title and a body; a single short paragraph is a title without a body."""

    title: str
    body: str

    @classmethod
    def of(cls, text: str) -> "Query":
        """Split a text at its first blank line; a long first paragraph belongs to the body."""
        text = unix_lines(text).strip()
        first, *rest = _BLANK_LINE.split(text, maxsplit=1)
        if len(first) > _MAX_TITLE_CHARS:
            return cls("", text)
        return cls(" ".join(first.split()), "".join(rest).strip())

    @property
    def text(self) -> str:
        """Title and body, as Markdown."""
        return f"{self.title}\n{self.body}".strip()

    @property
    def plain_text(self) -> str:
        """The text for the sentence encoder, built as `Post.field_text` builds that of `question`."""
        return f"{self.title}\n{plain_text(self.body)}".strip()

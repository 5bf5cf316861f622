"""What is asked: a question's text, taken apart as posts are."""

import re
from typing import NamedTuple

from graph.retrieval.plain import plain_text

_TITLE_CHARS = 300
_BLANK_LINE = re.compile(r"\n[^\S\n]*\n")


class Query(NamedTuple):
    """A title and a body; what is one short paragraph is all title."""

    title: str
    body: str

    @classmethod
    def of(cls, text: str) -> "Query":
        """Take a text apart at its first blank line; a long first paragraph is no title."""
        text = text.strip()
        first, *rest = _BLANK_LINE.split(text, maxsplit=1)
        if len(first) > _TITLE_CHARS:
            return cls("", text)
        return cls(" ".join(first.split()), "".join(rest).strip())

    @property
    def text(self) -> str:
        """The whole, as Markdown."""
        return f"{self.title}\n{self.body}".strip()

    @property
    def plain_text(self) -> str:
        """What the sentence encoder reads, built as the text of a post is."""
        return f"{self.title}\n{plain_text(self.body)}".strip()

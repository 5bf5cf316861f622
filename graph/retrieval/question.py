"""What is asked: a question's text, taken apart as posts are."""

from typing import NamedTuple

_TITLE_CHARS = 300


class Question(NamedTuple):
    """A title and a body; what is one short paragraph is all title."""

    title: str
    body: str

    @classmethod
    def of(cls, text: str) -> "Question":
        """Take a text apart at its first blank line; a long first paragraph is no title."""
        first, _, rest = text.strip().partition("\n\n")
        if len(first) > _TITLE_CHARS:
            return cls("", text.strip())
        return cls(" ".join(first.split()), rest.strip())

    @property
    def text(self) -> str:
        """The whole, built as the text of a post is."""
        return f"{self.title}\n{self.body}".strip()

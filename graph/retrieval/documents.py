"""The posts of a corpus, and the documents that retrieval returns for them."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from langchain_core.documents import Document

from graph.markdown import to_markdown
from graph.retrieval.plain import plain_text
from graph.support.errors import DatasetError
from graph.support.table_files import read_rows

COLUMNS = (
    "question_id",
    "question_title",
    "question_body",
    "question_tags",
    "answer_id",
    "answer_body",
    "answer_score",
)
"""What a corpus must have; `is_accepted`, `question_url` and `licence` are used where they are."""

Field = Literal["question", "title", "answer"]
_TRUE = ("true", "1", "1.0", "yes", "t")

_OWN = Path("dataset/question_answer.csv")
_SAMPLE = Path("dataset/sample/question_answer.csv")


@dataclass(frozen=True)
class Post:
    """A question with one of its answers, as Markdown."""

    question_id: str
    title: str
    tags: tuple[str, ...]
    question: str
    answer_id: str
    answer: str
    answer_score: str
    accepted: bool
    url: str
    licence: str

    def field_text(self, field: Field) -> str:
        """Return what the sentence encoder reads of a field: `question` is title and body."""
        if field == "title":
            return self.title
        if field == "answer":
            return plain_text(self.answer)
        return f"{self.title}\n{plain_text(self.question)}"

    @property
    def full_text(self) -> str:
        """Question and answer, for models that read both."""
        return f"{self.title}\n{self.question}\n\n{self.answer}"

    def to_json(self) -> str:
        """Return the post as one line."""
        return json.dumps(asdict(self), ensure_ascii=True)

    @classmethod
    def from_json(cls, line: str | bytes) -> "Post":
        """Read a post back."""
        values = json.loads(line)
        return cls(**{**values, "tags": tuple(values["tags"])})

    def to_document(self, score: float) -> Document:
        """Return the post as a LangChain document with its score and attribution."""
        # The answer comes first: where a passage has to be cut, its question goes before it.
        asked = f"\n\nIt was asked:\n{self.question}" if self.question else ""
        return Document(
            page_content=f"{self.answer}{asked}",
            metadata={
                "question_id": self.question_id,
                "answer_id": self.answer_id,
                "title": self.title,
                "tags": list(self.tags),
                "answer_score": self.answer_score,
                "accepted": self.accepted,
                "answer_chars": len(self.answer),
                "url": self.url,
                "licence": self.licence,
                "score": score,
            },
        )


def default_corpus() -> Path:
    """Return the corpus that is used where none is named: your own, else the sample.

    Raises:
        DatasetError: neither is there (outside a checkout).
    """
    for path in (_OWN, _SAMPLE):
        if path.is_file():
            return path
    raise DatasetError(f"there is no corpus at {_OWN} or {_SAMPLE}: name one with --corpus PATH")


def read_corpus(path: Path) -> Iterator[Post]:
    """Yield the posts of a corpus file (see `COLUMNS`; bodies are HTML).

    Raises:
        DatasetError: see `read_rows`; or a row without an id.
    """
    for number, row in read_rows(path, COLUMNS):
        if not row["question_id"].strip():
            raise DatasetError(f"{path}: row {number}: question_id is empty")
        yield Post(
            question_id=row["question_id"].strip(),
            title=" ".join(row["question_title"].split()),
            tags=tuple(tag.strip() for tag in row["question_tags"].split("|") if tag.strip()),
            question=to_markdown(row["question_body"]),
            answer_id=row["answer_id"].strip(),
            answer=to_markdown(row["answer_body"]),
            answer_score=row["answer_score"].strip(),
            accepted=row.get("is_accepted", "").strip().lower() in _TRUE,
            url=row.get("question_url", ""),
            licence=row.get("licence", ""),
        )

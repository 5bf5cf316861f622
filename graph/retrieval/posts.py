"""Posts: one question with one answer, and all posts of an index on disk."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from langchain_core.documents import Document
from numpy.typing import NDArray

from graph.retrieval.array_files import open_array
from graph.retrieval.plain import plain_text


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

    def field_text(self, field: str) -> str:
        """Return the text of a field for the sentence encoder; `question` is title and body.

        Raises:
            ValueError: the field is none of `Retrieval.vectors`.
        """
        match field:
            case "title":
                return self.title
            case "answer":
                return plain_text(self.answer)
            case "question":
                return f"{self.title}\n{plain_text(self.question)}"
        raise ValueError(f"a post has no field {field!r}")

    @property
    def full_text(self) -> str:
        """Question and answer, for models that read both."""
        return f"{self.title}\n{self.question}\n\n{self.answer}"

    def to_json(self) -> str:
        """Return the post as one line of ASCII."""
        return json.dumps(asdict(self), ensure_ascii=True)

    @classmethod
    def from_json(cls, line: str | bytes) -> "Post":
        """Read a line of `to_json`."""
        values = json.loads(line)
        return cls(**{**values, "tags": tuple(values["tags"])})

    def to_document(
        self, score: float | None = None, part_scores: Mapping[str, float] | None = None
    ) -> Document:
        """Return the post as a LangChain document with its attribution, and its scores if there are any."""
        # The answer comes first: a passage that is cut to fit a prompt loses its question first.
        question = f"\n\nIt was asked:\n{self.question}" if self.question else ""
        return Document(
            page_content=f"{self.answer}{question}",
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
                **({} if score is None else {"score": score}),
                **({} if part_scores is None else {"part_scores": dict(part_scores)}),
            },
        )


class StoredPosts:
    """The posts of an index on disk, by row; a row is a post's position in the corpus, from 0."""

    FILES = ("posts.jsonl", "offsets.npy", "question_ids.json")

    def __init__(
        self, lines: NDArray[np.uint8], offsets: NDArray[np.int64], question_ids: list[str]
    ) -> None:
        self._lines, self._offsets = lines, offsets
        self.question_ids = question_ids
        self.read = lru_cache(maxsize=4096)(self._read)

    def __len__(self) -> int:
        return len(self.question_ids)

    def _read(self, row: int) -> Post:
        start, end = self._offsets[row], self._offsets[row + 1]
        return Post.from_json(self._lines[start:end].tobytes())

    @staticmethod
    def save(folder: Path, posts: Sequence[Post]) -> None:
        """Write posts as JSON lines, the offset of each line, and the id of each question."""
        offsets = [0]
        with (folder / "posts.jsonl").open("wb") as file:
            for post in posts:
                file.write(post.to_json().encode() + b"\n")
                offsets.append(file.tell())
        np.save(folder / "offsets.npy", np.array(offsets, dtype=np.int64), allow_pickle=False)
        ids = json.dumps([post.question_id for post in posts])
        (folder / "question_ids.json").write_text(ids, encoding="utf-8")

    @classmethod
    def open(cls, folder: Path) -> "StoredPosts":
        """Map the files of `save` into memory."""
        lines = np.memmap(folder / "posts.jsonl", dtype=np.uint8, mode="r")
        offsets = open_array(folder / "offsets.npy")
        ids = json.loads((folder / "question_ids.json").read_text(encoding="utf-8"))
        return cls(lines, offsets, ids)

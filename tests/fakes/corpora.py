"""Small corpora on disk, and an encoder that needs no weights."""

import csv
from pathlib import Path
from typing import ClassVar
from zlib import crc32

from graph.retrieval import encoder
from graph.retrieval.encoder import TextPart
from graph.retrieval.posts import Post
from graph.retrieval.terms import tokenize
from graph.schema import EmbedderSpec
from graph.support.table_files import CORPUS_COLUMNS

EMBEDDER = EmbedderSpec(model="all-MiniLM-L6-v2", weights="package")


def row(number: int, title: str, body: str = "", tags: str = "", **changes: str) -> dict[str, str]:
    fields = {
        "question_id": str(number),
        "question_title": title,
        "question_body": body,
        "question_tags": tags,
        "answer_id": str(number + 1000),
        "answer_body": f"<p>answer {number}</p>",
        "answer_score": str(number % 7),
    }
    return {**fields, **changes}


def write_corpus(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else CORPUS_COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return path


SUBJECTS = (
    "copy a nested list",
    "sort a dictionary by value",
    "read a file line by line",
    "merge two git branches",
    "join tables in sql",
    "parse json in javascript",
    "list comprehension with a condition",
    "catch an exception in java",
)


def small_corpus(path: Path) -> Path:
    """Write eight posts, ids 1 to 8, tagged with their last word."""
    rows = [
        row(number, f"How to {subject}?", f"<p>I want to {subject}.</p>", subject.split()[-1])
        for number, subject in enumerate(SUBJECTS, 1)
    ]
    return write_corpus(path, rows)


def post(number: int = 1, **changes) -> Post:
    fields = {
        "question_id": str(number),
        "title": "a title",
        "tags": ("python", "list"),
        "question": "why?",
        "answer_id": str(number + 1000),
        "answer": "because",
        "answer_score": "3",
        "accepted": False,
        "url": "https://example.org/1",
        "licence": "CC BY-SA 4.0",
    }
    return Post(**{**fields, **changes})


class FakeEncoder:
    """Counts words into 64 buckets: equal texts have cosine 1, texts with no word in common about 0."""

    texts: ClassVar[list[str]] = []
    """Everything that any instance encoded; a test clears it."""

    def __init__(self, spec: EmbedderSpec) -> None:
        self.spec = spec

    def encode(self, texts):
        import numpy as np

        self.texts.extend(texts)
        vectors = np.zeros((len(texts), 64), dtype=np.float32)
        for number, text in enumerate(texts):
            for term in tokenize(text) or [""]:
                vectors[number, crc32(term.encode()) % 64] += 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def encode_queries(self, texts):
        return self.encode(texts)

    def split(self, texts):
        """Return each text as its only part."""
        return [[TextPart(text, 1)] for text in texts]


def encode_without_weights(monkeypatch) -> None:
    """Let indexes be built and searched with the fake encoder."""
    monkeypatch.setattr(encoder, "open_encoder", FakeEncoder)

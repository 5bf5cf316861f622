"""The posts of an index, on disk until one is asked for."""

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graph.retrieval.documents import Post


class Posts:
    """Posts by row; a row is a post's place in the corpus, from 0."""

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
        """Write posts as JSON lines, where each line starts, and the id of each question."""
        offsets = [0]
        with (folder / "posts.jsonl").open("wb") as file:
            for post in posts:
                file.write(post.to_json().encode() + b"\n")
                offsets.append(file.tell())
        np.save(folder / "offsets.npy", np.array(offsets, dtype=np.int64), allow_pickle=False)
        ids = json.dumps([post.question_id for post in posts])
        (folder / "question_ids.json").write_text(ids, encoding="utf-8")

    @classmethod
    def open(cls, folder: Path) -> "Posts":
        """Map what `save` wrote into memory."""
        lines = np.memmap(folder / "posts.jsonl", dtype=np.uint8, mode="r")
        offsets = np.load(folder / "offsets.npy", mmap_mode="r", allow_pickle=False)
        ids = json.loads((folder / "question_ids.json").read_text(encoding="utf-8"))
        return cls(lines, offsets, ids)

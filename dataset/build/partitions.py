"""The kept posts, brought into the order of the table in little memory.

duckdb's own sort holds long texts in memory, so here only ids are sorted. The posts are dealt out to
files by ranges of question ids, each of which is small enough to be joined and ordered at once.
"""

import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypedDict

PARTITION_CHARACTERS = 8 * 1024 * 1024
"""Characters of the bodies of one range, unless a single question has more."""
_BUFFERED_CHARACTERS = 2 * 1024 * 1024


class Kept(TypedDict):
    """A kept post as it stands in a parquet part."""

    id: int
    parent: int
    score: int
    day: str
    title: str
    tags: str
    body: str
    author: str
    licence: str


FIELDS = tuple(Kept.__annotations__)


def bounds(sizes: Iterable[tuple[int, int]]) -> list[int]:
    """Return the question ids at which ranges start.

    Args:
        sizes: (question id, characters) of each row of the table, ordered by question id.
    """
    starts: list[int] = []
    size = 0
    last = None
    for question, characters in sizes:
        if question != last and (last is None or size >= PARTITION_CHARACTERS):
            starts.append(question)
            size = 0
        size += characters
        last = question
    return starts


def deal(
    posts: Iterable[Sequence[object]], key: str, starts: Sequence[int], work: Path, kind: str
) -> None:
    """Append each post (values in the order of FIELDS) to the file of its range.

    Args:
        posts: In any order.
        key: The field that holds the question's id.
        starts: Where the ranges start.
        work: The folder of the files.
        kind: The start of their names.

    Raises:
        OSError: the disk is full.
    """
    lines: defaultdict[int, list[str]] = defaultdict(list)
    buffered = 0
    place = FIELDS.index(key)
    for post in posts:
        line = json.dumps(dict(zip(FIELDS, post, strict=True)), ensure_ascii=False)
        number = post[place]
        assert isinstance(number, int)
        lines[bisect_right(starts, number)].append(line)
        buffered += len(line)
        if buffered >= _BUFFERED_CHARACTERS:
            _append(lines, work, kind)
            buffered = 0
    _append(lines, work, kind)


def _append(lines: defaultdict[int, list[str]], work: Path, kind: str) -> None:
    for number, texts in lines.items():
        with (work / f"{kind}-{number}").open("a", encoding="utf-8", newline="\n") as file:
            file.writelines(f"{text}\n" for text in texts)
    lines.clear()


def pairs(starts: Sequence[int], work: Path) -> Iterator[tuple[Kept, Kept]]:
    """Yield (question, answer) ordered by question id, then answer id; the files vanish."""
    for number in range(1, len(starts) + 1):
        questions = {post["id"]: post for post in _read(work / f"question-{number}")}
        answers = sorted(
            _read(work / f"answer-{number}"), key=lambda post: (post["parent"], post["id"])
        )
        for answer in answers:
            yield questions[answer["parent"]], answer


def _read(path: Path) -> list[Kept]:
    with path.open(encoding="utf-8", newline="\n") as file:
        posts: list[Kept] = [json.loads(line) for line in file]
    path.unlink()
    return posts

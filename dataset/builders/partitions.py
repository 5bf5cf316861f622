"""The posts of the table, brought into its order in little memory.

duckdb's own sort holds long texts in memory, so duckdb sorts ids alone. The posts are distributed to
files by ranges of question ids, each of which is small enough to be joined and sorted in memory.
"""

import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from dataset.builders.post_parsing import DumpPost

PARTITION_CHARACTERS = 8 * 1024 * 1024
"""Characters of the bodies of one range, unless a single question has more."""
_BUFFERED_CHARACTERS = 2 * 1024 * 1024


def range_starts(sizes: Iterable[tuple[int, int]]) -> list[int]:
    """Return the question ids at which ranges start.

    Args:
        sizes: (question id, characters) of each row of the table, ordered by question id.
    """
    starts: list[int] = []
    size = 0
    previous = None
    for question_id, characters in sizes:
        if question_id != previous and (previous is None or size >= PARTITION_CHARACTERS):
            starts.append(question_id)
            size = 0
        size += characters
        previous = question_id
    return starts


def distribute(
    posts: Iterable[Sequence[object]], key: str, starts: Sequence[int], work: Path, kind: str
) -> None:
    """Append each post to the file of its range.

    Args:
        posts: The values of the fields of `DumpPost`; the posts are in any order.
        key: The field that holds the question's id.
        starts: The question ids at which ranges start.
        work: The folder of the files.
        kind: The beginning of their names.

    Raises:
        OSError: the disk is full.
    """
    lines_by_range: defaultdict[int, list[str]] = defaultdict(list)
    buffered = 0
    key_index = DumpPost._fields.index(key)
    for post in posts:
        line = json.dumps(post, ensure_ascii=False)
        question_id = post[key_index]
        assert isinstance(question_id, int)
        lines_by_range[bisect_right(starts, question_id)].append(line)
        buffered += len(line)
        if buffered >= _BUFFERED_CHARACTERS:
            _append(lines_by_range, work, kind)
            buffered = 0
    _append(lines_by_range, work, kind)


def _append(lines_by_range: defaultdict[int, list[str]], work: Path, kind: str) -> None:
    for number, lines in lines_by_range.items():
        with (work / f"{kind}-{number}").open("a", encoding="utf-8", newline="\n") as file:
            file.writelines(f"{line}\n" for line in lines)
    lines_by_range.clear()


def read_pairs(starts: Sequence[int], work: Path) -> Iterator[tuple[DumpPost, DumpPost]]:
    """Yield (question, answer) ordered by question id, then answer id; the files are deleted."""
    for number in range(1, len(starts) + 1):
        questions = {post.id: post for post in _read(work / f"question-{number}")}
        answers = _read(work / f"answer-{number}")
        for answer in sorted(answers, key=lambda post: (post.parent, post.id)):
            yield questions[answer.parent], answer


def _read(path: Path) -> list[DumpPost]:
    with path.open(encoding="utf-8", newline="\n") as file:
        posts = [DumpPost(*json.loads(line)) for line in file]
    path.unlink()
    return posts

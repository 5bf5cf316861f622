"""Posts on their way to the join: parquet files in the work folder, a few megabytes in memory."""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from dataset.build.counts import Counts
from dataset.build.posts import Rejected, Sorter
from dataset.errors import InputError

_GROUP_CHARACTERS = 1024 * 1024
_GROUP_ROWS = 10_000
_NUMBER = dict.fromkeys(("seq", "size", "id", "parent", "score"), "int64")
_TEXT = dict.fromkeys(("day", "title", "tags", "body", "author", "licence"), "string")


@dataclass(frozen=True)
class Parts:
    """The parquet files of one build; `seq` is the place of a row in the input, from 1, `size` the body's characters."""

    questions: Path
    answers: Path
    left_out: Path
    """The ids of questions that the selection left out."""


def spool(rows: Iterable[Mapping[str, str]], sorter: Sorter, work: Path, counts: Counts) -> Parts:
    """Write the posts that pass the selection to parquet and count the others.

    Raises:
        InputError: pyarrow is missing.
        OSError: the disk is full.
    """
    parts = Parts(work / "questions.parquet", work / "answers.parquet", work / "left_out.parquet")
    with ExitStack() as stack:
        files = {
            "question": stack.enter_context(_Part(parts.questions, _NUMBER | _TEXT)),
            "answer": stack.enter_context(_Part(parts.answers, _NUMBER | _TEXT)),
        }
        left_out = stack.enter_context(_Part(parts.left_out, {"id": "int64"}))
        for counts.rows_in, row in enumerate(rows, 1):
            found = sorter.sort(row)
            if isinstance(found, Rejected):
                counts.reject(found.reason)
                if found.question:
                    left_out.add({"id": found.question})
                continue
            kind, post = found
            size = len(post.body)
            files[kind].add({"seq": counts.rows_in, "size": size} | asdict(post), size)
    return parts


class _Part:
    """A growing parquet file; each row group holds a few megabytes."""

    def __init__(self, path: Path, schema: Mapping[str, str]) -> None:
        try:
            import pyarrow as pa
            from pyarrow.parquet import ParquetWriter
        except ImportError:
            raise InputError("building needs pyarrow: pip install 'opencoder[build]'") from None
        self._schema = pa.schema(list(schema.items()))
        self._writer = ParquetWriter(path, self._schema, compression="zstd")
        self._rows: list[Mapping[str, object]] = []
        self._characters = 0

    def add(self, row: Mapping[str, object], characters: int = 0) -> None:
        self._rows.append(row)
        self._characters += characters
        if self._characters >= _GROUP_CHARACTERS or len(self._rows) >= _GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa

        self._writer.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
        self._rows, self._characters = [], 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            if self._rows:
                self._flush()
            self._writer.close()
            return
        # What ended the work is the error to tell of, and not what follows from it here.
        with suppress(Exception):
            self._writer.close()

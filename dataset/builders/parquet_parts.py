"""The selected posts before the join: parquet files in the work folder, a few megabytes in memory."""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from dataset.builders.post_parsing import PostParser, RejectedPost
from dataset.builders.row_counts import RowCounts
from graph.support.errors import MissingExtraError

_GROUP_CHARACTERS = 1024 * 1024
_GROUP_ROWS = 10_000
_INTEGERS = dict.fromkeys(("seq", "size", "id", "parent", "score"), "int64")
_TEXTS = dict.fromkeys(("created", "title", "tags", "body", "author", "licence"), "string")


@dataclass(frozen=True)
class Parts:
    """The parquet files of a build.

    Besides the fields of `DumpPost`, `seq` is the number of a row in the input, from 1, and `size`
    the number of characters of the body.
    """

    questions: Path
    answers: Path
    left_out: Path
    """The ids of the questions that the selection left out."""


def write_parts(
    rows: Iterable[Mapping[str, str]], parser: PostParser, work: Path, counts: RowCounts
) -> Parts:
    """Write the posts that pass the selection to parquet files and count the rejected ones.

    Raises:
        MissingExtraError: pyarrow is missing.
        OSError: the disk is full.
    """
    parts = Parts(work / "questions.parquet", work / "answers.parquet", work / "left_out.parquet")
    with ExitStack() as stack:
        files = {
            "question": stack.enter_context(_PartFile(parts.questions, _INTEGERS | _TEXTS)),
            "answer": stack.enter_context(_PartFile(parts.answers, _INTEGERS | _TEXTS)),
        }
        left_out = stack.enter_context(_PartFile(parts.left_out, {"id": "int64"}))
        for counts.rows_in, row in enumerate(rows, 1):
            result = parser.parse(row)
            if isinstance(result, RejectedPost):
                counts.reject(result.reason)
                if result.question_id:
                    left_out.add({"id": result.question_id})
                continue
            kind, post = result
            size = len(post.body)
            files[kind].add({"seq": counts.rows_in, "size": size} | post._asdict(), size)
    return parts


class _PartFile:
    """A growing parquet file; a row group holds a few megabytes."""

    def __init__(self, path: Path, schema: Mapping[str, str]) -> None:
        try:
            import pyarrow as pa
            from pyarrow.parquet import ParquetWriter
        except ImportError:
            raise MissingExtraError(
                "building needs pyarrow: pip install 'opencoder[build]'"
            ) from None
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
        # Closing after an error may fail too; that second error would hide the first one.
        with suppress(Exception):
            self._writer.close()

"""The strict reader of tables: CSV, JSON lines (both also gzipped) and parquet, every value as text.

A file is read whole or refused with one line that names the position; no row is skipped silently.
"""

import csv
import gzip
import json
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import IO

from graph.support.csv_dialects import Dialect, dialect_of
from graph.support.errors import DatasetError, MissingExtraError
from graph.support.float_ids import FloatIds
from graph.support.regular_files import check_regular_file
from graph.support.text import one_line, plural

CORPUS_COLUMNS = (
    "question_id",
    "question_title",
    "question_body",
    "question_tags",
    "answer_id",
    "answer_body",
    "answer_score",
)
"""The required columns of a corpus; `is_accepted`, `question_url` and `licence` are optional."""

Row = dict[str, str]
MAX_FIELD = 16 * 1024 * 1024
"""Longest field of a CSV file, in characters: a longer field usually is an unclosed quote."""


def read_rows(path: Path, required: Sequence[str] = ()) -> Iterator[tuple[int, Row]]:
    """Yield (row number from 1, row) of a table; a missing value is the empty text.

    Raises:
        DatasetError: the path is no regular file, has an unknown ending, is not UTF-8, is damaged or
            has no rows; or a column is missing or a duplicate.
        MissingExtraError: a parquet file, and pyarrow is not installed.
    """
    reader = {
        ".csv": _read_csv,
        ".csv.gz": _read_csv,
        ".jsonl": _read_jsonl,
        ".jsonl.gz": _read_jsonl,
        ".parquet": _read_parquet,
    }.get(_ending(path))
    if reader is None:
        raise DatasetError(
            f"{path}: unknown kind of file; give .csv, .csv.gz, .jsonl, .jsonl.gz or .parquet"
        )
    check_regular_file(path)
    with _one_line_errors(path):
        columns, rows = reader(path)
        _check_columns(path, columns, required)
        first = next(rows, None)
        if first is None:
            raise DatasetError(f"{path}: has no rows")
        for number, row in enumerate(chain([first], rows), 1):
            # Each line of a JSON file has its own keys, so the check of the first row is not enough.
            missing = [name for name in required if name not in row]
            if missing:
                raise DatasetError(f"{path}: row {number}: {missing[0]!r} is missing")
            yield number, row


def _ending(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    return "".join(suffixes[-2:]) if suffixes[-1:] == [".gz"] else "".join(suffixes[-1:])


@contextmanager
def _one_line_errors(path: Path) -> Iterator[None]:
    """Turn the errors of reading a file into `DatasetError`s of one line."""
    try:
        yield
    except csv.Error as error:
        raise DatasetError(f"{path}: line 1: {_reason(error)}") from None
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise DatasetError(
            f"{path}: not UTF-8 (byte 0x{byte:02x}); convert it, for example with iconv"
        ) from None
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(f"{path}: cannot be read: {error}") from None


def _reason(error: csv.Error) -> str:
    reason = str(error)
    if "end of data" in reason:
        return "the file ends inside quotes: one is not closed"
    if "expected after" in reason:
        return f"{reason}; double each quote inside quotes, or convert the file to .jsonl"
    return reason


def _check_columns(path: Path, columns: Sequence[str], required: Sequence[str]) -> None:
    duplicates = [name for name, count in Counter(columns).items() if count > 1]
    if duplicates:
        raise DatasetError(f"{path}: column {duplicates[0]!r} is a duplicate")
    missing = [name for name in required if name not in columns]
    if missing:
        raise DatasetError(
            f"{path}: column {', '.join(map(repr, missing))} missing; "
            f"it has {', '.join(map(repr, list(columns)[:20]))}"
        )


def _open_text(path: Path) -> IO[str]:
    # utf-8-sig drops a byte order mark, which would become part of the first column's name; without
    # newline="" Python would change the line ends inside quoted fields.
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _read_csv(path: Path) -> tuple[list[str], Iterator[Row]]:
    csv.field_size_limit(MAX_FIELD)  # Python's own limit is 128 KiB
    dialect = dialect_of(path, _open_text)
    with _open_text(path) as file:
        header = next(dialect.rows(file), [])
    return header, _csv_rows(path, header, dialect)


def _csv_rows(path: Path, header: list[str], dialect: Dialect) -> Iterator[Row]:
    with _open_text(path) as file:
        reader = dialect.rows(file)
        try:
            next(reader, None)
            for values in reader:
                if not values:  # a blank line
                    continue
                if reason := _row_fault(values, len(header)):
                    raise DatasetError(f"{path}: line {reader.line_num}: {reason}")
                yield dict(zip(header, values, strict=True))
        except csv.Error as error:
            raise DatasetError(f"{path}: line {reader.line_num}: {_reason(error)}") from None


def _row_fault(values: list[str], width: int) -> str:
    if len(values) != width:
        hint = "; texts in single quotes? convert the file to .jsonl"
        single_quoted = any(value.lstrip().startswith("'") for value in values)
        fields = f"{len(values)} {plural(len(values), 'field')}"
        return f"{fields} where the header has {width}{hint if single_quoted else ''}"
    if "\\N" in values:
        return (
            "\\N is MySQL's mark of a missing value in a file that doubles backslashes; "
            "export it as standard CSV or .jsonl"
        )
    return ""


def _read_jsonl(path: Path) -> tuple[list[str], Iterator[Row]]:
    first = next(_jsonl_rows(path), {})
    return list(first), _jsonl_rows(path)


def _jsonl_rows(path: Path) -> Iterator[Row]:
    with _open_text(path) as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):  # the latter: brackets nested too deep
                raise DatasetError(f"{path}: line {number}: not JSON") from None
            if not isinstance(value, dict):
                raise DatasetError(f"{path}: line {number}: not a JSON object")
            yield {str(key): _as_text(item) for key, item in value.items()}


def _read_parquet(path: Path) -> tuple[list[str], Iterator[Row]]:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise MissingExtraError(
            "reading parquet needs pyarrow: pip install 'opencoder[parquet]'"
        ) from None
    # A damaged file makes pyarrow raise any of these, depending on the damaged byte.
    damage = (ArrowException, OSError, ValueError, KeyError, OverflowError)

    def rows(file: "ParquetFile") -> Iterator[Row]:
        float_ids = FloatIds(str(path), file.schema_arrow)
        try:
            for batch in file.iter_batches():
                for row in batch.to_pylist():
                    float_ids.check(row)
                    yield {name: _as_text(item) for name, item in row.items()}
        except damage as error:
            raise DatasetError(f"{path}: damaged parquet file: {one_line(error, 200)}") from None

    try:
        parquet = ParquetFile(path)
        return list(parquet.schema_arrow.names), rows(parquet)
    except damage as error:
        raise DatasetError(f"{path}: not a parquet file: {one_line(error, 200)}") from None


def _as_text(value: object) -> str:
    """Return a value of JSON or parquet as the text that a CSV file would hold.

    Raises:
        UnicodeDecodeError: bytes, as some programs store text in parquet, are not UTF-8.
    """
    if value is None or value != value:  # NaN, pandas' mark of a missing value
        return ""
    if isinstance(value, list):
        return "|".join(map(_as_text, value))
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)

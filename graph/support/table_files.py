"""Reading tables strictly: CSV, gzipped CSV, JSON lines and parquet, every value as text.

A file is read whole or refused with one line that names the place; no row is skipped unseen.
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

from graph.support.errors import DatasetError, MissingExtraError

Row = dict[str, str]
MAX_FIELD = 16 * 1024 * 1024
"""Characters of one field; a longer one is an unclosed quote more often than a text."""


def read_rows(path: Path, required: Sequence[str] = ()) -> Iterator[tuple[int, Row]]:
    """Yield (row number from 1, row) of a table; a missing value is the empty text.

    Raises:
        DatasetError: no such file, unknown ending, not UTF-8, damaged, empty, or columns that are
            missing or stand there twice.
    """
    reader = {
        ".csv": _read_csv,
        ".csv.gz": _read_csv,
        ".jsonl": _read_jsonl,
        ".jsonl.gz": _read_jsonl,
        ".parquet": _read_parquet,
    }.get(_ending(path))
    if reader is None:
        raise DatasetError(f"{path}: unknown kind of file; give .csv, .csv.gz, .jsonl or .parquet")
    if not path.is_file():
        raise DatasetError(f"{path}: there is no such file")
    with _clear_errors(path):
        columns, rows = reader(path)
        _check_columns(path, columns, required)
        first = next(rows, None)
        if first is None:
            raise DatasetError(f"{path}: has no rows")
        for number, row in enumerate(chain([first], rows), 1):
            lacking = [name for name in required if name not in row]
            if lacking:
                raise DatasetError(f"{path}: row {number}: {lacking[0]!r} is missing")
            yield number, row


def _ending(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    return "".join(suffixes[-2:]) if suffixes[-1:] == [".gz"] else "".join(suffixes[-1:])


@contextmanager
def _clear_errors(path: Path) -> Iterator[None]:
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
    said = str(error)
    return "the file ends inside quotes: one is not closed" if "end of data" in said else said


def _check_columns(path: Path, columns: Sequence[str], required: Sequence[str]) -> None:
    twice = [name for name, count in Counter(columns).items() if count > 1]
    if twice:
        raise DatasetError(f"{path}: column {twice[0]!r} stands there twice")
    missing = [name for name in required if name not in columns]
    if missing:
        raise DatasetError(
            f"{path}: column {', '.join(map(repr, missing))} missing; "
            f"it has {', '.join(map(repr, list(columns)[:20]))}"
        )


def _open_text(path: Path) -> IO[str]:
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _read_csv(path: Path) -> tuple[list[str], Iterator[Row]]:
    csv.field_size_limit(MAX_FIELD)
    with _open_text(path) as file:
        header = next(csv.reader(file, strict=True), [])
    return header, _csv_rows(path, header)


def _csv_rows(path: Path, header: list[str]) -> Iterator[Row]:
    with _open_text(path) as file:
        reader = csv.reader(file, strict=True)
        try:
            next(reader, None)
            for values in reader:
                if not values:
                    continue
                if len(values) != len(header):
                    raise DatasetError(
                        f"{path}: line {reader.line_num}: {len(values)} fields where the header "
                        f"has {len(header)}"
                    )
                yield dict(zip(header, values, strict=True))
        except csv.Error as error:
            raise DatasetError(f"{path}: line {reader.line_num}: {_reason(error)}") from None


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
            except (ValueError, RecursionError):
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
    damage = (ArrowException, OSError, ValueError, KeyError, OverflowError)

    def rows(file: "ParquetFile") -> Iterator[Row]:
        try:
            for batch in file.iter_batches():
                for row in batch.to_pylist():
                    yield {name: _as_text(item) for name, item in row.items()}
        except damage as error:
            raise DatasetError(f"{path}: damaged parquet file: {_one_line(error)}") from None

    try:
        opened = ParquetFile(path)
        return list(opened.schema_arrow.names), rows(opened)
    except damage as error:
        raise DatasetError(f"{path}: not a parquet file: {_one_line(error)}") from None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _as_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return "|".join(map(str, value))
    return str(value)

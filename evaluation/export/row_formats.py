"""Rows as the bytes of a file: CSV, JSON lines, parquet."""

import csv
import io
import json
from collections.abc import Iterable, Mapping

from evaluation.export.portable_text import portable, portable_text, spreadsheet_cell
from evaluation.export.rows import Row, Type, Value
from graph.support.errors import MissingExtraError


def csv_bytes(columns: Mapping[str, Type], rows: Iterable[Row]) -> bytes:
    """Return CSV in UTF-8: every text is quoted and cannot run in a spreadsheet, None is empty."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow(map(spreadsheet_cell, columns))
    for row in rows:
        writer.writerow(
            spreadsheet_cell(value) if isinstance(value, str) else value
            for value in (row[name] for name in columns)
        )
    return file.getvalue().encode("utf-8")


def jsonl_bytes(columns: Mapping[str, Type], rows: Iterable[Row]) -> bytes:
    """Return a JSON object a line, in ASCII; None is null."""
    lines = [
        json.dumps(portable({name: row[name] for name in columns}), allow_nan=False) for row in rows
    ]
    return "".join(f"{line}\n" for line in lines).encode("ascii")


def parquet_bytes(columns: Mapping[str, Type], rows: Iterable[Row]) -> bytes:
    """Return a parquet file with a typed column for each; None is null.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        from pyarrow.parquet import write_table
    except ImportError:
        raise MissingExtraError(
            "writing parquet needs pyarrow: pip install 'opencoder[parquet]'"
        ) from None
    values: dict[str, list[Value]] = {name: [] for name in columns}
    for row in rows:
        for name, column in values.items():
            column.append(portable(row[name]))
    schema = pa.schema([(portable_text(name), kind) for name, kind in columns.items()])
    arrays = [pa.array(values[name], kind) for name, kind in columns.items()]
    sink = pa.BufferOutputStream()
    write_table(pa.Table.from_arrays(arrays, schema=schema), sink, compression="zstd")
    return bytes(sink.getvalue().to_pybytes())

"""CSV files of tests, written and read without the project's own reader."""

import csv
import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO


def write_csv(path: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    """Write rows, of which the first one names the columns; `.gz` compresses."""
    with _open(path, "wt") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def read_csv(path: Path) -> list[dict[str, str]]:
    """Read all rows, also those with huge fields."""
    csv.field_size_limit(1 << 26)
    with _open(path, "rt") as file:
        return list(csv.DictReader(file, strict=True))


def _open(path: Path, mode: str) -> TextIO:
    if path.suffix.lower() == ".gz":
        return gzip.open(path, mode, encoding="utf-8", newline="")
    return path.open(mode, encoding="utf-8", newline="")

"""The output of a builder: a whole table or none, and no temporary files afterwards."""

import csv
import errno
import gzip
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import IO

from graph.support import storage
from graph.support.errors import ConfigError, DatasetError
from graph.support.text import one_line

ENDINGS = (".csv", ".csv.gz")


def check_target(path: Path) -> None:
    """Check that a table can be written, before any work is done.

    Raises:
        ConfigError: the name has an unknown ending, or is that of a folder or in a folder that is
            missing or read-only.
    """
    if not path.name.lower().endswith(ENDINGS):
        raise ConfigError(f"--out {path}: the name must end in {' or '.join(ENDINGS)}")
    if path.is_dir():
        raise ConfigError(f"--out {path}: is a folder; give a file")
    if path.exists() and not path.is_file():
        raise ConfigError(f"--out {path}: is a pipe or a device; give a file")
    if not path.parent.is_dir():
        raise ConfigError(f"--out {path}: there is no folder {path.parent}; create it first")
    if not os.access(path.parent, os.W_OK):
        raise ConfigError(f"--out {path}: the folder {path.parent} cannot be written to")


@contextmanager
def work_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder beside the target and delete it at the end, also after an error.

    Raises:
        DatasetError: the disk is full or cannot be written to.
    """
    with _clear_disk_errors(target), storage.work_folder(target) as folder:
        yield folder


@contextmanager
def _clear_disk_errors(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        hint = "; make room and start again" if error.errno == errno.ENOSPC else ""
        reason = error.strerror or one_line(error)
        raise DatasetError(f"{reason}{where}{hint}; {target} was not touched") from None


def write_table(
    target: Path, work: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> None:
    """Write a table in one step; the same rows give the same bytes.

    Args:
        target: The table; `.gz` at the end of its name compresses it.
        work: A folder on the target's disk.
        columns: The header.
        rows: Their values in the order of the columns.
    """
    path = work / "table"
    with path.open("wb") as file:
        with _open_text(file, compressed=target.name.lower().endswith(".gz")) as text:
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(rows)
        file.flush()
        os.fsync(file.fileno())
    os.chmod(path, 0o644)
    os.replace(path, target)
    storage.sync_folder(target.parent)


@contextmanager
def _open_text(file: IO[bytes], *, compressed: bool) -> Iterator[IO[str]]:
    if not compressed:
        plain = TextIOWrapper(file, encoding="utf-8", newline="")
        yield plain
        # Without this the wrapper's end closes the file before it is synced.
        plain.detach()
        return
    with (
        # No name and no time in the header, so that the same rows give the same bytes.
        gzip.GzipFile("", "wb", 6, file, mtime=0) as packed,
        TextIOWrapper(packed, encoding="utf-8", newline="") as text,
    ):
        yield text

"""The table that a builder writes: whole or not there, and nothing of the work left behind."""

import csv
import errno
import gzip
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import IO, cast

from dataset.errors import InputError

ENDINGS = (".csv", ".csv.gz")


def check_target(path: Path) -> None:
    """Refuse a target before any work is done.

    Raises:
        InputError: an unknown ending, a folder, or in a folder that is missing or read-only.
    """
    if not path.name.lower().endswith(ENDINGS):
        raise InputError(f"--out {path}: the name must end in {' or '.join(ENDINGS)}")
    if path.is_dir():
        raise InputError(f"--out {path}: is a folder; give a file")
    if not path.parent.is_dir():
        raise InputError(f"--out {path}: there is no folder {path.parent}; create it first")
    if not os.access(path.parent, os.W_OK):
        raise InputError(f"--out {path}: the folder {path.parent} cannot be written to")


@contextmanager
def work_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder beside the target that vanishes at any end.

    Raises:
        InputError: the disk is full or cannot be written to.
    """
    with _clear_disk_errors(target):
        folder = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _clear_disk_errors(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        hint = "; make room and start again" if error.errno == errno.ENOSPC else ""
        said = error.strerror or " ".join(str(error).split())
        raise InputError(f"{said}{where}{hint}; {target} was not touched") from None


def write_table(
    target: Path, work: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> None:
    """Write a table in one step.

    The same rows give the same bytes. `work` is a folder on the target's disk.
    """
    path = work / "table"
    with path.open("wb") as file:
        with _text(file, compressed=target.name.lower().endswith(".gz")) as text:
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(rows)
        file.flush()
        os.fsync(file.fileno())
    os.chmod(path, 0o644)
    os.replace(path, target)
    _sync_folder(target.parent)


@contextmanager
def _text(file: IO[bytes], *, compressed: bool) -> Iterator[IO[str]]:
    if not compressed:
        text = TextIOWrapper(file, encoding="utf-8", newline="")
        yield text
        text.detach()
        return
    with (
        # Without a name and a time, so that the same rows give the same bytes.
        gzip.GzipFile("", "wb", 6, file, mtime=0) as packed,
        TextIOWrapper(cast("IO[bytes]", packed), encoding="utf-8", newline="") as text,
    ):
        yield text


def _sync_folder(folder: Path) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

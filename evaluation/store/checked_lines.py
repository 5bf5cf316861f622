"""Checked lines: an append-only file with one self-checking line for each question.

A line is `{"crc32": ..., "record": {...}}`. Every append is on disk before it returns. Lines that a
crash tore at the end are cut off and kept beside the file in `.torn`. A damaged line before sound
lines is an error: leaving it out would lose a result unnoticed.
"""

import json
import os
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Generic, NamedTuple, TypedDict, TypeGuard, TypeVar

from graph.support.errors import DatasetError, FileLostError
from graph.support.logger import log
from graph.support.storage import sync_folder, write_bytes_atomically


class Indexed(TypedDict):
    """The field that every entry has: the index of its question."""

    index: int


Entry = TypeVar("Entry", bound=Indexed)


class LineFormat(NamedTuple, Generic[Entry]):
    """The content of the lines of one kind of file."""

    is_entry: Callable[[object], TypeGuard[Entry]]
    """Checks the fields: a checksum tells only that a line is whole."""
    name: str
    """The name of an entry in messages, as in "record of a question"."""
    remedy: str
    """The advice for a damaged file."""


class CheckedLines(Generic[Entry]):
    """A file of checked lines, open for appending."""

    def __init__(self, path: Path, line_format: LineFormat[Entry]) -> None:
        """Read the file, cut a torn end off, and open it.

        Raises:
            DatasetError: A line is damaged, repeated or holds something else.
        """
        self.entries: dict[int, Entry] = {}
        """By the index of the question, in the order of the lines."""
        self._path = path
        if path.exists():
            content = path.read_bytes()
            self.entries, sound = _parse(path, content, line_format)
            if sound < len(content):
                _cut_off(path, content, sound)
        self._file = _open(path)
        sync_folder(path.parent)

    def append(self, entries: Sequence[Entry]) -> None:
        """Write entries and wait until they are on disk.

        A failed write or sync is not tried again: the content of the disk is unknown then, and the
        next start reads it.

        Raises:
            FileLostError: See `check_in_place`.
            OSError: A write or sync failed.
            ValueError: An entry holds NaN or an infinity.
        """
        self.check_in_place()
        content = b"".join(encode(entry) for entry in entries)
        # A write may take only a part of the bytes.
        while content:
            content = content[os.write(self._file, content) :]
        os.fsync(self._file)
        self.entries.update({entry["index"]: entry for entry in entries})

    def replace(self, entries: Sequence[Entry]) -> None:
        """Replace entries of the same questions where they stand, all in one step.

        A crash leaves the old file or the new one.

        Raises:
            FileLostError: See `check_in_place`.
            OSError: A write or sync failed.
            ValueError: An entry holds NaN or an infinity.
        """
        self.check_in_place()
        merged = {**self.entries, **{entry["index"]: entry for entry in entries}}
        write_bytes_atomically(self._path, b"".join(map(encode, merged.values())))
        os.close(self._file)
        self._file = _open(self._path)
        self.entries.update(merged)

    def check_in_place(self) -> None:
        """Check that the path still leads to the open file: what is written elsewhere is lost.

        Raises:
            FileLostError: The file or its folder was removed, moved or replaced.
        """
        opened = os.fstat(self._file)
        try:
            if os.path.samestat(opened, os.stat(self._path)):
                return
        except (FileNotFoundError, NotADirectoryError):
            pass
        count = len(self.entries)
        if opened.st_nlink == 0:
            raise FileLostError(
                f"{self._path} was removed during the run: its {count} entries are lost; the same "
                "command starts over, and takes finished model calls from the cache"
            )
        raise FileLostError(
            f"{self._path} was moved or replaced during the run: its {count} entries are in the "
            "moved file; put it back, and the same command goes on"
        )

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def _open(path: Path) -> int:
    """Open a file for appending, and create it where it is missing; return its descriptor."""
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)


def read_checked_lines(
    path: Path, line_format: LineFormat[Entry], *, torn_end: bool = True
) -> dict[int, Entry]:
    """Read a file of checked lines without changing it.

    Args:
        path: The file.
        line_format: What its lines hold.
        torn_end: Whether all damaged lines at the end are left out as those of an interrupted
            write; else only a last line without its line break is.

    Returns:
        The entries by the index of their question.

    Raises:
        DatasetError: The file cannot be read, or a line is damaged, repeated or holds something
            else.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror}") from None
    entries, sound = _parse(path, content, line_format)
    number = len(entries) + 1
    if b"\n" in content[sound:] and not torn_end:
        raise DatasetError(
            f"{path}: line {number} is damaged: its checksum does not match; restore the file from "
            "a copy, or answer the missing questions with the run's own command"
        )
    if sound < len(content):
        log.warning(
            "%s: line %d was torn by an interrupted write: it is left out, and the file is not "
            "changed",
            path,
            number,
        )
    return entries


def _parse(
    path: Path, content: bytes, line_format: LineFormat[Entry]
) -> tuple[dict[int, Entry], int]:
    """Return the entries and the number of bytes that their lines take."""
    lines = content.split(b"\n")
    values = [decode(line) for line in lines[:-1]]
    while values and values[-1] is None:
        values.pop()
    entries: dict[int, Entry] = {}
    for number, value in enumerate(values, 1):
        if value is None:
            raise DatasetError(
                f"{path}: line {number} is damaged, and sound lines follow it; restore the file "
                f"from a copy, or {line_format.remedy}"
            )
        if not line_format.is_entry(value):
            raise DatasetError(
                f"{path}: line {number} holds no {line_format.name}: {line_format.remedy}"
            )
        if value["index"] in entries:
            raise DatasetError(
                f"{path}: line {number} is a duplicate of question {value['index']}; "
                f"{line_format.remedy}"
            )
        entries[value["index"]] = value
    return entries, sum(len(line) + 1 for line in lines[: len(values)])


def _cut_off(path: Path, content: bytes, sound: int) -> None:
    torn, copy = content[sound:], path.with_suffix(".torn")
    log.warning(
        "%s: an interrupted write left %d bytes at the end; they were moved to %s",
        path,
        len(torn),
        copy.name,
    )
    with copy.open("ab") as file:
        file.write(torn + b"\n")
    with path.open("r+b") as file:
        file.truncate(sound)
        os.fsync(file.fileno())


def encode(entry: Mapping[str, object]) -> bytes:
    """Return the line of an entry; equal entries give equal bytes."""
    body = json.dumps(entry, ensure_ascii=True, allow_nan=False, sort_keys=True)
    return f'{{"crc32": "{zlib.crc32(body.encode()):08x}", "record": {body}}}\n'.encode()


def decode(line: bytes) -> object:
    """Return the entry of a line, or None if a single byte differs from the line as written."""
    try:
        value = json.loads(line)["record"]
        return value if encode(value) == line + b"\n" else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None

"""Checked lines: an append-only file with one self-checking line for each question.

A line is `{"crc32": ..., "owner": ..., "record": {...}}`; the checksum covers owner and record. Every
append is on disk before it returns. What an interrupted append tore at the end is cut off and stored
beside the file in `.torn`. All other damage is an error: leaving a line out would lose a result
unnoticed.
"""

import json
import os
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypedDict, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from graph.support.errors import DatasetError, FileLostError
from graph.support.logger import log
from graph.support.storage import open_regular, read_regular, sync_folder, write_bytes_atomically
from graph.support.text import plural

_START = b'{"crc32": "'
"""The first bytes of every line."""
_RESTORE = "restore the file from a copy"
_CLOSED = -1
_OWNER_CHARS = 12
"""Characters of an owner that a message shows, as many as the name of a run folder has."""


class Indexed(TypedDict):
    """The field that every entry has: the index of its question."""

    index: int


Entry = TypeVar("Entry", bound=Indexed)


class LineFormat(NamedTuple, Generic[Entry]):
    """The content of the lines of one file."""

    entry_of: Callable[[object], Entry]
    """Returns the entry that a line holds, or raises ValueError with what is wrong with it: a
    checksum tells only that a line is whole."""
    owner: str
    """The digest of the run that every line names, with the name of the pass for its scores."""
    batch_size: int
    """The largest number of lines of one append."""
    remedy: str
    """The advice for a damaged file."""


class Line(NamedTuple):
    """A line whose checksum is right, with values that are not checked yet."""

    owner: Any
    entry: Any


class CheckedLines(Generic[Entry]):
    """A file of checked lines, open for appending."""

    def __init__(self, path: Path, line_format: LineFormat[Entry]) -> None:
        """Read the file, cut a torn end off, and open it.

        Raises:
            DatasetError: The file is a link or no regular file, or a line is damaged, repeated, of
                another run, or holds something else.
        """
        self._format, self._path = line_format, path
        self._file = _open(path)
        try:
            with open(self._file, "rb", closefd=False) as file:
                content = file.read()
            self.entries, sound = _parse(path, content, line_format)
            """By the index of the question, in the order of the lines."""
            if sound < len(content):
                _store_torn(path, content[sound:])
                os.ftruncate(self._file, sound)
                os.fsync(self._file)
            sync_folder(path.parent)
        except BaseException:
            os.close(self._file)
            raise

    def append(self, entries: Sequence[Entry]) -> None:
        """Write entries and wait until they are on disk.

        A failed write or sync is not tried again: the content of the disk is unknown then, and the
        next start reads it.

        Raises:
            FileLostError: See `check_in_place`.
            OSError: A write or sync failed.
            ValueError: An entry could not be read again: it holds NaN or an infinity, a field of
                another type, or is of another question.
        """
        self.check_in_place()
        content = self._encoded(entries)
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
            ValueError: See `append`.
        """
        self.check_in_place()
        merged = {**self.entries, **{entry["index"]: entry for entry in entries}}
        content = self._encoded([*merged.values()])
        # Windows replaces no open file.
        self.close()
        try:
            write_bytes_atomically(self._path, content)
        finally:
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
        entries_are = f"{count} {plural(count, 'entry is', 'entries are')}"
        if opened.st_nlink == 0:
            raise FileLostError(
                f"{self._path} was removed during the run: its {entries_are} lost; the same "
                "command starts over, and takes finished model calls from the cache"
            )
        raise FileLostError(
            f"{self._path} was moved or replaced during the run: its {entries_are} in the "
            "moved file; put it back, and the same command goes on"
        )

    def _encoded(self, entries: Sequence[Entry]) -> bytes:
        entry_of, owner = self._format.entry_of, self._format.owner
        return b"".join(encode(entry_of(entry), owner) for entry in entries)

    def close(self) -> None:
        """Close the file."""
        if self._file != _CLOSED:
            os.close(self._file)
            self._file = _CLOSED


def _open(path: Path) -> int:
    """Open a file for appending, and create it where it is missing; return its descriptor."""
    return open_regular(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)


def read_checked_lines(
    path: Path, line_format: LineFormat[Entry], *, torn_end: bool = True
) -> dict[int, Entry]:
    """Read a file of checked lines without changing it.

    Args:
        path: The file.
        line_format: What its lines hold.
        torn_end: Whether an end that an interrupted append tore is left out; else only a last line
            without its line break is.

    Returns:
        The entries by the index of their question.

    Raises:
        DatasetError: The file cannot be read, or a line is damaged, repeated, of another run, or
            holds something else.
    """
    try:
        content = read_regular(path)
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
    texts = content.split(b"\n")
    lines = [decode(text) for text in texts[:-1]]
    while lines and lines[-1] is None:
        lines.pop()
    _check_tail(path, texts, len(lines), line_format)
    entries: dict[int, Entry] = {}
    for number, line in enumerate(lines, 1):
        try:
            entry = _entry_of(line, line_format)
            if entry["index"] in entries:
                raise ValueError(f"is a duplicate of question {entry['index']}; {_RESTORE}")
        except ValueError as error:
            raise DatasetError(f"{path}: line {number} {error}, or {line_format.remedy}") from None
        entries[entry["index"]] = entry
    return entries, sum(len(text) + 1 for text in texts[: len(lines)])


def _entry_of(line: Line | None, line_format: LineFormat[Entry]) -> Entry:
    if line is None:
        raise ValueError(f"is damaged, and sound lines follow it; {_RESTORE}")
    if line.owner != line_format.owner:
        owner = str(line.owner)[:_OWNER_CHARS]
        raise ValueError(
            f"belongs to another run ({owner}, this is {line_format.owner[:_OWNER_CHARS]}); put the "
            "run's own file back"
        )
    try:
        return line_format.entry_of(line.entry)
    except ValueError as error:
        raise ValueError(f"{error}; {_RESTORE}") from None


def _check_tail(path: Path, texts: list[bytes], sound: int, line_format: LineFormat[Entry]) -> None:
    """Check that the texts after the sound lines are what one interrupted append can leave.

    That is the beginning of a line; or, where blocks of the disk were lost, as many lines and bytes
    as one batch of the longest sound line has at most.

    Raises:
        DatasetError: They are more, so the file was damaged in another way.
    """
    *lines, beginning = texts[sound:]
    if not lines and _is_beginning(beginning):
        return
    longest = max((len(text) + 1 for text in texts[:sound]), default=0)
    size = sum(len(line) + 1 for line in lines) + len(beginning)
    count = len(lines) + bool(beginning)
    if count <= line_format.batch_size and size <= line_format.batch_size * longest:
        return
    if not sound and lines and all(line.endswith(b"\r") for line in lines):
        raise DatasetError(
            f"{path}: line 1 and all others end in CRLF, as Windows programs write them: restore "
            f"the line ends (LF) or the file from a copy, or {line_format.remedy}"
        )
    raise DatasetError(
        f"{path}: line {sound + 1} is damaged, and so are all lines after it ({count} "
        f"{plural(count, 'line')}, {size} bytes), more than an interrupted write leaves; restore the file from a copy, or "
        f"{line_format.remedy}"
    )


def _is_beginning(text: bytes) -> bool:
    """Tell whether a text is the beginning of a line: its first bytes, and no control character."""
    return _START.startswith(text[: len(_START)]) and text.isascii() and text.decode().isprintable()


def _store_torn(path: Path, torn: bytes) -> None:
    copy = path.with_suffix(".torn")
    log.warning(
        "%s: an interrupted write left %d %s at the end, moved to %s",
        *(path, len(torn), plural(len(torn), "byte"), copy.name),
    )
    with open(open_regular(copy, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "ab") as file:
        file.write(torn + b"\n")


def encode(entry: Mapping[str, object], owner: str) -> bytes:
    """Return the line of an entry; equal entries give equal bytes."""
    fields = {"owner": owner, "record": entry}
    body = json.dumps(fields, ensure_ascii=True, allow_nan=False, sort_keys=True)[1:]
    return _START + f'{zlib.crc32(body.encode()):08x}", {body}\n'.encode()


def decode(text: bytes) -> Line | None:
    """Return the line of a text, or None if a single byte differs from the line as written."""
    try:
        fields = json.loads(text)
        line = Line(fields["owner"], fields["record"])
        return line if encode(line.entry, line.owner) == text + b"\n" else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def check_fields(value: object, adapter: TypeAdapter[Entry], name: str) -> Entry:
    """Return a value unchanged if it has the fields of an entry, each of its declared type.

    Raises:
        ValueError: It has not; the message names the first field.
    """
    try:
        adapter.validate_python(value, strict=True)
    except ValidationError as error:
        raise ValueError(f"holds no {name} ({': '.join(first_fault(error))})") from None
    return cast(Entry, value)


def check_index(index: int, count: int) -> None:
    """Check the index of an entry.

    Raises:
        ValueError: The run has no such question.
    """
    if not 0 <= index < count:
        raise ValueError(
            f"is of question {str(index)[:20]}, and the run has the questions 0 to {count - 1}"
        )


def first_fault(error: ValidationError) -> tuple[str, str]:
    """Return the first field that is not as declared, and what is wrong with it."""
    first = error.errors(include_url=False, include_input=False)[0]
    return ".".join(map(str, first["loc"])) or "the whole", first["msg"]

"""The file of a dump: found in a folder, and opened as a stream of bytes, unpacked on the way.

A packed file is never written to the disk, so what it unpacks to takes time and no space.
"""

import bz2
import gzip
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, cast

from graph.support.errors import DatasetError, OpenCoderError
from graph.support.regular_files import check_regular_file
from graph.support.text import one_line

MEMBER = "Posts.xml"
_PACKED = re.compile(r"posts\.xml\.(?:gz|bz2|xz)|.*\.(?:zip|7z)", re.IGNORECASE)
"""The names of packed dumps."""
_NO_PART = re.compile(r"\..*|__MACOSX")
"""The names of what other programs leave beside a dump: `.git`, `._Posts.xml`."""
_OTHER_ARCHIVE = re.compile(
    r"\.(?:tar(?:\.\w+)?|t[gbx]z2?|zstd?|rar|lz4?|lzma|br|z|cab|iso)$", re.IGNORECASE
)
_HINT = f"give {MEMBER}, its .gz, .bz2 or .xz, or the .7z or .zip that holds it"
_DAMAGE = (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, RuntimeError)
"""Errors of unpacking; a `RuntimeError` is an encrypted .zip, or a method that Python lacks."""


def is_member(name: str) -> bool:
    """Tell whether a file or a member of an archive is the dump: `Posts.xml`, in any folder and case."""
    return name.rpartition("/")[2].lower() == MEMBER.lower()


def find_dump(path: Path) -> Path:
    """Return the file of a dump: the path itself, or the one dump in a folder or in its only folder.

    Raises:
        DatasetError: there is no such file, the folder has none or several, or it is an archive of
            another form.
    """
    if path.is_dir():
        path = _dump_in(path)
    if _OTHER_ARCHIVE.search(path.name):
        raise DatasetError(f"{path}: an archive of this form is not read; {_HINT}")
    check_regular_file(path, _HINT)
    return path


def _dump_in(folder: Path) -> Path:
    entries = _entries(folder)
    folders = [entry for entry in entries if entry.is_dir() and not entry.is_symlink()]
    if not _dumps(entries) and len(folders) == 1:
        folder = folders[0]
        entries = _entries(folder)
    files = _dumps(entries) or [e for e in entries if _OTHER_ARCHIVE.search(e.name)]
    if len(files) == 1:
        return files[0]
    several = ", ".join(file.name for file in files[:5]) or "no dump"
    raise DatasetError(f"{folder}: the folder holds {several}; {_HINT}")


def _entries(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if not _NO_PART.fullmatch(entry.name))


def _dumps(entries: list[Path]) -> list[Path]:
    """Return the files named Posts.xml, or else the packed ones."""
    return [entry for entry in entries if is_member(entry.name)] or [
        entry for entry in entries if _PACKED.fullmatch(entry.name)
    ]


@contextmanager
def open_dump(path: Path, advance: Callable[[int], None]) -> Iterator[IO[bytes]]:
    """Open a Posts.xml, plain, or packed as .gz, .bz2, .xz or .zip.

    Args:
        path: The file.
        advance: A function that gets the number of bytes of the file by which reading went on.

    Raises:
        DatasetError: the file is damaged, encrypted, or a .zip without one Posts.xml.
        OSError: the file cannot be read.
    """
    with ExitStack() as stack:
        try:
            packed = stack.enter_context(path.open("rb"))
            unpacked = _unpacked(path, packed, stack)
            yield cast("IO[bytes]", _Advancing(unpacked, packed, advance))
        except OpenCoderError:  # also a RuntimeError, but of the code that reads the dump
            raise
        except _DAMAGE as error:
            raise _damaged(path, error) from None
        except OSError as error:
            # gzip and bz2 raise OSError for damaged files, without an errno.
            if error.errno:
                raise
            raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> DatasetError:
    return DatasetError(f"{path}: damaged, truncated or encrypted: {one_line(error, 200)}")


def _unpacked(path: Path, packed: IO[bytes], stack: ExitStack) -> IO[bytes]:
    match path.suffix.lower():
        case ".gz":
            return cast("IO[bytes]", gzip.GzipFile(fileobj=packed))
        case ".bz2":
            return cast("IO[bytes]", bz2.BZ2File(packed))
        case ".xz":
            return cast("IO[bytes]", lzma.LZMAFile(packed))
        case ".zip":
            archive = stack.enter_context(zipfile.ZipFile(packed))
            names = [name for name in archive.namelist() if is_member(name)]
            if len(names) != 1:
                raise DatasetError(f"{path}: needs exactly one {MEMBER}, has {len(names)}")
            return stack.enter_context(archive.open(names[0]))
    return packed


class _Advancing:
    """A stream that reports how far the file under it was read."""

    def __init__(self, stream: IO[bytes], file: IO[bytes], advance: Callable[[int], None]) -> None:
        self._stream, self._file, self._advance = stream, file, advance
        self._position = 0

    def read(self, size: int) -> bytes:
        chunk = self._stream.read(size)
        position = self._file.tell()
        self._advance(max(0, position - self._position))
        self._position = position
        return chunk

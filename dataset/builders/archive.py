"""The extraction of Posts.xml from a .7z, which may be hostile.

Only that member is written, and never more bytes than its header declares, `MAX_BYTES` allows and
the disk has free.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

from dataset.builders.byte_progress import byte_progress
from dataset.builders.dump_files import MEMBER, is_member
from graph.support.errors import DatasetError, MissingExtraError
from graph.support.text import one_line

if TYPE_CHECKING:
    from py7zr import FileInfo, SevenZipFile
    from py7zr.io import WriterFactory

MAX_BYTES = 1 << 40
"""The most unpacked bytes of an archive; the largest real one (Stack Overflow) has a tenth of it."""
MAX_RATIO = 200
"""The largest ratio of unpacked to packed bytes; real dumps have 4 to 8."""
UNCHECKED_BYTES = 16 * 1024 * 1024
"""Unpacked bytes up to which the ratio does not matter."""
_ENCRYPTED = "is encrypted; give an archive without a password"


def extract_posts(archive: Path, folder: Path) -> Path:
    """Write the member Posts.xml into a folder and return its path.

    Raises:
        DatasetError: the archive is damaged, encrypted or refused.
        MissingExtraError: py7zr is missing.
    """
    try:
        import py7zr
    except ImportError:
        raise MissingExtraError("reading .7z needs py7zr: pip install 'opencoder[build]'") from None
    target = folder / MEMBER
    with (
        _clear_errors(archive),
        # With a name instead of a file, py7zr (1.1) unpacks in threads that outlive an interrupt.
        archive.open("rb") as file,
        py7zr.SevenZipFile(file, "r", max_extract_size=MAX_BYTES) as opened,
        target.open("wb") as out,
    ):
        size = _declared_size(archive, opened)
        _check_disk_space(folder, size)
        with byte_progress(f"unpacking {archive.name}", size) as advance:
            names = list(filter(is_member, opened.getnames()))
            opened.extract(targets=names, factory=_factory(out, size, advance))
    if target.stat().st_size != size:
        raise DatasetError(f"{archive}: {MEMBER} is shorter than the archive says")
    return target


def _declared_size(archive: Path, opened: "SevenZipFile") -> int:
    """Return the unpacked bytes of Posts.xml by the archive's header, once that is checked."""
    if opened.needs_password():
        raise DatasetError(f"{archive}: {_ENCRYPTED}")
    members = opened.list()
    for member in members:
        if reason := _hostility(member):
            raise DatasetError(f"{archive}: member {member.filename!r} {reason}; refused")
    total = sum(member.uncompressed for member in members)
    if total > MAX_BYTES:
        raise DatasetError(f"{archive}: would unpack to {total} bytes; refused")
    if total > max(UNCHECKED_BYTES, MAX_RATIO * archive.stat().st_size):
        raise DatasetError(
            f"{archive}: would unpack to {total} bytes, more than {MAX_RATIO} times its size; refused"
        )
    sizes = [member.uncompressed for member in members if is_member(member.filename)]
    if len(sizes) != 1:
        names = ", ".join(member.filename for member in members[:10])
        raise DatasetError(
            f"{archive}: needs exactly one member {MEMBER}, has {len(sizes)}; its members: {names}"
        )
    return int(sizes[0])


def _hostility(member: "FileInfo") -> str:
    """Return the reason to refuse a member; the empty text if there is none."""
    path = PurePosixPath(member.filename.replace("\\", "/"))
    if path.is_absolute() or (path.parts[:1] and path.parts[0].endswith(":")):
        return "has an absolute path"
    if ".." in path.parts:
        return "leads out of the archive"
    if not (member.is_file or member.is_directory):
        return "is a link or a device"
    return ""


def _check_disk_space(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if size > free:
        raise DatasetError(
            f"{folder.parent}: {MEMBER} needs {size} bytes and {free} are free; make room"
        )


@contextmanager
def _clear_errors(archive: Path) -> Iterator[None]:
    from py7zr.exceptions import PasswordRequired

    try:
        yield
    except (DatasetError, OSError):
        raise
    except PasswordRequired:
        raise DatasetError(f"{archive}: {_ENCRYPTED}") from None
    except Exception as error:
        # On hostile bytes py7zr and its decoders raise nearly any exception.
        reason = one_line(error, 200) or type(error).__name__
        raise DatasetError(f"{archive}: damaged or truncated archive: {reason}") from None


def _factory(out: IO[bytes], size: int, advance: Callable[[int], None]) -> "WriterFactory":
    from py7zr.io import Py7zIO, WriterFactory

    class Member(Py7zIO):
        written = 0

        def write(self, s: bytes | bytearray) -> int:
            # The header may lie, so the cap holds for the bytes that really come.
            self.written += len(s)
            if self.written > size:
                raise DatasetError(f"{MEMBER} is longer than the archive says; refused")
            out.write(s)
            advance(len(s))
            return len(s)

        def read(self, size: int | None = None) -> bytes:
            raise NotImplementedError

        def seek(self, offset: int, whence: int = 0) -> int:  # noqa: ARG002
            return 0

        def flush(self) -> None:
            out.flush()

        def size(self) -> int:
            return self.written

    class Factory(WriterFactory):
        def create(self, filename: str) -> Py7zIO:  # noqa: ARG002
            return Member()

    return Factory()

"""Posts.xml out of a .7z, which may be hostile.

Nothing but that member is written, and no more of it than was declared, allowed and fits on the disk.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

from dataset.build.progress import Progress, reading
from dataset.errors import InputError

if TYPE_CHECKING:
    from py7zr import FileInfo, SevenZipFile
    from py7zr.io import WriterFactory

MEMBER = "Posts.xml"
MAX_BYTES = 1 << 40
"""Of everything in the archive; the largest real one (Stack Overflow) has about a tenth of it."""
MAX_RATIO = 200
"""Unpacked to packed bytes; real dumps have 4 to 8."""
HARMLESS = 16 * 1024 * 1024
"""Unpacked bytes up to which no ratio is asked for."""
_ENCRYPTED = "is encrypted; give an archive without a password"


def extract_posts(archive: Path, folder: Path, progress: Progress) -> Path:
    """Write the member Posts.xml into a folder and return its path.

    Raises:
        InputError: py7zr is missing, or the archive is damaged, encrypted or refused.
    """
    try:
        import py7zr
    except ImportError:
        raise InputError("reading .7z needs py7zr: pip install 'opencoder[build]'") from None
    target = folder / MEMBER
    with (
        _clear_errors(archive),
        # A file and not its name: with a name, py7zr unpacks in threads that outlive an interrupt.
        archive.open("rb") as file,
        py7zr.SevenZipFile(file, "r", max_extract_size=MAX_BYTES) as opened,
        target.open("wb") as out,
    ):
        size = _checked(archive, opened)
        _check_room(folder, size)
        with reading(progress, f"unpacking {archive.name}", size) as advance:
            opened.extract(targets=[MEMBER], factory=_factory(out, size, advance))
    if target.stat().st_size != size:
        raise InputError(f"{archive}: {MEMBER} is shorter than the archive says")
    return target


def _checked(archive: Path, opened: "SevenZipFile") -> int:
    if opened.needs_password():
        raise InputError(f"{archive}: {_ENCRYPTED}")
    members = opened.list()
    for member in members:
        if reason := _hostile(member):
            raise InputError(f"{archive}: member {member.filename!r} {reason}; refused")
    total = sum(member.uncompressed for member in members)
    if total > MAX_BYTES:
        raise InputError(f"{archive}: would unpack to {total} bytes; refused")
    if total > max(HARMLESS, MAX_RATIO * archive.stat().st_size):
        raise InputError(
            f"{archive}: would unpack to {total} bytes, more than {MAX_RATIO} times its size; refused"
        )
    found = [member for member in members if member.filename == MEMBER]
    if len(found) != 1:
        names = ", ".join(member.filename for member in members[:10])
        raise InputError(
            f"{archive}: needs exactly one member {MEMBER}, has {len(found)}; its members: {names}"
        )
    return int(found[0].uncompressed)


def _hostile(member: "FileInfo") -> str:
    path = PurePosixPath(member.filename.replace("\\", "/"))
    if path.is_absolute() or (path.parts[:1] and path.parts[0].endswith(":")):
        return "has an absolute path"
    if ".." in path.parts:
        return "leads out of the archive"
    if not (member.is_file or member.is_directory):
        return "is a link or a device"
    return ""


def _check_room(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if size > free:
        raise InputError(
            f"{folder.parent}: {MEMBER} needs {size} bytes and {free} are free; make room"
        )


@contextmanager
def _clear_errors(archive: Path) -> Iterator[None]:
    from py7zr.exceptions import PasswordRequired

    try:
        yield
    except (InputError, OSError):
        raise
    except PasswordRequired:
        raise InputError(f"{archive}: {_ENCRYPTED}") from None
    except Exception as error:
        # On hostile bytes py7zr and its decoders raise nearly anything.
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"{archive}: damaged or truncated archive: {said}") from None


def _factory(out: IO[bytes], size: int, advance: Callable[[int], None]) -> "WriterFactory":
    from py7zr.io import Py7zIO, WriterFactory

    class Member(Py7zIO):
        written = 0

        def write(self, s: bytes | bytearray) -> int:
            self.written += len(s)
            if self.written > size:
                raise InputError(f"{MEMBER} is longer than the archive says; refused")
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

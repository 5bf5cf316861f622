"""Files that are either whole or absent: the cache folder, checksums, atomic writes, no links."""

import errno
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from hashlib import file_digest, sha256
from pathlib import Path

from graph.support.errors import ConfigError, DatasetError
from graph.support.logger import log
from graph.support.text import plural

_ENDING = ".opencoder-work"
_NAME_CHARS = 40
"""Characters of a target's name in the name of its temporary file; each takes up to 4 bytes."""
"""The end of the names of temporary files and work folders."""


def cache_folder() -> Path:
    """Return the folder of converted models, indexes, vectors, model replies and known judges.

    `OPENCODER_CACHE`, else `opencoder` in `XDG_CACHE_HOME`, else `~/.cache/opencoder`. As the XDG
    specification says, a relative `XDG_CACHE_HOME` is ignored.

    Raises:
        ConfigError: there is no home folder, or `OPENCODER_CACHE` names an unknown user's.
    """
    if folder := os.environ.get("OPENCODER_CACHE"):
        return with_home(folder)
    if (xdg := Path(os.environ.get("XDG_CACHE_HOME", ""))).is_absolute():
        return xdg / "opencoder"
    return with_home("~/.cache/opencoder")


def with_home(path: str) -> Path:
    """Return a path in which a leading `~` or `~user` is the home folder.

    Raises:
        ConfigError: there is no such home folder.
    """
    expanded = os.path.expanduser(path)
    if path.startswith("~") and expanded == path:
        raise ConfigError(f"{path!r}: this home folder is unknown; give the whole path")
    return Path(expanded)


def read_small_file(path: Path, limit: int) -> bytes:
    """Return the bytes of a file that a user names; it may be a link, but no pipe and no device.

    Args:
        path: The file.
        limit: The largest size in bytes.

    Raises:
        OSError: The file cannot be read, is not regular, or is larger than the limit.
    """
    # Without O_NONBLOCK the opening of a pipe waits for its other end.
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "this is not a regular file", str(path))
        content = file.read(limit + 1)
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"this is larger than {limit} bytes", str(path))
    return content


def make_folder(folder: Path) -> None:
    """Create a folder and its parents; a new cache folder can be read by its owner only."""
    cache = cache_folder()
    if folder.is_relative_to(cache):
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(parents=True, exist_ok=True)


def file_sha256(path: Path) -> str:
    """Return the hex SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def folder_sha256(folder: Path) -> str:
    """Return the hex SHA-256 of the names and bytes of a folder's files, without its subfolders."""
    total = sha256()
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        # A file name may hold bytes that are not UTF-8; Python holds them as surrogates.
        total.update(f"{path.name}\0{file_sha256(path)}\0".encode("utf-8", "surrogateescape"))
    return total.hexdigest()


def open_regular(path: Path, flags: int, mode: int = 0o644) -> int:
    """Open a file of a run folder or of the cache, and return its descriptor.

    A folder from somebody else can hold a link to a file elsewhere, or a pipe without an end. The
    folder itself may be a link: its user made it.

    Args:
        path: The file.
        flags: As for `os.open`. For writing, a file with a second name is refused too.
        mode: The permissions of a new file.

    Raises:
        DatasetError: The path is a link, or no regular file.
        OSError: The file cannot be opened.
    """
    try:
        # Without O_NONBLOCK the opening of a pipe waits for its other end.
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, mode)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _irregular(path, "is a symbolic link") from None
        if error.errno in (errno.ENXIO, errno.EISDIR):
            raise _irregular(path, "is not a regular file") from None
        raise
    status = os.fstat(descriptor)
    writes = flags & (os.O_WRONLY | os.O_RDWR)
    if stat.S_ISREG(status.st_mode) and not (writes and status.st_nlink > 1):
        return descriptor
    os.close(descriptor)
    if stat.S_ISREG(status.st_mode):
        raise _irregular(path, "is a hard link: the file has a second name")
    raise _irregular(path, "is not a regular file")


def _irregular(path: Path, reason: str) -> DatasetError:
    return DatasetError(
        f"{path} {reason}; it could lead to a file elsewhere, so it is not used: remove it, or put a "
        "copy of the file there"
    )


def read_regular(path: Path, limit: int | None = None) -> bytes:
    """Return the bytes of a file of a run folder.

    Args:
        path: The file.
        limit: The largest size in bytes.

    Raises:
        DatasetError: The path is a link, no regular file, or larger than the limit.
        OSError: The file cannot be read.
    """
    with open(open_regular(path, os.O_RDONLY), "rb") as file:
        content = file.read(-1 if limit is None else limit + 1)
    if limit is not None and len(content) > limit:
        raise DatasetError(
            f"{path}: is larger than {limit >> 20} MiB, so it is not the file it was"
        )
    return content


def write_atomically(path: Path, text: str) -> None:
    """Replace a text file in one step (UTF-8)."""
    write_bytes_atomically(path, text.encode("utf-8"))


def write_bytes_atomically(path: Path, content: bytes) -> None:
    """Replace a file in one step: a reader sees the old or the new file, a crash leaves the old.

    A link at the path is replaced, and the file that it leads to stays as it is.
    """
    remove_leftovers(path.parent)
    # The temporary file must be on the same file system as `path`: only then is replace atomic.
    descriptor, name = _create_held(lambda: tempfile.mkstemp(_ENDING, _prefix(path), path.parent))
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            # The bytes first, then the name: after a crash a new name never points to missing bytes.
            os.fsync(file.fileno())
            os.chmod(name, 0o644)  # mkstemp creates files that only their owner can read
            os.replace(name, path)
        sync_folder(path.parent)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextmanager
def folder_atomically(final: Path) -> Iterator[Path]:
    """Yield an empty folder that is renamed to `final` after the block, and deleted if it fails.

    If another process has finished the same folder meanwhile, its folder stays and this one is
    deleted.
    """
    make_folder(final.parent)
    with work_folder(final) as work:
        yield work
        for file in work.rglob("*"):
            if file.is_file():
                sync_file(file)
        os.chmod(work, 0o755)  # mkdtemp creates folders that only their owner can read
        try:
            os.rename(work, final)
        except OSError:
            if not final.is_dir():
                raise
        sync_folder(final.parent)


@contextmanager
def work_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder beside a target, and delete it after the block."""
    remove_leftovers(target.parent)

    def create() -> tuple[int, str]:
        name = tempfile.mkdtemp(_ENDING, _prefix(target), target.parent)
        return os.open(name, os.O_RDONLY), name

    descriptor, name = _create_held(create)
    try:
        yield Path(name)
    finally:
        shutil.rmtree(name, ignore_errors=True)
        os.close(descriptor)


def _prefix(target: Path) -> str:
    # A name of the greatest length has no room for the rest of a temporary name.
    return f".{target.name[:_NAME_CHARS]}."


def _create_held(create: Callable[[], tuple[int, str]]) -> tuple[int, str]:
    """Create a temporary file or folder that is locked while its descriptor is open.

    Returns:
        The descriptor and the path.
    """
    while True:
        descriptor, name = create()
        # Some network file systems have no locks. There, leftovers are not removed either.
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        # Another process may have taken it for a leftover before the lock was held.
        if os.path.lexists(name):
            return descriptor, name
        os.close(descriptor)


@contextmanager
def in_use(folder: Path) -> Iterator[None]:
    """Keep `opencoder cache clear` from clearing a folder of the cache during the block."""
    with ExitStack() as stack:
        # A cache that can only be read is cleared by nobody.
        with suppress(OSError):
            make_folder(folder)
            stack.enter_context(work_folder(folder / "use"))
        yield


def work_in_progress(folder: Path) -> bool:
    """Tell whether a live process writes to a folder; what ended ones left there is removed."""
    try:
        remove_leftovers(folder)
        with os.scandir(folder) as entries:
            return any(is_temporary(entry.name) for entry in entries)
    except FileNotFoundError:
        return False


def is_temporary(name: str) -> bool:
    """Tell whether a name is one of temporary files and work folders."""
    return name.startswith(".") and _ENDING in name


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files and work folders that ended processes left in a folder.

    A live process holds the locks of its own.
    """
    with os.scandir(folder) as entries:
        paths = [
            Path(entry.path)
            for entry in entries
            if entry.name.startswith(".") and entry.name.endswith(_ENDING)
        ]
    if removed := sum(map(_remove_unheld, paths)):
        kinds = plural(removed, "temporary file or folder", "temporary files or folders")
        log.info("%s: removed %d %s of ended processes", folder, removed, kinds)


def _remove_unheld(path: Path) -> bool:
    """Remove a leftover unless a live process holds it; tell whether it was removed."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def sync_file(path: Path) -> None:
    """Flush a file's bytes to the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Flush a folder's names to the disk; a no-op on systems that cannot open folders."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Files that are either whole or absent: the cache folder, checksums, atomic writes, no links."""

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from hashlib import file_digest, sha256
from pathlib import Path

from graph.support.errors import ConfigError, DatasetError
from graph.support.home import expand_home
from graph.support.logger import log
from graph.support.text import plural

_ENDING = ".opencoder-work"
"""The end of the names of temporary files and work folders; the name of a lock file goes on with
`_LOCK_ENDING`."""
_LOCK_ENDING = ".lock"
_NAME_CHARS = 40
"""Characters of a target's name in the name of its temporary file; each takes up to 4 bytes."""
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP)
"""What some network file systems say to a lock."""
# Windows has neither of the first two flags, and only Windows has the third: without it, a descriptor
# changes line ends there.
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)
_BYTES = getattr(os, "O_BINARY", 0)


def cache_folder() -> Path:
    """Return the folder of converted models, indexes, vectors, model replies and known judges.

    `OPENCODER_CACHE`, else `opencoder` in `XDG_CACHE_HOME`, else `~/.cache/opencoder`. As the XDG
    specification says, a relative `XDG_CACHE_HOME` is ignored. A leading `~` is the home folder.

    Raises:
        ConfigError: there is no home folder, or `OPENCODER_CACHE` names an unknown user's.
    """
    if folder := os.environ.get("OPENCODER_CACHE"):
        return with_home(folder)
    if (xdg := with_home(os.environ.get("XDG_CACHE_HOME", ""))).is_absolute():
        return xdg / "opencoder"
    return with_home("~/.cache/opencoder")


def with_home(path: str | Path) -> Path:
    """Return a path in which a leading `~` or `~user` is the home folder.

    Raises:
        ConfigError: there is no such home folder.
    """
    try:
        return Path(expand_home(str(path)))
    except ValueError as error:
        raise ConfigError(str(error)) from None


def read_small_file(path: Path, limit: int) -> bytes:
    """Return the bytes of a file that a user names; it may be a link, but no pipe and no device.

    Args:
        path: The file.
        limit: The largest size in bytes.

    Raises:
        OSError: The file cannot be read, is not regular, or is larger than the limit.
    """
    # Without O_NONBLOCK the opening of a pipe waits for its other end.
    with open(os.open(path, os.O_RDONLY | _NO_WAIT), "rb") as file:
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
    # O_NOFOLLOW also refuses a link that is made after this check; Windows has no such flag.
    if path.is_symlink():
        raise _irregular(path, "is a symbolic link")
    try:
        # Without O_NONBLOCK the opening of a pipe waits for its other end.
        descriptor = os.open(path, flags | _NO_LINK | _NO_WAIT | _BYTES, mode)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _irregular(path, "is a symbolic link") from None
        # Windows says of a folder that permission is denied.
        if error.errno in (errno.ENXIO, errno.EISDIR) or path.is_dir():
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
    # The temporary file must be on the same file system as `path`: only then is replace atomic.
    with _work_path(path) as work:
        with work.open("xb") as file:
            file.write(content)
            file.flush()
            # The bytes first, then the name: after a crash a new name never points to missing bytes.
            os.fsync(file.fileno())
        os.chmod(work, 0o644)
        os.replace(work, path)
    sync_folder(path.parent)


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
        os.chmod(work, 0o755)
        try:
            os.rename(work, final)
        except OSError:
            if not final.is_dir():
                raise
        sync_folder(final.parent)


@contextmanager
def work_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder beside a target, and delete it after the block.

    Only its owner can read it.
    """
    with _work_path(target) as path:
        path.mkdir(mode=0o700)
        yield path


@contextmanager
def _work_path(target: Path) -> Iterator[Path]:
    """Yield a path beside a target for a temporary file or folder, and remove what is there after the block.

    A lock file beside it tells other processes that this one lives. The temporary file itself cannot
    be locked: Windows moves no open file, and opens no folder.
    """
    remove_leftovers(target.parent)
    descriptor, lock = _create_lock(target)
    try:
        yield _locked_path(lock)
    finally:
        with suppress(OSError):
            _remove(_locked_path(lock))
        with suppress(OSError):
            lock.unlink()
        os.close(descriptor)
        # Windows removes no open file; elsewhere the lock file is gone, unless the disk refused it.
        with suppress(OSError):
            lock.unlink()


def _create_lock(target: Path) -> tuple[int, Path]:
    """Create the lock file of a temporary file or folder; return its locked descriptor and its path."""
    # A name of the greatest length has no room for the rest of a temporary name.
    prefix = f".{target.name[:_NAME_CHARS]}."
    while True:
        descriptor, name = tempfile.mkstemp(_ENDING + _LOCK_ENDING, prefix, target.parent)
        lock = Path(name)
        # Another process may have taken it for a leftover before it was locked.
        if lock_file(descriptor) is not False and os.path.lexists(lock):
            return descriptor, lock
        os.close(descriptor)


def _locked_path(lock: Path) -> Path:
    return lock.with_name(lock.name.removesuffix(_LOCK_ENDING))


def lock_file(descriptor: int) -> bool | None:
    """Lock an open file; the lock ends with its descriptor, and so with the process.

    On Windows, no other process can then read or write the first byte of the file.

    Returns:
        True if the file is locked now, False if another process holds it, None if its file system has
        no locks.
    """
    # Imported here: it takes as long as all of this package.
    from filelock import lock_descriptor

    try:
        return lock_descriptor(descriptor, blocking=False)
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return None
        raise


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
            return any(_is_lock(entry.name) for entry in entries)
    except FileNotFoundError:
        return False


def is_temporary(name: str) -> bool:
    """Tell whether a name is one of temporary files and work folders."""
    return name.startswith(".") and _ENDING in name


def _is_lock(name: str) -> bool:
    return name.startswith(".") and name.endswith(_ENDING + _LOCK_ENDING)


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files and work folders that ended processes left in a folder.

    A live process holds the locks of its own. Where the file system has no locks, nothing is removed.
    """
    with os.scandir(folder) as entries:
        locks = [Path(entry.path) for entry in entries if _is_lock(entry.name)]
    if removed := sum(map(_remove_unlocked, locks)):
        kinds = plural(removed, "temporary file or folder", "temporary files or folders")
        log.info("%s: removed %d %s of ended processes", folder, removed, kinds)


def _remove_unlocked(lock: Path) -> bool:
    """Remove a leftover and its lock file unless a live process holds it; tell whether it is gone."""
    try:
        descriptor = os.open(lock, os.O_RDONLY | _NO_LINK | _NO_WAIT)
    except OSError:
        return False
    try:
        if not lock_file(descriptor):
            return False
        _remove(_locked_path(lock))
        # While it is locked, so that no other process can begin to use it. Windows removes no open file.
        with suppress(PermissionError):
            lock.unlink()
    except OSError:
        return False
    finally:
        os.close(descriptor)
    with suppress(OSError):
        lock.unlink()
    return not os.path.lexists(lock)


def _remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it; a link is removed, and not followed."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def sync_file(path: Path) -> None:
    """Flush a file's bytes to the disk."""
    # Windows syncs no file that is open for reading alone.
    with path.open("r+b" if os.name == "nt" else "rb") as file:
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

"""Files that are either whole or absent: the cache folder, checksums, atomic writes."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import file_digest, sha256
from pathlib import Path


def cache_folder() -> Path:
    """Return the folder of converted models, indexes, vectors, model replies and known judges.

    `OPENCODER_CACHE`, else `opencoder` in `XDG_CACHE_HOME`, else `~/.cache/opencoder`.
    """
    if folder := os.environ.get("OPENCODER_CACHE"):
        return Path(folder)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "opencoder"


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


def write_atomically(path: Path, text: str) -> None:
    """Replace a text file in one step (UTF-8)."""
    write_bytes_atomically(path, text.encode("utf-8"))


def write_bytes_atomically(path: Path, content: bytes) -> None:
    """Replace a file in one step: a reader sees the old or the new file, a crash leaves the old."""
    # The temporary file must be on the same file system as `path`: only then is replace atomic.
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
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
    final.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=final.parent, prefix=f".{final.name}."))
    try:
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
    finally:
        shutil.rmtree(work, ignore_errors=True)


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

"""The run folder of eval.py: its lock, its manifest, and the way aside for `--fresh`."""

import errno
import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from evaluation.store.identity import changed_versions
from evaluation.store.manifest import read_manifest, with_checksum
from graph.support.errors import DatasetError, ReadOnlyFolderError, RunLockedError
from graph.support.logger import log
from graph.support.storage import (
    lock_file,
    open_regular,
    remove_leftovers,
    write_atomically,
)

_DERIVED = ("config", "profile", "questions", "question_digests")
"""Fields beside the identity that follow from the command and the dataset: another value is damage."""
_READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)
_OPEN_FILES_STAY = os.name == "nt"
"""Whether the system moves no folder in which a file is open, such as its lock."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock a run folder, and create it where it is missing; the lock ends with the process.

    Where the file system has no locks, a warning says so.

    Raises:
        ReadOnlyFolderError: The folder or its file system cannot be written to.
        DatasetError: It is no folder, or its lock is a link.
        RunLockedError: Another process holds it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = open_regular(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        kind = ReadOnlyFolderError if error.errno in _READ_ONLY else DatasetError
        raise kind(
            f"cannot write to {folder}: {error.strerror}; make it writable or name another folder with --runs"
        ) from None
    try:
        locked_now = lock_file(descriptor)
        if locked_now is False:
            # On Windows, the lock keeps the first byte from being read.
            os.lseek(descriptor, 1, os.SEEK_SET)
            holder = os.read(descriptor, 200).decode("utf-8", "replace") or "another process"
            raise RunLockedError(
                f"{folder} is held by {holder}: wait for it to end, or name another folder with --runs"
            )
        if locked_now is None:
            log.warning(
                "%s: its file system has no locks: do not start this run twice at the same time",
                folder,
            )
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"\nprocess {os.getpid()} on {platform.node()}".encode())
        remove_leftovers(folder)
        yield
    finally:
        os.close(descriptor)


def set_aside(folder: Path) -> Path | None:
    """Move an existing run aside for `--fresh`; return its new folder, None without a run.

    Raises:
        OpenCoderError: As `locked`.
    """
    with locked(folder):
        if not (folder / "manifest.json").exists() and not (folder / "journal.jsonl").exists():
            return None
        number = 1
        while (target := folder.with_name(f"{folder.name}.replaced-{number}")).exists():
            number += 1
        if not _OPEN_FILES_STAY:
            return folder.rename(target)
    # The move fails if another process has locked the folder since.
    return folder.rename(target)


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest, or check that the existing one is of the same run.

    Raises:
        DatasetError: The folder belongs to another run, or its manifest cannot be read.
    """
    path = folder / "manifest.json"
    if not path.exists():
        text = json.dumps(with_checksum(manifest), indent=1, allow_nan=False)
        write_atomically(path, f"{text}\n")
        return
    existing = read_manifest(folder)
    identity = manifest["identity"]
    changed_fields = [name for name in identity if existing["identity"].get(name) != identity[name]]
    changed_fields += [name for name in _DERIVED if existing.get(name) != manifest[name]]
    if changed_fields:
        raise DatasetError(
            f"{folder} belongs to another run: its {changed_fields[0]} differs; start over with --fresh"
        )
    if changed := changed_versions(existing["versions"], manifest["versions"]):
        log.warning("other versions than at the run's start: %s", ", ".join(changed))

"""The run folder: one writer at a time, a manifest that says what it is, nothing overwritten."""

import fcntl
import json
import logging
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from graph.support.errors import DatasetError, RunLockedError
from graph.support.storage import write_atomically

log = logging.getLogger("opencoder")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a run folder; the lock dies with the process.

    Raises:
        RunLockedError: another process holds it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise DatasetError(f"cannot write to {folder}: {error.strerror}") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 200).decode("utf-8", "replace") or "another process"
            raise RunLockedError(
                f"{folder} is held by {holder}: wait for it, or use another --runs folder"
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"process {os.getpid()} on {platform.node()}".encode())
        yield
    finally:
        os.close(descriptor)


def set_aside(folder: Path) -> Path | None:
    """Move an existing run out of the way for `--fresh`; return where it is now."""
    if not (folder / "manifest.json").exists() and not (folder / "journal.jsonl").exists():
        return None
    number = 1
    while (target := folder.with_name(f"{folder.name}.replaced-{number}")).exists():
        number += 1
    folder.rename(target)
    return target


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest, or check that the one that is there is of the same run.

    Raises:
        DatasetError: the folder belongs to another run, or its manifest cannot be read.
    """
    path = folder / "manifest.json"
    if not path.exists():
        write_atomically(path, json.dumps(manifest, indent=1, allow_nan=False) + "\n")
        return
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        items, packages = dict(found["identity"]), dict(found["versions"])
    except (OSError, ValueError, KeyError, TypeError):
        raise DatasetError(f"{path} cannot be read; start over with --fresh") from None
    for field, value in manifest["identity"].items():
        if items.get(field) != value:
            raise DatasetError(
                f"{folder} is a run of something else: its {field} differs; use --fresh"
            )
    changed = [
        name for name, number in manifest["versions"].items() if packages.get(name) != number
    ]
    if changed:
        log.warning("other versions than at the run's start: %s", ", ".join(changed))

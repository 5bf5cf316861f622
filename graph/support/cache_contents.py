"""The caches: where they are, how large they are, what is wrong with them; and their removal.

Only what this project writes is counted and removed, by the forms of its names. No link is followed.
"""

import os
import re
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

from graph.support.cache_names import ERRORS, INDEXES, LLM_CACHE, MODELS, REPLIES, VECTORS
from graph.support.errors import ConfigError
from graph.support.storage import cache_folder, is_temporary, work_in_progress
from graph.support.text import suggestion

_BUSY_SECONDS = 2.0
"""The longest wait for another process that writes to the file of replies."""
_SQLITE_ENDINGS = ("", "-journal", "-wal", "-shm")


class Cache(NamedTuple):
    """A cache: a folder of entries with names of one form, or a file of SQLite with a row an entry."""

    name: str
    unit: str
    """What one entry is, for a count of 1."""
    units: str
    entry: str
    """The name in the cache folder."""
    own: re.Pattern[str] = re.compile("")
    """The names of the entries that this project writes."""
    inner: re.Pattern[str] | None = None
    """The names of the files of an entry, where an entry is no unit: those are counted and removed."""

    @property
    def is_database(self) -> bool:
        """True for a file of SQLite, false for a folder."""
        return self.entry.endswith(".sqlite")

    @property
    def path(self) -> Path:
        """The folder or file."""
        return cache_folder() / self.entry


CACHES = (
    Cache(
        "models",
        "converted model",
        "converted models",
        MODELS,
        re.compile(r"\w[\w.-]*-\d+(\.\d+)+(-\w+)?"),
    ),
    Cache(
        "vectors",
        "file of vectors of texts",
        "files of vectors of texts",
        VECTORS,
        re.compile("[0-9a-f]{12}"),
        re.compile("[0-9a-f]{64}"),
    ),
    Cache(
        "indexes",
        "index of a corpus",
        "indexes of corpora",
        INDEXES,
        re.compile(r"\w{1,40}-[a-z]+-[0-9a-f]{12}"),
    ),
    Cache("replies", "finished model call", "finished model calls", REPLIES),
    Cache("langchain", "reply of open_llm_cache", "replies of open_llm_cache", LLM_CACHE),
    Cache(
        "errors",
        "log file of a fault",
        "log files of faults",
        ERRORS,
        re.compile(r"\d{8}T\d{6}\.\d+-\d+\.log"),
    ),
)


class Contents(NamedTuple):
    """The contents of a cache; `entries` is None where it cannot be known."""

    cache: Cache
    exists: bool
    entries: int | None
    size: int
    """Bytes of the files."""
    oldest: float | None
    """Time of the last change of the oldest file, in seconds since 1970."""
    newest: float | None
    foreign: int
    """Entries of the folder that are not of this project; they are not counted, and never removed."""
    problem: str | None


def select(names: list[str]) -> list[Cache]:
    """Return the caches of these names; all without names.

    Raises:
        ConfigError: there is no such cache.
    """
    by_name = {cache.name: cache for cache in CACHES}
    for name in names:
        if name not in by_name:
            hint = suggestion(name, list(by_name))
            raise ConfigError(
                f"there is no cache {name[:60]!r}; {hint}; known: {', '.join(by_name)}"
            )
    return [cache for cache in CACHES if cache.name in names or not names]


def contents_of(cache: Cache) -> Contents:
    """Measure a cache; a fault of it is a field of the result, and no error."""
    try:
        problem = _misplaced(cache)
        units = [] if problem else list(_units(cache))
        files = [status for unit in units for status in _files(unit)]
        entries, foreign = len(units), 0 if problem else _count_foreign(cache)
        exists = os.path.lexists(cache.path)
    except OSError as error:
        reason = f"{cache.path} cannot be read: {error.strerror}; make it readable, or remove it"
        return Contents(cache, True, None, 0, None, None, 0, reason)
    rows: int | None = None if problem else entries
    if cache.is_database and units:
        rows, problem = _rows(cache.path, cache.name)
    times = [status.st_mtime for status in files]
    size = sum(status.st_size for status in files)
    oldest, newest = min(times, default=None), max(times, default=None)
    return Contents(cache, exists, rows, size, oldest, newest, foreign, problem)


def clear(cache: Cache) -> str:
    """Remove what this project wrote into a cache; return the outcome in words.

    What a running process writes stays, and so does all that is not of this project.
    """
    if problem := _misplaced(cache):
        return f"not removed: {problem}"
    if not os.path.lexists(cache.path):
        return "there is none"
    if cache.is_database:
        return _clear_database(cache.path)
    try:
        if busy := _busy(cache):
            return f"not removed: a running process writes to {busy}; clear it when that has ended"
        failed = [error for unit in _units(cache) if (error := _remove(unit))]
    except OSError as error:
        return f"not removed: {error.filename}: {error.strerror}"
    for folder in _folders(cache):
        # One that is not empty stays.
        with suppress(OSError):
            folder.rmdir()
    if failed:
        others = f" (and {len(failed) - 1} more)" if failed[1:] else ""
        return f"not removed: {failed[0]}{others}"
    return "removed"


def _misplaced(cache: Cache) -> str | None:
    """Find a link or a file of another kind at the path of a cache; return it as a sentence."""
    wants_file = cache.is_database
    for path, is_right in (
        (cache_folder(), os.path.isdir),
        (cache.path, os.path.isfile if wants_file else os.path.isdir),
    ):
        if path == cache.path and path.is_symlink():
            return f"{path} is a symbolic link, which is not followed; remove it yourself"
        if os.path.lexists(path) and not is_right(path):
            kind = "file" if is_right is os.path.isfile else "folder"
            return f"{path} is no {kind}; remove it, or move it away"
    return None


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except FileNotFoundError:
        return []


def _own(cache: Cache) -> Iterator[os.DirEntry[str]]:
    """Yield the entries of a folder that have the kind and the form of the name of this project's."""
    wants_file = cache.entry == ERRORS
    for entry in _entries(cache.path):
        is_right = entry.is_file if wants_file else entry.is_dir
        if cache.own.fullmatch(entry.name) and is_right(follow_symlinks=False):
            yield entry


def _units(cache: Cache) -> Iterator[Path]:
    """Yield the files and folders that are counted and removed."""
    if cache.is_database:
        yield from (cache.path for _ in range(cache.path.exists()))
        return
    for entry in _own(cache):
        if cache.inner is None:
            yield Path(entry.path)
            continue
        for file in _entries(Path(entry.path)):
            if cache.inner.fullmatch(file.name) and file.is_file(follow_symlinks=False):
                yield Path(file.path)


def _folders(cache: Cache) -> Iterator[Path]:
    if cache.inner is not None:
        yield from (Path(entry.path) for entry in _own(cache))
    yield cache.path


def _count_foreign(cache: Cache) -> int:
    if cache.is_database:
        return 0
    others = {entry.name for entry in _entries(cache.path)} - {entry.name for entry in _own(cache)}
    return sum(not is_temporary(name) for name in others)


def _files(unit: Path) -> Iterator[os.stat_result]:
    """Yield the status of a file, or of all files in a folder; links count themselves."""
    status = unit.lstat()
    if not stat.S_ISDIR(status.st_mode):
        yield status
        return
    for entry in _entries(unit):
        # A process can have removed it meanwhile.
        with suppress(FileNotFoundError):
            yield from _files(Path(entry.path))


def _rows(path: Path, name: str) -> tuple[int | None, str | None]:
    """Return the number of stored calls, and the fault of the file."""
    try:
        address = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=_BUSY_SECONDS)) as connection:
            tables = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'calls'")
            if tables.fetchone() is None:
                return 0, None
            (rows,) = connection.execute("SELECT count(*) FROM calls").fetchone()
            return int(rows), None
    except (sqlite3.Error, UnicodeDecodeError) as error:
        return None, f"{path} is damaged or busy ({error}); remove it: opencoder cache clear {name}"


def _clear_database(path: Path) -> str:
    try:
        with closing(sqlite3.connect(path, timeout=_BUSY_SECONDS)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
    except (sqlite3.Error, UnicodeDecodeError) as error:
        # What SQLite cannot open otherwise, no process uses.
        if "locked" in str(error):
            return "not removed: a running process writes to it; clear it when that has ended"
    failures = [_remove(path.with_name(path.name + ending)) for ending in _SQLITE_ENDINGS]
    return next((f"not removed: {failure}" for failure in failures if failure), "removed")


def _busy(cache: Cache) -> Path | None:
    return next((folder for folder in _folders(cache) if work_in_progress(folder)), None)


def _remove(unit: Path) -> str | None:
    """Remove a file or a folder without following links; return the reason where it stays."""
    try:
        if unit.is_dir() and not unit.is_symlink():
            shutil.rmtree(unit)
        else:
            unit.unlink(missing_ok=True)
    except OSError as error:
        return f"{error.filename or unit}: {error.strerror}"
    return None

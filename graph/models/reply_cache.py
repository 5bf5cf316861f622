"""The cache of model calls: one SQLite file behind LangChain's cache interface.

LangChain's own `SQLiteCache` takes a damaged row for a reply and builds objects of the classes that
the file names. Here a row is plain JSON with a digest; a damaged one counts as missing.
"""

import json
import os
import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any

from langchain_core.caches import RETURN_VAL_TYPE, BaseCache
from langchain_core.messages import message_to_dict, messages_from_dict
from langchain_core.outputs import ChatGeneration, Generation

from graph.support.cache_names import REPLIES
from graph.support.errors import DatasetError
from graph.support.logger import log
from graph.support.storage import cache_folder, make_folder, open_regular
from graph.support.text import plural

_LOCK_SECONDS = 30.0
"""The longest wait for another process that writes."""
_TABLE = """
CREATE TABLE IF NOT EXISTS calls (key TEXT PRIMARY KEY, reply BLOB NOT NULL, digest BLOB NOT NULL)
WITHOUT ROWID
"""
_MODE = 0o600
"""Replies hold questions and posts of the user. SQLite gives its other files the same mode."""


class ReplyCache(BaseCache):
    """A LangChain cache in a SQLite file; several processes may use it at once.

    An error of the file stops no run. A damaged row or page counts as missing, so its call runs
    again. After another error the cache is empty and stores nothing.
    """

    # One for all: closing a file drops the locks of all its connections in the process.
    _lock = Lock()

    def __init__(self, path: Path) -> None:
        self._path = path
        self._usable = True
        self._warned = False
        self._has_table = False
        self.damaged = 0
        """Number of stored batches that were damaged, since `log_damaged`."""

    def lookup(self, prompt: str, llm_string: str) -> RETURN_VAL_TYPE | None:
        """Return the stored generations of a prompt and a model with its settings, or None."""
        key = _key(prompt, llm_string)
        row = self._execute("SELECT reply, digest FROM calls WHERE key = ?", (key,))
        if row is None:
            return None
        generations = _generations(key, *row)
        if generations is None:
            self.count_damaged()
        return generations

    def update(self, prompt: str, llm_string: str, return_val: RETURN_VAL_TYPE) -> None:
        """Store the generations of a prompt and a model with its settings, if JSON holds them as they are."""
        try:
            reply = json.dumps([_row(generation) for generation in return_val]).encode()
        except (TypeError, ValueError, RecursionError) as error:
            log.debug("a reply cannot be cached: %s", error)
            return
        key = _key(prompt, llm_string)
        restored = _generations(key, reply, _digest(key, reply)) or []
        # Texts of values tell a tuple from a list, and NaN equals itself.
        if repr([*map(_content, restored)]) != repr([*map(_content, return_val)]):
            log.debug("a reply cannot be cached: JSON would change it")
            return
        self._execute(
            "INSERT OR REPLACE INTO calls VALUES (?, ?, ?)", (key, reply, _digest(key, reply))
        )

    def clear(self, **kwargs: Any) -> None:
        """Delete everything; the arguments of LangChain's interface have no meaning here."""
        del kwargs
        self._execute("DELETE FROM calls", ())

    def count_damaged(self) -> None:
        """Count a stored batch that cannot be used, and so runs again."""
        self.damaged += 1

    def log_damaged(self) -> None:
        """Log the number of damaged batches since the last call, if there were any."""
        if self.damaged:
            log.warning(
                "%s: %d stored %s of model calls %s run again",
                *(self._path, self.damaged, plural(self.damaged, "batch", "batches")),
                plural(self.damaged, "was damaged: it was", "were damaged: they were"),
            )
        self.damaged = 0

    def _execute(self, statement: str, values: tuple[str | bytes, ...]) -> tuple[Any, Any] | None:
        """Run one statement as its own transaction; return its first row."""
        with self._lock:
            if not self._usable:
                return None
            try:
                is_empty = self._make_private()
                # A connection for each statement: none stays open across threads, forks and
                # interrupts. The time to connect is nothing beside the time of a batch.
                with closing(sqlite3.connect(self._path, timeout=_LOCK_SECONDS)) as connection:
                    # A damaged text could not be decoded.
                    connection.text_factory = bytes
                    if is_empty or not self._has_table:
                        connection.execute(_TABLE)
                        self._has_table = True
                    with connection:
                        row: tuple[Any, Any] | None = connection.execute(
                            statement, values
                        ).fetchone()
                    return row
            except (sqlite3.OperationalError, OSError, DatasetError) as error:
                self._usable = False
                self._warn("model calls are no longer cached", error)
            # SQLite's message can hold a damaged name, which cannot be decoded.
            except (sqlite3.Error, UnicodeDecodeError) as error:
                self._warn("damaged, and calls that cannot be read run again", error)
            return None

    def _make_private(self) -> bool:
        """Create the file if it is missing; only its owner can read it. Tell whether it is empty.

        Raises:
            DatasetError: The path is a link, or no regular file.
        """
        make_folder(self._path.parent)
        descriptor = open_regular(self._path, os.O_RDWR | os.O_CREAT, _MODE)
        try:
            # Windows changes no mode of a descriptor; the folder of the user is private there.
            if os.chmod in os.supports_fd:
                os.chmod(descriptor, _MODE)
            return os.fstat(descriptor).st_size == 0
        finally:
            os.close(descriptor)

    def _warn(self, consequence: str, error: Exception) -> None:
        if not self._warned:
            log.warning(
                "%s: %s: %s; remove the file if it is damaged", self._path, consequence, error
            )
        self._warned = True


def default_cache() -> ReplyCache:
    """Return the cache in the cache folder; the first use creates its file."""
    return ReplyCache(cache_folder() / REPLIES)


def _key(prompt: str, llm_string: str) -> str:
    return sha256(json.dumps([prompt, llm_string]).encode()).hexdigest()


def _digest(key: str, reply: bytes) -> bytes:
    return sha256(key.encode() + reply).digest()


def _generations(key: str, reply: object, digest: object) -> list[Generation] | None:
    """Return the generations of a row, or None if it is damaged."""
    if not isinstance(reply, bytes) or digest != _digest(key, reply):
        return None
    try:
        rows = json.loads(reply)
        return [_generation(*row) for row in rows] or None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _row(generation: Generation) -> list[object]:
    """Return a generation as JSON holds it; that of a chat model has its message too."""
    row: list[object] = [generation.text, generation.generation_info]
    if isinstance(generation, ChatGeneration):
        row.append(message_to_dict(generation.message))
    return row


def _content(generation: Generation) -> tuple[object, ...]:
    """Return text, details and message; a part of a streamed reply is stored as a whole one."""
    message = generation.message if isinstance(generation, ChatGeneration) else None
    return generation.text, generation.generation_info, message


def _generation(
    text: str, info: dict[str, Any] | None, message: dict[str, Any] | None = None
) -> Generation:
    if message is None:
        return Generation(text=text, generation_info=info)
    # This builds LangChain's messages alone, and no other class that a file could name.
    [restored] = messages_from_dict([message])
    return ChatGeneration(message=restored, generation_info=info)

"""The cache of model calls: one SQLite file behind LangChain's cache interface.

LangChain's own `SQLiteCache` takes a damaged row for a reply and builds objects of the classes that
the file names. Here a row is plain JSON, and a damaged one counts as missing.
"""

import json
import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any

from langchain_core.caches import RETURN_VAL_TYPE, BaseCache
from langchain_core.outputs import Generation

from graph.support.logger import log
from graph.support.storage import cache_folder

_LOCK_SECONDS = 30.0
"""The longest wait for another process that writes."""
_TABLE = (
    "CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, reply TEXT NOT NULL) WITHOUT ROWID"
)


class ReplyCache(BaseCache):
    """A LangChain cache in a SQLite file; several processes may use it at once.

    An error of the file stops no run: it is logged as a warning, and from then on the cache is
    empty and stores nothing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        self._usable = True

    def lookup(self, prompt: str, llm_string: str) -> RETURN_VAL_TYPE | None:
        """Return the stored generations of a prompt and a model with its settings, or None."""
        row = self._execute("SELECT reply FROM replies WHERE key = ?", (_key(prompt, llm_string),))
        return _generations(row[0]) if row else None

    def update(self, prompt: str, llm_string: str, return_val: RETURN_VAL_TYPE) -> None:
        """Store the generations of a prompt and a model with its settings."""
        rows = [[generation.text, generation.generation_info] for generation in return_val]
        self._execute(
            "INSERT OR REPLACE INTO replies VALUES (?, ?)",
            (_key(prompt, llm_string), json.dumps(rows)),
        )

    def clear(self, **kwargs: Any) -> None:
        """Delete everything; the arguments of LangChain's interface have no meaning here."""
        del kwargs
        self._execute("DELETE FROM replies", ())

    def _execute(self, statement: str, values: tuple[str, ...]) -> tuple[str] | None:
        """Run one statement as its own transaction; return its first row."""
        with self._lock:
            if not self._usable:
                return None
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                # A connection for each statement: none stays open across threads, forks and
                # interrupts. The time to connect is nothing beside the time of a batch.
                with closing(sqlite3.connect(self._path, timeout=_LOCK_SECONDS)) as connection:
                    with connection:
                        connection.execute(_TABLE)
                        row: tuple[str] | None = connection.execute(statement, values).fetchone()
                    return row
            except (sqlite3.Error, OSError) as error:
                self._usable = False
                log.warning(
                    "%s: model calls are no longer cached: %s; remove the file if it is damaged",
                    self._path,
                    error,
                )
                return None


def default_cache() -> ReplyCache:
    """Return the cache in the cache folder; the first use creates its file."""
    return ReplyCache(cache_folder() / "replies.sqlite")


def _key(prompt: str, llm_string: str) -> str:
    return sha256(json.dumps([prompt, llm_string]).encode()).hexdigest()


def _generations(stored: object) -> list[Generation] | None:
    try:
        rows = json.loads(stored) if isinstance(stored, str) else []
        return [Generation(text=text, generation_info=info) for text, info in rows] or None
    except (ValueError, TypeError, RecursionError):
        return None

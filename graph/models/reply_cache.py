"""Model calls that were made before, in one SQLite file behind LangChain's cache interface.

LangChain's own `SQLiteCache` reads a damaged row as if it were a reply and rebuilds objects from
what a file names; here a row is plain JSON, and one that cannot be read is asked again.
"""

import json
import logging
import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any

from langchain_core.caches import RETURN_VAL_TYPE, BaseCache
from langchain_core.outputs import Generation

from graph.support.storage import cache_folder

log = logging.getLogger("opencoder")
_SECONDS_TO_WAIT = 30.0
"""For another process that writes."""
_TABLE = (
    "CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, reply TEXT NOT NULL) WITHOUT ROWID"
)


class ReplyCache(BaseCache):
    """A LangChain cache in a SQLite file; several processes may use it at once.

    Nothing that is wrong with the file costs more than the time to ask again: the first error is
    a warning, and from then on the cache finds and keeps nothing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        self._usable = True

    def lookup(self, prompt: str, llm_string: str) -> RETURN_VAL_TYPE | None:
        """Return what was kept for a prompt of a model with its settings, None if nothing was."""
        row = self._execute("SELECT reply FROM replies WHERE key = ?", (_key(prompt, llm_string),))
        return _generations(row[0]) if row else None

    def update(self, prompt: str, llm_string: str, return_val: RETURN_VAL_TYPE) -> None:
        """Keep what a model replied."""
        kept = [[each.text, each.generation_info] for each in return_val]
        self._execute(
            "INSERT OR REPLACE INTO replies VALUES (?, ?)",
            (_key(prompt, llm_string), json.dumps(kept)),
        )

    def clear(self, **kwargs: Any) -> None:
        """Forget everything; LangChain passes no arguments that mean anything here."""
        del kwargs
        self._execute("DELETE FROM replies", ())

    def _execute(self, statement: str, values: tuple[str, ...]) -> tuple[str] | None:
        """Run one statement as its own transaction; return its first row."""
        with self._lock:
            if not self._usable:
                return None
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                # A connection for each statement: nothing is left open for other threads, forks and
                # interrupts, and a batch through a model is long beside it.
                with closing(sqlite3.connect(self._path, timeout=_SECONDS_TO_WAIT)) as opened:
                    with opened:
                        opened.execute(_TABLE)
                        row: tuple[str] | None = opened.execute(statement, values).fetchone()
                    return row
            except (sqlite3.Error, OSError) as error:
                self._usable = False
                log.warning(
                    "%s: model calls are not cached from here on: %s; remove the file if it is "
                    "damaged",
                    self._path,
                    error,
                )
                return None


def default_cache() -> ReplyCache:
    """Return the cache in the cache folder; its file is made at the first use."""
    return ReplyCache(cache_folder() / "replies.sqlite")


def _key(prompt: str, llm_string: str) -> str:
    return sha256(json.dumps([prompt, llm_string]).encode()).hexdigest()


def _generations(stored: object) -> list[Generation] | None:
    try:
        rows = json.loads(stored) if isinstance(stored, str) else []
        return [Generation(text=text, generation_info=info) for text, info in rows] or None
    except (ValueError, TypeError, RecursionError):
        return None

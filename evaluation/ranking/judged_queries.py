"""Queries with relevance judgments: read from tables, checked against the corpus, and grouped."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from graph.markdown import to_markdown
from graph.support.errors import DatasetError
from graph.support.table_files import Row, read_rows
from graph.support.table_values import TableValues
from graph.support.text import plural

ALL = "all"
"""The name of all kinds of queries together; no kind may have it."""
QUERY_COLUMNS = ("query_id", "query_title", "query_body", "kind")
QREL_COLUMNS = ("query_id", "question_id", "relevance")
MAX_KINDS = 20
MAX_KIND_LENGTH = 40
MAX_RELEVANCE = 100

Relevance = dict[str, int]
"""Relevance by `question_id`; above 0 is relevant."""


@dataclass(frozen=True)
class JudgedQuery:
    """A query with at least one relevant question in the corpus."""

    query_id: str
    text: str
    kind: str
    relevant: Mapping[str, int]
    """Relevance, above 0, by `question_id`; questions of the corpus only."""
    group: int
    """Queries of one group share relevant questions, directly or through other queries."""


@dataclass(frozen=True)
class LeftOut:
    """Counts of the queries and judgments of the files that no mean includes."""

    queries_without_relevant: int = 0
    """Queries with no relevant question in the corpus."""
    judgments_of_unknown_queries: int = 0
    judgments_outside_corpus: int = 0
    repeated_judgments: int = 0

    def counts(self) -> dict[str, int]:
        """Return the counts by name."""
        return asdict(self)

    def notes(self) -> list[str]:
        """Return a line for each count above 0."""
        notes = {
            "queries_without_relevant": (
                "query has no relevant question in the corpus: it is in no mean",
                "queries have no relevant question in the corpus: they are in no mean",
            ),
            "judgments_of_unknown_queries": (
                "judgment is of a query that the queries file does not hold: not used",
                "judgments are of queries that the queries file does not hold: not used",
            ),
            "judgments_outside_corpus": (
                "judgment is of a question that the corpus does not hold: not used",
                "judgments are of questions that the corpus does not hold: not used",
            ),
            "repeated_judgments": (
                "judgment is repeated: used once",
                "judgments are repeated: used once",
            ),
        }
        return [
            f"{count} {plural(count, *notes[name])}"
            for name, count in self.counts().items()
            if count
        ]


@dataclass(frozen=True)
class JudgedQueries:
    """The queries of a measurement."""

    queries: list[JudgedQuery]
    left_out: LeftOut
    questions: int
    """Different question ids in the corpus."""


def load_judged(queries: Path, qrels: Path, corpus: Path) -> JudgedQueries:
    """Read queries, their judgments and the question ids of the corpus.

    Raises:
        DatasetError: A file cannot be read, a row is wrong, or no query has a relevant question
            in the corpus.
    """
    texts = read_queries(queries)
    judgments, repeated = read_qrels(qrels)
    corpus_ids = read_ids(corpus)
    relevant = {
        query_id: {
            question: relevance
            for question, relevance in judgments.get(query_id, {}).items()
            if relevance > 0 and question in corpus_ids
        }
        for query_id in texts
    }
    query_ids = [query_id for query_id in texts if relevant[query_id]]
    if not query_ids:
        raise DatasetError(
            f"{qrels}: no query of {queries} has a relevant question in {corpus}: "
            "do the three belong together?"
        )
    groups = group_by_relevant([relevant[query_id] for query_id in query_ids])
    left_out = LeftOut(
        queries_without_relevant=len(texts) - len(query_ids),
        judgments_of_unknown_queries=sum(
            len(judged) for query_id, judged in judgments.items() if query_id not in texts
        ),
        judgments_outside_corpus=sum(
            len(judgments.get(query_id, {}).keys() - corpus_ids) for query_id in texts
        ),
        repeated_judgments=repeated,
    )
    judged_queries = [
        JudgedQuery(query_id, *texts[query_id], relevant=relevant[query_id], group=group)
        for query_id, group in zip(query_ids, groups, strict=True)
    ]
    return JudgedQueries(judged_queries, left_out, len(corpus_ids))


def read_queries(path: Path) -> dict[str, tuple[str, str]]:
    """Read the text and the kind of each query, by `query_id`.

    Raises:
        DatasetError: The file cannot be read, an id is repeated, a query is empty, or a kind is
            not allowed.
    """
    queries: dict[str, tuple[str, str]] = {}
    row_of_id: dict[str, int] = {}
    values = TableValues(path)
    for number, row in read_rows(path, QUERY_COLUMNS):
        query_id = _identifier(path, number, row, "query_id", values)
        first = row_of_id.setdefault(query_id, number)
        if first != number:
            raise _error(path, number, f"query_id {_quote(query_id)} is already in row {first}")
        # As evaluation/answering/questions.py builds the text of a question.
        title = values.text(row["query_title"].strip())
        body = to_markdown(values.text(row["query_body"]))
        text = f"{title}\n\n{body}".strip()
        if not text:
            raise _error(path, number, f"the query {_quote(query_id)} is empty")
        queries[query_id] = (text, _kind(path, number, row))
    values.log_changes()
    kinds = {kind for _, kind in queries.values()}
    if len(kinds) > MAX_KINDS:
        raise DatasetError(
            f"{path}: kind has {len(kinds)} different values; at most {MAX_KINDS} fit"
        )
    return queries


def read_qrels(path: Path) -> tuple[dict[str, Relevance], int]:
    """Read the judgments by `query_id`, and count the rows that repeat one.

    Raises:
        DatasetError: The file cannot be read, a relevance is not a whole number, or a pair of query
            and question has two.
    """
    judgments: dict[str, Relevance] = {}
    repeated = 0
    values = TableValues(path)
    for number, row in read_rows(path, QREL_COLUMNS):
        query_id, question = (
            _identifier(path, number, row, column, values) for column in QREL_COLUMNS[:2]
        )
        judged, relevance = judgments.setdefault(query_id, {}), _relevance(path, number, row)
        if judged.get(question, relevance) != relevance:
            raise _error(
                path,
                number,
                f"query {_quote(query_id)} and question {_quote(question)} have relevance "
                f"{judged[question]} in an earlier row and {relevance} here",
            )
        repeated += question in judged
        judged[question] = relevance
    values.log_changes()
    return judgments, repeated


def read_ids(corpus: Path) -> set[str]:
    """Read the question ids of a corpus.

    Raises:
        DatasetError: The file cannot be read, or a row has no id.
    """
    rows = read_rows(corpus, ("question_id",))
    values = TableValues(corpus)
    ids = {_identifier(corpus, number, row, "question_id", values) for number, row in rows}
    values.log_changes()
    return ids


def group_by_relevant(relevant: Sequence[Mapping[str, int]]) -> list[int]:
    """Return the group of each query: a connected component of the query-question graph.

    Queries with a common relevant question succeed or fail together, so the bootstrap draws whole
    groups.

    Args:
        relevant: The relevant questions of each query, at least one.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    columns: dict[str, int] = {}
    edges = [
        (row, columns.setdefault(question, len(columns)))
        for row, questions in enumerate(relevant)
        for question in questions
    ]
    rows, targets = np.array(edges).T
    # The nodes are the queries, followed by the questions.
    size = len(relevant) + len(columns)
    ones = np.ones(len(edges), dtype=np.int8)
    links = coo_array((ones, (rows, targets + len(relevant))), shape=(size, size))
    _, labels = connected_components(links, directed=False)
    return [int(label) for label in labels[: len(relevant)]]


def _kind(path: Path, number: int, row: Row) -> str:
    kind = " ".join(row["kind"].split())
    if not kind:
        raise _error(path, number, "kind is empty: name one, as in 'title only'")
    if kind == ALL:
        raise _error(path, number, f"kind {ALL!r} is the name of all queries together: use another")
    if len(kind) > MAX_KIND_LENGTH:
        raise _error(path, number, f"kind is longer than {MAX_KIND_LENGTH} characters")
    return kind


def _relevance(path: Path, number: int, row: Row) -> int:
    text = row["relevance"].strip()
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    # Neither NaN nor infinity is a whole number.
    if not (value.is_integer() and -MAX_RELEVANCE <= value <= MAX_RELEVANCE):
        raise _error(
            path,
            number,
            f"relevance {_quote(text)} is not a whole number up to {MAX_RELEVANCE} "
            "(0 is not relevant)",
        )
    return int(value)


def _identifier(path: Path, number: int, row: Row, column: str, values: TableValues) -> str:
    identifier = values.id(number, row, column)
    if not identifier:
        raise _error(path, number, f"{column} is empty")
    # ir_measures passes ids to trec_eval as C strings: no NUL, no lone surrogate.
    if not identifier.isprintable():
        raise _error(path, number, f"{column} {_quote(identifier)} holds an unprintable character")
    return identifier


def _error(path: Path, number: int, reason: str) -> DatasetError:
    return DatasetError(f"{path}: row {number}: {reason}")


def _quote(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}...")

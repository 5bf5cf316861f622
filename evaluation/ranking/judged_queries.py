"""Queries with their relevance judgments: checked against the corpus, and grouped."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

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


@dataclass(frozen=True)
class JudgedQuery:
    """One query whose relevant questions are known."""

    query_id: str
    text: str
    kind: str
    relevant: Mapping[str, int]
    """Only questions of the corpus; at least one."""
    group: int
    """Queries of one group share relevant questions, directly or through other queries."""


@dataclass(frozen=True)
class LeftOut:
    """What the files hold that is in no mean."""

    queries_without_relevant: int = 0
    """Queries with no relevant question in the corpus."""
    judgments_of_unknown_queries: int = 0
    judgments_outside_corpus: int = 0
    repeated_judgments: int = 0

    def counts(self) -> dict[str, int]:
        """Return each count by its name."""
        return asdict(self)

    def notes(self) -> list[str]:
        """Return a line for each count above 0."""
        says = {
            "queries_without_relevant": "queries have no relevant question in the corpus: they "
            "are in no mean",
            "judgments_of_unknown_queries": "judgments are of queries that the queries file does "
            "not hold: not used",
            "judgments_outside_corpus": "judgments are of questions that the corpus does not "
            "hold: not used",
            "repeated_judgments": "judgments stand there twice: used once",
        }
        return [f"{count} {says[name]}" for name, count in self.counts().items() if count]


@dataclass(frozen=True)
class JudgedQueries:
    """The queries to measure with."""

    queries: list[JudgedQuery]
    left_out: LeftOut
    questions: int
    """Of the corpus, each id once."""


def load_judged(queries: Path, qrels: Path, corpus: Path) -> JudgedQueries:
    """Read queries, their judgments and the ids of the corpus.

    Raises:
        DatasetError: a file cannot be read, a row is wrong, or no query has a relevant question
            in the corpus.
    """
    asked = read_queries(queries)
    judgments, repeated = read_qrels(qrels)
    known = read_ids(corpus)
    found = {name: _in_corpus(judgments.get(name, {}), known) for name in asked}
    kept = [name for name in asked if found[name]]
    if not kept:
        raise DatasetError(
            f"{qrels}: no query of {queries} has a relevant question in {corpus}: "
            "do the three belong together?"
        )
    groups = group_by_relevant([found[name] for name in kept])
    left_out = LeftOut(
        queries_without_relevant=len(asked) - len(kept),
        judgments_of_unknown_queries=sum(len(judgments[n]) for n in judgments if n not in asked),
        judgments_outside_corpus=sum(
            question not in known for name in asked for question in judgments.get(name, {})
        ),
        repeated_judgments=repeated,
    )
    made = [
        JudgedQuery(name, *asked[name], relevant=found[name], group=group)
        for name, group in zip(kept, groups, strict=True)
    ]
    return JudgedQueries(made, left_out, len(known))


def group_by_relevant(relevant: Sequence[Mapping[str, int]]) -> list[int]:
    """Return each query's group: a connected component of the query-question graph.

    Queries with the same relevant question succeed or fail together, so a group is the unit that
    is drawn when intervals are made.
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
    size = len(relevant) + len(columns)
    ones = np.ones(len(edges), dtype=np.int8)
    links = coo_array((ones, (rows, targets + len(relevant))), shape=(size, size))
    _, labels = connected_components(links, directed=False)
    return [int(label) for label in labels[: len(relevant)]]


def _in_corpus(judged: Relevance, known: set[str]) -> Relevance:
    return {q: relevance for q, relevance in judged.items() if relevance > 0 and q in known}

"""Queries with their relevance judgments: checked against the corpus, and grouped."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from evaluation.ranking.query_files import Relevance, read_ids, read_qrels, read_queries
from graph.support.errors import DatasetError


@dataclass(frozen=True)
class Query:
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
class Judged:
    """The queries to measure with."""

    queries: list[Query]
    left_out: LeftOut
    questions: int
    """Of the corpus, each id once."""


def load_judged(queries: Path, qrels: Path, corpus: Path) -> Judged:
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
        Query(name, *asked[name], relevant=found[name], group=group)
        for name, group in zip(kept, groups, strict=True)
    ]
    return Judged(made, left_out, len(known))


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

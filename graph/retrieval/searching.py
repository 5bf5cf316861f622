"""An open index: the posts that fit a question best, by the weighed scores of all its parts."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graph.retrieval import fingerprints, fusion
from graph.retrieval.encoder import Encoder, open_encoder
from graph.retrieval.index import has_keywords, vector_fields
from graph.retrieval.parts import keyword
from graph.retrieval.parts.keyword import KeywordIndex
from graph.retrieval.parts.postgres import PostgresIndex
from graph.retrieval.parts.vectors import VectorIndex
from graph.retrieval.posts import Posts
from graph.retrieval.query import Query
from graph.schema import EmbedderSpec, Retrieval

_POOL = 200
"""Posts that each part of an index nominates at least."""
_SCORES_AT_ONCE = 1 << 24
"""Keyword scores in memory at a time, for questions times posts: 128 MB."""
_DECIMALS = 9
"""Scores are rounded to this: what differs only by the order of a sum is equal."""


class Candidates(NamedTuple):
    """Posts for one question, best first; of equal scores the earlier row comes first."""

    rows: NDArray[np.int64]
    scores: NDArray[np.float64]


class Nominated(NamedTuple):
    """Posts that some part of an index named for one question, as every part scores them."""

    rows: NDArray[np.int64]
    features: dict[str, NDArray[np.float64]]
    """From feature (see `fusion.weights`) to one value per row."""


class OpenIndex:
    """The parts of one index, and how they are weighed."""

    def __init__(
        self,
        retrieval: Retrieval,
        posts: Posts,
        prints: NDArray[np.uint64],
        words: KeywordIndex | None,
        vectors: Mapping[str, VectorIndex | PostgresIndex],
        encoder: Encoder | None,
    ) -> None:
        self.posts, self.fingerprints = posts, prints
        self._words, self.vectors, self._encoder = words, vectors, encoder
        self._weights = fusion.weights(retrieval)
        # A post that shares no word with the question is no match; a low cosine still is one.
        self._only_matches = retrieval.kind == "keyword"

    @classmethod
    def open(cls, retrieval: Retrieval, folder: Path, embedder: EmbedderSpec) -> "OpenIndex":
        """Open a verified index; nothing is encoded."""
        fields = vector_fields(retrieval)
        store = PostgresIndex if retrieval.store == "postgres" else VectorIndex
        return cls(
            retrieval,
            Posts.open(folder),
            fingerprints.load(folder),
            KeywordIndex.open(folder) if has_keywords(retrieval) else None,
            {field: store.open(folder, field) for field in fields},
            open_encoder(embedder) if fields else None,
        )

    def search(
        self, questions: Sequence[Query], depth: int, excluded: Collection[int] = ()
    ) -> list[Candidates]:
        """Return at least `depth` posts for each question where there are as many."""
        pool = max(_POOL, depth) + len(excluded)
        step = max(1, _SCORES_AT_ONCE // max(1, len(self.posts)))
        parts = (questions[start : start + step] for start in range(0, len(questions), step))
        return [
            self._ranked(each) for part in parts for each in self.nominate(part, pool, excluded)
        ]

    def nominate(
        self, questions: Sequence[Query], pool: int, excluded: Collection[int] = ()
    ) -> list[Nominated]:
        """Let each part name its `pool` best posts for each question, and score the union by all."""
        if not questions:
            return []
        words = self._word_scores(questions, excluded)
        asked = self.encode(questions)
        nearest = {name: index.search(asked, pool).rows for name, index in self.vectors.items()}
        found = []
        for number in range(len(questions)):
            named = [rows[number] for rows in nearest.values()]
            if words is not None:
                named.append(_best(words[number], pool))
            rows = _union(named, excluded)
            features = {
                name: index.cosines(asked[number], rows) for name, index in self.vectors.items()
            }
            if words is not None:
                best = words[number].max(initial=0.0) if self.vectors else 1.0
                features[fusion.KEYWORD] = words[number][rows] / (best or 1.0)
            found.append(Nominated(rows, features))
        return found

    def encode(self, questions: Sequence[Query]) -> NDArray[np.float32]:
        """Return the questions' vectors, shape [questions, dimension]; none without vectors."""
        if self._encoder is None:
            return np.empty((0, 0), dtype=np.float32)
        return self._encoder.encode([question.plain_text for question in questions])

    def _word_scores(
        self, questions: Sequence[Query], excluded: Collection[int]
    ) -> NDArray[np.float64] | None:
        if self._words is None:
            return None
        scores = self._words.scores([keyword.query_terms(question) for question in questions])
        # Else the best score, against which all are measured, would be that of a leak.
        scores[:, list(excluded)] = 0.0
        return scores

    def _ranked(self, nominated: Nominated) -> Candidates:

        rows = nominated.rows
        total = np.zeros(len(rows))
        for name, weight in self._weights.items():
            total += weight * nominated.features[name]
        total = total.round(_DECIMALS)
        if self._only_matches:
            rows, total = rows[total > 0], total[total > 0]
        order = np.lexsort((rows, -total))
        return Candidates(rows[order], total[order])


def _best(scores: NDArray[np.float64], depth: int) -> NDArray[np.int64]:
    """Return the rows of the best scores above 0; of equal ones the first rows."""
    if depth < len(scores):
        least = np.partition(scores, -depth)[-depth]
        # Equal sums can differ in their last bits: all that may be among the best are kept.
        rows = np.flatnonzero(scores >= least - 10.0**-_DECIMALS)
    else:
        rows = np.arange(len(scores))
    return rows[scores[rows] > 0]


def _union(named: list[NDArray[np.int64]], excluded: Collection[int]) -> NDArray[np.int64]:

    rows = np.unique(np.concatenate(named))
    # An approximate search that finds too little fills up with -1.
    rows = rows[rows >= 0]
    return rows[~np.isin(rows, list(excluded))] if excluded else rows

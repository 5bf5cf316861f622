"""An open index: the best posts for a query, by the weighed scores of all parts."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graph.retrieval import fingerprints, fusion
from graph.retrieval.candidates import Candidates, Nominated
from graph.retrieval.embeddings import Embedder, OwnEmbeddings, open_embedder
from graph.retrieval.encoder import Encoder
from graph.retrieval.parts import part_classes
from graph.retrieval.parts.part import SCORE_DECIMALS, Part, QueryBatch, Vectors
from graph.retrieval.posts import StoredPosts
from graph.retrieval.query import Query
from graph.schema import Retrieval

_MIN_POOL = 200
"""The smallest number of posts that each part of an index nominates."""
_SCORES_AT_ONCE = 1 << 24
"""The largest number of queries times posts in a batch: a part that scores all posts then takes 128 MB."""


class OpenIndex:
    """The parts of an index with their weights, and its posts."""

    def __init__(
        self,
        retrieval: Retrieval,
        posts: StoredPosts,
        prints: NDArray[np.uint64],
        parts: Mapping[str, Part],
        encoder: Encoder | OwnEmbeddings,
    ) -> None:
        self.posts, self.fingerprints, self.parts = posts, prints, parts
        self._encoder = encoder
        self._weights = fusion.weights(retrieval)
        self._ranking_parts = {name: parts[name] for name in self._weights}
        # A post without a word of the query does not fit it; a post with a low cosine still may.
        self._only_matches = all(part.only_matches for part in self._ranking_parts.values())

    @classmethod
    def open(cls, retrieval: Retrieval, folder: Path, embedder: Embedder) -> "OpenIndex":
        """Open a verified index; nothing is encoded."""
        parts = {name: part.open(folder, name) for name, part in part_classes(retrieval).items()}
        return cls(
            retrieval,
            StoredPosts.open(folder),
            fingerprints.load(folder),
            parts,
            open_embedder(embedder),
        )

    @property
    def vectors(self) -> Vectors:
        """The vectors of the first part that has any.

        Raises:
            ValueError: no part has vectors.
        """
        for part in self.parts.values():
            if part.vectors is not None:
                return part.vectors
        raise ValueError("no part of this index has vectors")

    def search(
        self, queries: Sequence[Query], depth: int, excluded: Collection[int] = ()
    ) -> list[Candidates]:
        """Return at least `depth` candidates for each query, if the index has so many.

        Args:
            queries: The queries.
            depth: The number of candidates.
            excluded: Rows of posts that are never returned.
        """
        pool = max(_MIN_POOL, depth) + len(excluded)
        step = max(1, _SCORES_AT_ONCE // max(1, len(self.posts)))
        batches = (queries[start : start + step] for start in range(0, len(queries), step))
        return [
            self._rank(nominated)
            for batch in batches
            for nominated in self.nominate(batch, pool, excluded)
        ]

    def nominate(
        self, queries: Sequence[Query], pool: int, excluded: Collection[int] = ()
    ) -> list[Nominated]:
        """Let each weighed part nominate its `pool` best posts for each query; all parts score the union."""
        if not queries:
            return []
        parts = self._ranking_parts
        batch = QueryBatch(queries, self._encoder, excluded=excluded, is_fused=len(parts) > 1)
        nominations = [part.nominate(batch, pool) for part in parts.values()]
        nominated = []
        for position in range(len(queries)):
            rows = _union([rows_of[position] for rows_of in nominations], excluded)
            features = {
                name: part.score(batch, position, rows) for name, part in self.parts.items()
            }
            nominated.append(Nominated(rows, features))
        return nominated

    def _rank(self, nominated: Nominated) -> Candidates:
        total = np.zeros(len(nominated.rows))
        for name, weight in self._weights.items():
            total += weight * nominated.features[name]
        total = total.round(SCORE_DECIMALS)
        candidates = Candidates(nominated.rows, total, nominated)
        if self._only_matches:
            candidates = candidates.at(np.flatnonzero(total > 0))
        return candidates.at(np.lexsort((candidates.rows, -candidates.scores)))


def _union(nominations: list[NDArray[np.int64]], excluded: Collection[int]) -> NDArray[np.int64]:
    rows = np.unique(np.concatenate(nominations))
    # An approximate search that finds too few posts fills up with -1.
    rows = rows[rows >= 0]
    return rows[~np.isin(rows, list(excluded))] if excluded else rows

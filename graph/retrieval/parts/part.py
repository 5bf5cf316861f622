"""The interface of a part of an index, and the batch of queries that its parts search together."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from graph.retrieval.embeddings import OwnEmbeddings
    from graph.retrieval.encoder import Encoder
    from graph.retrieval.posts import Post
    from graph.retrieval.query import Query

Parameters = dict[str, object]
"""An entry of an index's manifest, as JSON holds it."""
EncodeTexts = Callable[[str, Sequence[str]], NDArray[np.float32]]
"""Encodes the texts of all posts, shape (posts, dimension); its first argument names them in messages."""

SCORE_DECIMALS = 9
"""Scores that are equal to this many decimals are equal: sums of the same terms in another order."""


class Vectors(Protocol):
    """Vectors by row: `vectors[rows]` has shape (rows, dimension)."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: NDArray[np.int64], /) -> NDArray[np.float32]: ...


class QueryBatch:
    """Queries that are searched together, and the values that are computed once for all of them."""

    def __init__(
        self,
        queries: "Sequence[Query]",
        encoder: "Encoder | OwnEmbeddings",
        *,
        excluded: Collection[int] = (),
        is_fused: bool,
    ) -> None:
        self.queries = queries
        self._encoder = encoder
        self.excluded = excluded
        """Rows of posts that are never retrieved."""
        self.is_fused = is_fused
        """Whether the scores of several parts are weighed together: each is then at most 1."""
        self.scores: dict[Part, NDArray[np.float64]] = {}
        """Scores of all posts, shape (queries, posts), of parts that need them more than once."""

    @cached_property
    def vectors(self) -> NDArray[np.float32]:
        """The vectors of the queries, shape (queries, dimension); the first use encodes them."""
        return self._encoder.encode_queries([query.plain_text for query in self.queries])


class Part(ABC):
    """A part of an index: nominates its best posts for a query, and scores any others.

    The name of a part is its key in the registry, and that of its score in `fusion.weights`.
    """

    section: ClassVar[str]
    """The key of the manifest with the parameters; parts of one class share it."""
    encodes: ClassVar[bool]
    """Whether posts and queries are encoded: the encoder is then part of the index's identity."""
    only_matches: ClassVar[bool]
    """Whether a post with score 0 does not fit the query at all."""
    vectors: Vectors | None
    """The vectors of all posts, of a part that has any."""

    @classmethod
    @abstractmethod
    def parameters(cls, names: Sequence[str]) -> Parameters:
        """Return the values that must match when an index with parts of these names is reopened."""

    @classmethod
    @abstractmethod
    def files(cls, name: str) -> frozenset[str]:
        """Return the names of the files that `save` always writes."""

    @classmethod
    def optional_files(cls, name: str) -> frozenset[str]:
        """Return the names of the files that `save` writes for some corpora."""
        return frozenset()

    @classmethod  # noqa: B027  # most parts need no server
    def check_server(cls) -> None:
        """Check the server that `open` needs, if it needs one: an index takes minutes to build.

        Raises:
            ConfigError, MissingExtraError: the server cannot be used.
        """

    @classmethod
    @abstractmethod
    def build(cls, name: str, posts: "Sequence[Post]", encode: EncodeTexts) -> "Part":
        """Build the part of these posts."""

    @classmethod
    @abstractmethod
    def open(cls, folder: Path, name: str) -> "Part":
        """Open the files of `save`, whose digests the caller has verified."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the files of the part."""

    @abstractmethod
    def nominate(self, batch: QueryBatch, pool: int) -> list[NDArray[np.int64]]:
        """Return the rows of the `pool` best posts for each query; a row of -1 is no post."""

    @abstractmethod
    def score(
        self, batch: QueryBatch, position: int, rows: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return the score of each of some posts for the query at a position of the batch."""

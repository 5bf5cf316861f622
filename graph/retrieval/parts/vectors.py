"""The vector parts: the cosine of query and post, from normalised sentence vectors, by FAISS."""

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graph.retrieval.array_files import open_array
from graph.retrieval.parts.part import EncodeTexts, Parameters, Part, QueryBatch, Vectors
from graph.support.errors import MissingExtraError

if TYPE_CHECKING:
    from graph.retrieval.posts import Post

APPROXIMATE_ABOVE = 500_000
"""The largest number of vectors that is searched exactly; more get an approximate index."""
_PROBES = 64
_TRAINING_PER_LIST = 64

PARAMETERS: Parameters = {
    "normalised": True,
    "approximate_above": APPROXIMATE_ABOVE,
    "text": 3,
}
"""Part of an index's identity; count `text` up when `Post.field_text` changes."""


class Nearest(NamedTuple):
    """The nearest posts of queries, best first; both arrays have shape (queries, depth)."""

    scores: NDArray[np.float32]
    rows: NDArray[np.int64]


class FieldPart(Part):
    """The vectors of one field of all posts; a subclass searches them."""

    section = "vectors"
    encodes = True
    only_matches = False
    vectors: Vectors

    @classmethod
    def parameters(cls, names: Sequence[str]) -> Parameters:
        """Return the parameters of all vectors, and the fields."""
        return {**PARAMETERS, "fields": list(names)}

    @classmethod
    def files(cls, name: str) -> frozenset[str]:
        """Return the file of the vectors."""
        return frozenset({f"{name}.npy"})

    @classmethod
    def optional_files(cls, name: str) -> frozenset[str]:
        """Return the file of the approximate index."""
        return frozenset({f"{name}.faiss"})

    @classmethod
    def build(cls, name: str, posts: "Sequence[Post]", encode: EncodeTexts) -> "VectorPart":
        """Encode the field of all posts."""
        return VectorPart.from_vectors(
            name, encode(name, [post.field_text(name) for post in posts])
        )

    @abstractmethod
    def search(self, queries: NDArray[np.float32], depth: int) -> Nearest:
        """Return the `depth` nearest posts of each query; queries have shape (n, dimension)."""

    def cosines(self, query: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the cosine of a query with each of some posts, in [-1, 1]."""
        # In 32 bits, equal vectors get unequal products: the order of a sum depends on the row.
        cosines: NDArray[np.float64] = self.vectors[rows].astype(np.float64) @ query
        return cosines

    def nominate(self, batch: QueryBatch, pool: int) -> list[NDArray[np.int64]]:
        """Return the nearest posts of each query."""
        return list(self.search(batch.vectors, pool).rows)

    def score(
        self, batch: QueryBatch, position: int, rows: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return the cosine of a query with each of some posts."""
        return self.cosines(batch.vectors[position], rows)


class VectorPart(FieldPart):
    """Vectors in files, searched by FAISS; they stay on disk until they are read."""

    vectors: NDArray[np.float32]

    def __init__(self, name: str, vectors: NDArray[np.float32], approximate: Any = None) -> None:
        self._name = name
        self.vectors = vectors
        self._approximate = approximate

    @classmethod
    def from_vectors(cls, name: str, vectors: NDArray[np.float32]) -> "VectorPart":
        """Index normalised vectors, shape (posts, dimension): very many get an inverted file too."""
        if len(vectors) <= APPROXIMATE_ABOVE:
            _faiss()
            return cls(name, vectors)
        return cls(name, vectors, _inverted_file(vectors))

    def search(self, queries: NDArray[np.float32], depth: int) -> Nearest:
        """Return the `depth` nearest posts of each query, exact unless the index is approximate.

        An approximate search that finds fewer posts fills up with the row -1.
        """
        depth = min(depth, len(self.vectors))
        if self._approximate is not None:
            return Nearest(*self._approximate.search(queries, depth))
        faiss = _faiss()
        return Nearest(*faiss.knn(queries, self.vectors, depth, metric=faiss.METRIC_INNER_PRODUCT))

    @property
    def is_approximate(self) -> bool:
        """Whether the search visits a part of the vectors."""
        return self._approximate is not None

    def to_faiss(self) -> Any:
        """Return an index of FAISS: a copy in memory, or the inverted file, which can only be read."""
        if self._approximate is not None:
            return self._approximate
        index = _faiss().IndexFlatIP(self.vectors.shape[1])
        index.add(self.vectors)
        return index

    def save(self, folder: Path) -> None:
        """Write the vectors, and the inverted file if there is one."""
        np.save(folder / f"{self._name}.npy", self.vectors, allow_pickle=False)
        if self._approximate is not None:
            _faiss().write_index(self._approximate, str(folder / f"{self._name}.faiss"))

    @classmethod
    def open(cls, folder: Path, name: str) -> "VectorPart":
        """Map the files of `save` into memory."""
        faiss = _faiss()
        vectors = open_array(folder / f"{name}.npy")
        file = folder / f"{name}.faiss"
        if not file.exists():
            return cls(name, vectors)
        index = faiss.read_index(str(file), faiss.IO_FLAG_MMAP)
        faiss.extract_index_ivf(index).nprobe = _PROBES
        return cls(name, vectors, index)


def _inverted_file(vectors: NDArray[np.float32]) -> Any:
    """Build an IVF index (Jegou et al. 2011): k-means cells, of which a query visits the nearest."""
    faiss = _faiss()
    lists = int(4 * len(vectors) ** 0.5)
    dimension = vectors.shape[1]
    index = faiss.index_factory(dimension, f"IVF{lists},Flat", faiss.METRIC_INNER_PRODUCT)
    index.cp.seed = 0
    index.cp.max_points_per_centroid = _TRAINING_PER_LIST
    sample = np.linspace(0, len(vectors) - 1, min(len(vectors), lists * _TRAINING_PER_LIST))
    index.train(np.ascontiguousarray(vectors[np.unique(sample.astype(np.int64))]))
    index.add(vectors)
    index.nprobe = _PROBES
    return index


def _faiss() -> Any:
    try:
        import faiss
    except ImportError:
        raise MissingExtraError(
            "semantic retrieval needs FAISS: pip install 'opencoder[cpu]' (or [gpu]; never both)"
        ) from None
    return faiss

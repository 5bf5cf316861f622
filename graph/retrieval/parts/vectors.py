"""Semantic retrieval: the inner product of normalised sentence vectors, searched by FAISS."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graph.support.errors import MissingExtraError

APPROXIMATE_ABOVE = 500_000
"""Vectors from which on an approximate index is built; smaller ones are searched exactly."""
_PROBES = 64
_TRAINING_PER_LIST = 64

PARAMETERS: dict[str, object] = {
    "normalised": True,
    "approximate_above": APPROXIMATE_ABOVE,
    "text": 3,
}
"""Part of an index's identity; count `text` up when what the encoder reads of a post changes."""


class Nearest(NamedTuple):
    """What a search found, shape [queries, depth] each, best first."""

    scores: NDArray[np.float32]
    rows: NDArray[np.int64]


class VectorIndex:
    """The vectors of one field of all posts, on disk until they are touched."""

    def __init__(self, vectors: NDArray[np.float32], approximate: Any = None) -> None:
        self.vectors = vectors
        self._approximate = approximate

    @classmethod
    def build(cls, vectors: NDArray[np.float32]) -> "VectorIndex":
        """Take normalised vectors, shape [posts, dimension]; very many get an inverted file too."""
        if len(vectors) <= APPROXIMATE_ABOVE:
            _faiss()
            return cls(vectors)
        return cls(vectors, _inverted_file(vectors))

    def search(self, queries: NDArray[np.float32], depth: int) -> Nearest:
        """Return the `depth` nearest posts of each query, exact unless the index is approximate."""
        depth = min(depth, len(self.vectors))
        if self._approximate is not None:
            return Nearest(*self._approximate.search(queries, depth))
        faiss = _faiss()
        found = faiss.knn(queries, self.vectors, depth, metric=faiss.METRIC_INNER_PRODUCT)
        return Nearest(*found)

    def cosines(self, query: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the cosine of a query with each of some posts, in [-1, 1]."""
        # In 32 bits, equal vectors get unequal products: the order of a sum depends on the row.
        found: NDArray[np.float64] = self.vectors[rows].astype(np.float64) @ query
        return found

    def save(self, folder: Path, name: str) -> None:
        """Write the vectors, and the inverted file if there is one."""
        np.save(folder / f"{name}.npy", self.vectors, allow_pickle=False)
        if self._approximate is not None:
            _faiss().write_index(self._approximate, str(folder / f"{name}.faiss"))

    @classmethod
    def open(cls, folder: Path, name: str) -> "VectorIndex":
        """Map what `save` wrote into memory; the caller has checked the digests of the files."""
        faiss = _faiss()
        vectors = np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        file = folder / f"{name}.faiss"
        if not file.exists():
            return cls(vectors)
        index = faiss.read_index(str(file), faiss.IO_FLAG_MMAP)
        faiss.extract_index_ivf(index).nprobe = _PROBES
        return cls(vectors, index)


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

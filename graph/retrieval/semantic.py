"""Semantic retrieval: the inner product of normalised sentence vectors, searched by FAISS."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graph.errors import MissingExtraError
from graph.progress import progress
from graph.retrieval.encoder import Encoder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PARAMETERS: dict[str, object] = {"index": "IndexFlatIP", "normalised": True, "text": 1}
"""Part of an index's identity; count `text` up when `Post.search_text` changes."""

_FILE = "index.faiss"
FILES = (_FILE,)


class SemanticIndex:
    """Vectors of all documents, exact search."""

    def __init__(self, index: Any, encoder: Encoder) -> None:
        self._index = index
        self._encoder = encoder

    @classmethod
    def build(cls, texts: Sequence[str], encoder: Encoder) -> "SemanticIndex":
        """Encode all texts; minutes for tens of thousands on a CPU, so progress is shown."""
        faiss = _faiss()
        with progress("encoding posts", len(texts)) as bar:
            vectors = encoder.encode(texts, bar)
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(vectors)
        return cls(index, encoder)

    def scores(self, query: str) -> "NDArray[np.float64]":
        """Return the cosine of each document, shape [documents], in [-1, 1]."""
        import numpy as np

        vector = self._encoder.encode([query])
        found, rows = self._index.search(vector, self._index.ntotal)
        scores = np.empty(self._index.ntotal)
        scores[rows[0]] = found[0]
        return scores

    def save(self, folder: Path) -> None:
        """Write the FAISS index."""
        _faiss().write_index(self._index, str(folder / _FILE))

    @classmethod
    def open(cls, folder: Path, encoder: Encoder) -> "SemanticIndex":
        """Read what `save` wrote; the caller has checked the file's digest."""
        return cls(_faiss().read_index(str(folder / _FILE)), encoder)


def _faiss() -> Any:
    try:
        import faiss
    except ImportError:
        raise MissingExtraError(
            "semantic retrieval needs FAISS: pip install 'opencoder[cpu]' (or [gpu]; never both)"
        ) from None
    return faiss

"""An encoder that encodes equal texts once: several metrics compare the same candidates."""

from collections.abc import Sequence

import numpy as np
from numpy import float32
from numpy.typing import NDArray

from graph.retrieval.encoder import Encoder, TextPart


class RememberingEncoder(Encoder):
    """The documents of another encoder, whose vectors stay in memory."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__(encoder.spec)
        self._encoder = encoder
        self._vectors: dict[str, NDArray[float32]] = {}

    def encode(self, texts: Sequence[str]) -> NDArray[float32]:
        """Return vectors of documents, shape (texts, dimension); see `Encoder.encode`."""
        new_texts = list(dict.fromkeys(text for text in texts if text not in self._vectors))
        self._vectors.update(zip(new_texts, self._encoder.encode(new_texts), strict=True))
        if not texts:
            return np.empty((0, 0), dtype=float32)
        return np.stack([self._vectors[text] for text in texts])

    def encode_queries(self, texts: Sequence[str]) -> NDArray[float32]:
        """Return vectors of queries; they are not remembered."""
        return self._encoder.encode_queries(texts)

    def split(self, texts: Sequence[str]) -> list[list[TextPart]]:
        """Split each text into parts that the encoder reads whole."""
        return self._encoder.split(texts)

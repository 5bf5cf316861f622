"""Encoded vectors on disk, by their texts: an interrupted build continues from them."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graph.support.storage import make_folder, write_bytes_atomically

_DIGEST_BYTES = 32


class Chunks:
    """Finished chunks of one encoder, each in a file that is named after its texts.

    An index of another kind with the same texts reads them too: `hybrid` after `semantic`, say.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, texts: Sequence[str]) -> NDArray[np.float32] | None:
        """Return the vectors of these texts, shape (texts, dimension); None if missing or damaged."""
        try:
            content = self._file(texts).read_bytes()
        except OSError:
            return None
        digest, data = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        if not data or sha256(data).digest() != digest or len(data) % (4 * len(texts)):
            return None
        return np.frombuffer(data, dtype="<f4").reshape(len(texts), -1)

    def write(self, texts: Sequence[str], vectors: NDArray[np.float32]) -> None:
        """Write vectors atomically, after their SHA-256."""
        make_folder(self._folder)
        data = vectors.astype("<f4").tobytes()
        write_bytes_atomically(self._file(texts), sha256(data).digest() + data)

    def _file(self, texts: Sequence[str]) -> Path:
        name = sha256()
        for text in texts:
            encoded = text.encode("utf-8")
            # Without the lengths, ["ab", "c"] and ["a", "bc"] would have the same name.
            name.update(len(encoded).to_bytes(8, "big") + encoded)
        return self._folder / name.hexdigest()

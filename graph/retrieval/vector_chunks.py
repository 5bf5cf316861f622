"""Vectors on disk by what was encoded: a build that was cut off goes on where it was."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graph.support.storage import write_bytes_atomically


class Chunks:
    """Finished chunks of one encoder, each in a file that is named after its texts.

    Another index with the same texts finds them too: `hybrid` after `semantic`, say.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, texts: Sequence[str]) -> NDArray[np.float32] | None:
        """Return the vectors of these texts, shape [texts, dimension], if they are here and whole."""
        try:
            content = self._file(texts).read_bytes()
        except OSError:
            return None
        digest, data = content[:32], content[32:]
        if not data or sha256(data).digest() != digest or len(data) % (4 * len(texts)):
            return None
        return np.frombuffer(data, dtype="<f4").reshape(len(texts), -1)

    def write(self, texts: Sequence[str], vectors: NDArray[np.float32]) -> None:
        """Keep vectors: the file is whole or not there."""
        self._folder.mkdir(parents=True, exist_ok=True)
        data = vectors.astype("<f4").tobytes()
        write_bytes_atomically(self._file(texts), sha256(data).digest() + data)

    def _file(self, texts: Sequence[str]) -> Path:
        name = sha256()
        for text in texts:
            encoded = text.encode("utf-8")
            name.update(len(encoded).to_bytes(8, "big") + encoded)
        return self._folder / name.hexdigest()

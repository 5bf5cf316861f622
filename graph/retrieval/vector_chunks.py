"""Encoded vectors on disk, by their texts: an interrupted build continues from them."""

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graph.support.logger import log
from graph.support.storage import make_folder, write_bytes_atomically
from graph.support.text import plural

_DIGEST_BYTES = 32
_UNUSED_SECONDS = 30 * 24 * 3600


class Chunks:
    """Finished chunks of one encoder, each in a file that is named after its texts.

    An index of another kind with the same texts reads them too: `hybrid` after `semantic`, say. A
    chunk that no build has read or written for a month is removed.
    """

    def __init__(self, folder: Path) -> None:
        """Open a folder, and remove the unused chunks of all encoders beside it."""
        self._folder = folder
        _remove_unused(folder.parent)

    def read(self, texts: Sequence[str]) -> NDArray[np.float32] | None:
        """Return the vectors of these texts, shape (texts, dimension); None if missing or damaged."""
        try:
            path = self._file(texts)
            content = path.read_bytes()
        except OSError:
            return None
        with suppress(OSError):  # a cache that can only be read
            os.utime(path)
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


def _remove_unused(folder: Path) -> None:
    removed = 0
    for path in folder.glob("*/*"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _UNUSED_SECONDS:
                path.unlink()
                removed += 1
    if removed:
        log.info(
            "%s: removed %d %s of vectors that no build has used for a month",
            *(folder, removed, plural(removed, "file")),
        )

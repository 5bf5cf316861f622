"""The vectors of texts on disk, by the digest of each text: a build encodes only new texts."""

import errno
import os
import struct
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graph.support.errors import ConfigError, DatasetError
from graph.support.logger import log
from graph.support.progress import progress
from graph.support.storage import make_folder, open_regular, write_bytes_atomically
from graph.support.text import plural, without_surrogates

BLOCK = 512
"""Texts that are encoded between two steps of the progress, and saved in one file."""
_HEAD = struct.Struct("<32sQQ")
"""The SHA-256 of all bytes after it, the number of vectors, and their dimension."""
_DIGEST_BYTES = 32
_UNUSED_SECONDS = 30 * 24 * 3600
_READ_ONLY = {errno.EACCES, errno.EPERM, errno.EROFS}

EncodeBlocks = Callable[[Iterator[list[str]]], Iterator[NDArray[np.float32]]]
"""Yields the vectors of each block of texts, shape (texts, dimension); a vector depends on its text alone."""
Check = Callable[[Sequence[str], NDArray[np.float32], Path], None]
"""Raises an error if the encoder gives texts other vectors than those stored in a folder."""


class Encoded(NamedTuple):
    """The vectors of texts, shape (texts, dimension), and where they are from; equal texts count once."""

    vectors: NDArray[np.float32]
    reused: int
    """Texts whose vectors were stored."""
    computed: int
    """Texts that were encoded."""


class TextVectors:
    """The vectors of one encoder, in files that are written once; several processes may use them.

    A file has a checksum, the digests of its texts, and their vectors. A damaged one is removed. All
    indexes share the vectors: `hybrid` after `semantic`, say. A file that no build has read or written
    for a month is removed.
    """

    def __init__(self, folder: Path) -> None:
        """Open a folder, which need not exist."""
        self.folder = folder
        self._is_read_only = False

    def read(
        self, digests: Collection[bytes]
    ) -> Iterator[tuple[tuple[bytes, ...], NDArray[np.float32]]]:
        """Yield each file that has a vector of these texts: the digests of its texts, and its vectors.

        Afterwards the unused files of all encoders are removed.

        Args:
            digests: The SHA-256 of texts; of a type that tells fast whether it holds one.
        """
        damaged = 0
        for path in sorted(self.folder.glob("[0-9a-f]*")):
            try:
                stored = _read(path, digests)
            except (OSError, DatasetError):
                continue
            except ValueError:
                damaged += 1
                with suppress(OSError):  # a cache that can only be read
                    path.unlink()
                continue
            if stored:
                with suppress(OSError):
                    os.utime(path)
                yield stored
        if damaged:
            log.warning(
                "%s: %d damaged %s of vectors: their texts are encoded again",
                *(self.folder, damaged, plural(damaged, "file")),
            )
        _remove_unused(self.folder.parent)

    def write(self, digests: Sequence[bytes], vectors: NDArray[np.float32]) -> None:
        """Write vectors, shape (digests, dimension), as one file, atomically.

        A cache that can only be read is left as it is, with one warning.

        Raises:
            OSError: the file cannot be written for another reason.
        """
        if self._is_read_only:
            return
        content = b"".join(digests) + vectors.astype("<f4").tobytes()
        shape = struct.pack("<QQ", *vectors.shape)
        checksum = sha256(shape + content)
        try:
            make_folder(self.folder)
            path = self.folder / checksum.hexdigest()
            write_bytes_atomically(path, checksum.digest() + shape + content)
        except OSError as error:
            if error.errno not in _READ_ONLY:
                raise
            self._is_read_only = True
            log.warning("%s: new vectors are not stored: %s", self.folder, error.strerror)


def encode_new(
    texts: Sequence[str],
    encode_blocks: EncodeBlocks,
    stored: TextVectors | None,
    label: str,
    check: Check | None = None,
) -> Encoded:
    """Return the vectors of texts: those that are stored are read, the others encoded and stored.

    New texts are encoded in blocks of similar length; each block is stored when it is finished.

    Args:
        texts: Any texts.
        encode_blocks: Encodes blocks of texts.
        stored: The vectors of this encoder; None if they must not be used again.
        label: What the progress says is done.
        check: Gets one text of each file whose vectors are used, before anything is encoded or stored.

    Raises:
        ConfigError: the encoder gives vectors of another length than the stored ones.
    """
    digests = [sha256(without_surrogates(text).encode()).digest() for text in texts]
    first_rows: dict[bytes, int] = {}
    for row, digest in enumerate(digests):
        first_rows.setdefault(digest, row)
    vectors = np.empty((len(texts), 0), dtype=np.float32)
    missing = dict(first_rows)
    samples = []
    for file_digests, file_vectors in stored.read(first_rows) if stored else ():
        pairs = [(i, missing.pop(d)) for i, d in enumerate(file_digests) if d in missing]
        vectors = _with_room(vectors, file_vectors)
        vectors[[row for _, row in pairs]] = file_vectors[[i for i, _ in pairs]]
        samples += [row for _, row in pairs[:1]]
    if stored and samples and check:
        check([texts[row] for row in samples], vectors[samples], stored.folder)
    reused = len(first_rows) - len(missing)
    with progress(label, len(first_rows), done=reused) as bar:
        rows_by_length = sorted(missing.values(), key=lambda row: (-len(texts[row]), row))
        starts = range(0, len(rows_by_length), BLOCK)
        blocks = [rows_by_length[start : start + BLOCK] for start in starts]
        block_texts = ([texts[row] for row in rows] for rows in blocks)
        for rows, encoded in zip(blocks, encode_blocks(block_texts), strict=True):
            vectors = _with_room(vectors, encoded)
            if stored:
                stored.write([digests[row] for row in rows], encoded)
            vectors[rows] = encoded
            bar.advance(len(rows), f"{reused} reused")
    repeats = [row for row, digest in enumerate(digests) if first_rows[digest] != row]
    vectors[repeats] = vectors[[first_rows[digests[row]] for row in repeats]]
    return Encoded(vectors, reused, len(missing))


def _with_room(vectors: NDArray[np.float32], some: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return an array for all vectors, once the first ones show their dimension."""
    if not vectors.shape[1]:
        return np.empty((len(vectors), some.shape[1]), dtype=np.float32)
    if vectors.shape[1] != some.shape[1]:
        raise ConfigError(
            f"the encoder gives vectors of {some.shape[1]} numbers, and an earlier build with the same "
            f"name and revision stored vectors of {vectors.shape[1]}: give it another name or revision"
        )
    return vectors


def _read(
    path: Path, wanted: Collection[bytes]
) -> tuple[tuple[bytes, ...], NDArray[np.float32]] | None:
    """Read a file of `TextVectors.write`; None if it has none of the wanted texts.

    Raises:
        OSError, DatasetError: it cannot be read, or is no regular file.
        ValueError: it is damaged.
    """
    with open(open_regular(path, os.O_RDONLY), "rb") as file:
        head = file.read(_HEAD.size)
        if len(head) < _HEAD.size:
            raise ValueError("a part of the file is missing")
        checksum, rows, dimension = _HEAD.unpack(head)
        row_bytes = _DIGEST_BYTES + 4 * dimension
        size = os.fstat(file.fileno()).st_size
        if not dimension or size != _HEAD.size + rows * row_bytes:
            raise ValueError("the file has another length than it says")
        names = file.read(_DIGEST_BYTES * rows)
        digests = tuple(
            names[start : start + _DIGEST_BYTES] for start in range(0, len(names), _DIGEST_BYTES)
        )
        if not any(digest in wanted for digest in digests):
            return None
        data = file.read()
    if sha256(head[_DIGEST_BYTES:] + names + data).digest() != checksum:
        raise ValueError("the file has another checksum than it says")
    return digests, np.frombuffer(data, dtype="<f4").reshape(rows, dimension)


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

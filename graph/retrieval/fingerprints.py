"""Fingerprints of posts: nearly the same text gives nearly the same 64 bits."""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graph.retrieval import terms
from graph.retrieval.array_files import open_array
from graph.retrieval.posts import Post

FILE = "fingerprints.npy"
NEAR = 3
"""The largest number of bits in which fingerprints of near-duplicates differ (Manku et al. 2007)."""
PARAMETERS: dict[str, object] = {"bits": 64, "texts": 2, "terms": terms.VERSION}
"""Part of an index's identity."""


def of(posts: Sequence[Post]) -> NDArray[np.uint64]:
    """Return the SimHash of each post (Charikar 2002), shape (posts,).

    Question and answer have equal weight: two short answers to one long question are no duplicates.
    """
    fingerprints = np.empty(len(posts), dtype=np.uint64)
    for row, post in enumerate(posts):
        bits = _bit_sums(f"{post.title}\n{post.question}") + _bit_sums(post.answer) > 0
        fingerprints[row] = np.packbits(bits).view(np.uint64)[0]
    return fingerprints


def _bit_sums(text: str) -> NDArray[np.float64]:
    """Return for each bit the sum over a text's n terms of +1 or -1, over sqrt(n); shape (64,)."""
    # A text without a term is only near to exactly the same text.
    features = set(terms.tokenize(text)) or {text}
    hashes = np.array([_hash(feature) for feature in features], dtype=np.uint64)
    bits = np.unpackbits(hashes.view(np.uint8).reshape(-1, 8), axis=1)
    sums: NDArray[np.float64] = (2.0 * bits.sum(axis=0) - len(hashes)) / np.sqrt(len(hashes))
    return sums


def near(fingerprint: np.uint64, fingerprints: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Tell for each of some fingerprints whether it is that of a near-duplicate of the first."""
    close: NDArray[np.bool_] = np.bitwise_count(fingerprints ^ fingerprint) <= NEAR
    return close


def save(folder: Path, fingerprints: NDArray[np.uint64]) -> None:
    """Write fingerprints."""
    np.save(folder / FILE, fingerprints, allow_pickle=False)


def load(folder: Path) -> NDArray[np.uint64]:
    """Read the file of `save`."""
    fingerprints: NDArray[np.uint64] = open_array(folder / FILE, mapped=False)
    return fingerprints


@lru_cache(maxsize=1 << 18)
def _hash(term: str) -> int:
    # Python's own hash of a text differs from process to process.
    return int.from_bytes(
        blake2b(term.encode("utf-8", "replace"), digest_size=8).digest(), "little"
    )

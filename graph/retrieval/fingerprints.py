"""Fingerprints of posts: nearly the same text gives nearly the same 64 bits."""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graph.retrieval import terms
from graph.retrieval.documents import Post

FILE = "fingerprints.npy"
NEAR = 3
"""Bits in which the fingerprints of near-duplicates differ at most (Manku et al. 2007)."""
PARAMETERS: dict[str, object] = {"bits": 64, "texts": 2, "terms": terms.VERSION}
"""Part of an index's identity."""


def of(posts: Sequence[Post]) -> NDArray[np.uint64]:
    """Return the SimHash of each post (Charikar 2002), shape [posts].

    Question and answer weigh the same: two short answers to one long question are no duplicates.
    """
    found = np.empty(len(posts), dtype=np.uint64)
    for row, post in enumerate(posts):
        bits = _leaning(f"{post.title}\n{post.question}") + _leaning(post.answer) > 0
        found[row] = np.packbits(bits).view(np.uint64)[0]
    return found


def _leaning(text: str) -> NDArray[np.float64]:
    """Return how far the hashes of a text's terms lean to 1 in each bit, shape [64]."""
    # A text without a term is only near to the very same text.
    features = set(terms.tokenize(text)) or {text}
    hashes = np.array([_hash(feature) for feature in features], dtype=np.uint64)
    bits = np.unpackbits(hashes.view(np.uint8).reshape(-1, 8), axis=1)
    found: NDArray[np.float64] = (2.0 * bits.sum(axis=0) - len(hashes)) / np.sqrt(len(hashes))
    return found


def near(one: np.uint64, others: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Return which of the others are near-duplicates of one."""
    close: NDArray[np.bool_] = np.bitwise_count(others ^ one) <= NEAR
    return close


def save(folder: Path, values: NDArray[np.uint64]) -> None:
    """Write fingerprints."""
    np.save(folder / FILE, values, allow_pickle=False)


def load(folder: Path) -> NDArray[np.uint64]:
    """Read what `save` wrote."""
    found: NDArray[np.uint64] = np.load(folder / FILE, allow_pickle=False)
    return found


@lru_cache(maxsize=1 << 18)
def _hash(term: str) -> int:
    return int.from_bytes(
        blake2b(term.encode("utf-8", "replace"), digest_size=8).digest(), "little"
    )

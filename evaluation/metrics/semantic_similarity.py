"""Semantic similarity: the cosine of sentence vectors, each of a whole text.

An encoder reads a limited number of tokens at once (all-MiniLM-L6-v2: 256). A longer text is split
between words into parts of at most that many. Its vector is the mean of the parts' vectors, weighted
by their tokens, and of length 1.
"""

from collections.abc import Sequence
from math import isnan
from typing import TYPE_CHECKING

import numpy as np
from numpy import float32
from numpy.typing import NDArray

from evaluation.metrics.metric import Metric
from evaluation.metrics.normal_text import normal_text

if TYPE_CHECKING:
    from graph.retrieval.encoder import Encoder


def semantic_similarity(
    answers: Sequence[str], references: Sequence[str], encoder: "Encoder | None"
) -> list[float | None]:
    """Return the cosine of each answer and its reference, at least 0.

    None without a reference or without an encoder. All texts are encoded in one call, and all as
    documents: an answer and its reference are texts of the same kind.
    """
    if encoder is None:
        return [None] * len(answers)
    vectors = whole_vectors([normal_text(text) for text in (*answers, *references)], encoder)
    scores: list[float | None] = []
    for row, (answer, reference) in enumerate(zip(answers, references, strict=True)):
        if not reference:
            scores.append(None)
        elif not answer:
            scores.append(0.0)
        else:
            cosine = float(vectors[row] @ vectors[len(answers) + row])
            # Lengths of float32 vectors are 1 up to rounding, so a cosine can pass 1.
            scores.append(None if isnan(cosine) else min(1.0, max(0.0, cosine)))
    return scores


def whole_vectors(texts: Sequence[str], encoder: "Encoder") -> NDArray[float32]:
    """Return one vector of length 1 for each text, shape (texts, dimension)."""
    split = encoder.split(texts)
    vectors = encoder.encode([part.text for parts in split for part in parts])
    if len(vectors) == len(texts):
        return vectors
    weights = np.array([part.tokens for parts in split for part in parts], dtype=float32)
    starts = np.cumsum([0, *(len(parts) for parts in split[:-1])])
    sums = np.add.reduceat(vectors * weights[:, None], starts)
    means: NDArray[float32] = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    # The vector of a text with one part stays as it is, to the last bit.
    single = np.array([len(parts) == 1 for parts in split])
    means[single] = vectors[starts[single]]
    return means


SEMANTIC_SIMILARITY = Metric(
    "semantic_similarity", "semantic", semantic_similarity, measured_by="embedder"
)

"""Semantic similarity: the cosine of sentence vectors."""

from collections.abc import Sequence
from math import isnan
from typing import TYPE_CHECKING

from evaluation.metrics.metric import Metric

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
    vectors = encoder.encode([*answers, *references])
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


SEMANTIC_SIMILARITY = Metric(
    "semantic_similarity", "semantic", semantic_similarity, measured_by="embedder"
)

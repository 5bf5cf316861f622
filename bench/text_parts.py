"""The agreement of semantic similarity with people, where long texts are read in parts.

Run `python -m bench.text_parts --grades CSV [--windows 64,32,24]` with a file of graded answers
(docs/judge.md). For each window it takes three vectors' scores of each answer: of the text's start
alone, of all its parts (the metric), and of the parts aligned with the nearest parts of the other
text. It prints their agreement with people's grades. Small windows stand for longer texts.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.calibration.grades import load_grades
from evaluation.calibration.score_agreement import GradedRows, agreement_lead, measure_agreement
from evaluation.metrics.semantic_similarity import whole_vectors
from graph.config import load_settings
from graph.retrieval.encoder import Encoder, open_encoder


def main() -> None:
    """Run the measurement."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--grades", type=Path, required=True, help="graded answers, a CSV file")
    parser.add_argument("--windows", default="256,64,32,24", help="tokens that are read at once")
    arguments = parser.parse_args()
    encoder = open_encoder(load_settings("baseline", "embedded", []).profile.embedder)
    graded = load_grades(arguments.grades)
    rows = GradedRows.of(graded)
    texts = [(answer.candidate, answer.reference) for answer in graded]
    encoder.split(["load"])
    for window in map(int, arguments.windows.split(",")):
        _measure(encoder, window, texts, rows)


def _measure(
    encoder: Encoder, window: int, pairs: Sequence[tuple[str, str]], rows: GradedRows
) -> None:
    encoder._load().max_seq_length = window
    different = list(dict.fromkeys(text for pair in pairs for text in pair))
    split = dict(zip(different, encoder.split(different), strict=True))
    long = sum(max(len(split[text]) for text in pair) > 1 for pair in pairs)
    starts = dict(zip(different, encoder.encode(different), strict=True))
    wholes = dict(zip(different, whole_vectors(different, encoder), strict=True))
    first = [_cosine(starts[answer], starts[reference]) for answer, reference in pairs]
    scores = {
        "the start alone": first,
        "mean of the parts": [_cosine(wholes[a], wholes[reference]) for a, reference in pairs],
        "alignment": [_aligned(encoder, *pair) for pair in pairs] if long else first,
    }
    print(f"window of {window} tokens: {long} of {len(pairs)} rows have a longer text")
    for name, values in scores.items():
        agreement = measure_agreement(values, rows)
        lead = agreement_lead(values, first, rows)
        figures = (agreement["spearman"], agreement["pair_agreement"])
        print(f"  {name}: {' / '.join(map(_text, figures))}", end="")
        print(f"; less the start {_text(lead['spearman'])} / {_text(lead['pair_agreement'])}")


def _cosine(vector: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return max(0.0, float(vector @ other))


def _aligned(encoder: Encoder, answer: str, reference: str) -> float:
    """Return the harmonic mean of both texts' parts' similarity to their nearest parts."""
    parts = [encoder.split([text])[0] for text in (answer, reference)]
    vectors = [encoder.encode([part.text for part in text_parts]) for text_parts in parts]
    weights = [np.array([part.tokens for part in text_parts], float) for text_parts in parts]
    cosines = vectors[0] @ vectors[1].T
    precision = float(np.average(cosines.max(axis=1), weights=weights[0]))
    recall = float(np.average(cosines.max(axis=0), weights=weights[1]))
    total = precision + recall
    return max(0.0, 2 * precision * recall / total) if total > 0 else 0.0


def _text(estimate: object) -> str:
    mean, ends = estimate["mean"], estimate["ci95"]  # type: ignore[index]
    interval = "none" if ends is None else f"{ends[0]:.3f} to {ends[1]:.3f}"
    return f"{mean:.3f} ({interval})"


if __name__ == "__main__":
    main()

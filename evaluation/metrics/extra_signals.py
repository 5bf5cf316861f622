"""Signals of an answer that a run does not measure by itself: chrF, and nearness to the question."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from evaluation.metrics.registry import semantic_similarity

if TYPE_CHECKING:
    from graph.retrieval.encoder import Encoder

_LONGEST_NGRAM = 6


def chrf(answer: str, reference: str) -> float | None:
    """Return the character F-score: n-grams of 1 to 6 characters, recall weighted 3 times.

    Popović 2015, "chrF: character n-gram F-score for automatic MT evaluation", WMT; nltk. White
    space is left out. None without a reference.
    """
    if not reference:
        return None
    length = len("".join(reference.split()))
    if not answer.strip() or not length:
        return 0.0
    from nltk.translate.chrf_score import sentence_chrf

    # nltk counts an n-gram that is longer than the reference as one that was missed.
    longest = min(_LONGEST_NGRAM, length)
    return min(1.0, float(sentence_chrf(reference, answer, max_len=longest)))


def extra_signals(
    encoder: "Encoder", questions: Sequence[str], answers: Sequence[str], references: Sequence[str]
) -> list[dict[str, float | None]]:
    """Return what a run does not measure by itself: chrF, and similarity of answer and question.

    Without a reference neither is given: a question alone says too little about its answer.
    """
    near = semantic_similarity(encoder, answers, questions)
    return [
        {
            "chrF": chrf(answer, reference),
            "question_similarity": value if reference else None,
        }
        for answer, reference, value in zip(answers, references, near, strict=True)
    ]

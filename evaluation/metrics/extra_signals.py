"""Further signals for the calibrated judge: chrF, and the similarity of answer and question."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from evaluation.metrics.metric import MetricScores
from evaluation.metrics.normal_text import normal_text
from evaluation.metrics.semantic_similarity import semantic_similarity

if TYPE_CHECKING:
    from graph.retrieval.encoder import Encoder

_LONGEST_NGRAM = 6


def chrf(answer: str, reference: str) -> float | None:
    """Return the character F-score: n-grams of 1 to 6 characters, recall weighted 3 times.

    Popović 2015, "chrF: character n-gram F-score for automatic MT evaluation", WMT; by nltk. White
    space is left out. None without a reference.
    """
    if not reference:
        return None
    answer, reference = normal_text(answer), normal_text(reference)
    length = len("".join(reference.split()))
    if not answer.strip() or not length:
        return 0.0
    from nltk.translate.chrf_score import sentence_chrf

    # nltk counts an n-gram that is longer than the reference as one that was missed.
    longest = min(_LONGEST_NGRAM, length)
    return min(1.0, float(sentence_chrf(reference, answer, max_len=longest)))


def extra_signals(
    encoder: "Encoder", questions: Sequence[str], answers: Sequence[str], references: Sequence[str]
) -> list[MetricScores]:
    """Return chrF and question_similarity of each answer, both None without a reference.

    The similarity to the question alone says too little about an answer.

    Args:
        encoder: The encoder of the run.
        questions: Texts, shape (n,) as all others.
        answers: The answers.
        references: The references; empty where there is none.
    """
    similarities = semantic_similarity(answers, questions, encoder)
    return [
        {
            "chrF": chrf(answer, reference),
            "question_similarity": similarity if reference else None,
        }
        for answer, reference, similarity in zip(answers, references, similarities, strict=True)
    ]

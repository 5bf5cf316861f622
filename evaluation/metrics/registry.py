"""Metrics of one answer against its reference, computed as the original experiments did.

All are in [0, 1], on the answer alone. None means unscored: there is no reference, or the judge
gave no readable verdict. An empty answer is an answer and scores 0.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from math import isnan
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graph.retrieval.encoder import Encoder

METRIC_NAMES = ("BLEU", "ROUGE-1", "ROUGE-L", "edit_similarity", "semantic_similarity", "LLM_judge")
CALIBRATED_JUDGE = "calibrated_judge"
"""Measured where a run asks for it."""


def metric_names(measured: Iterable[Mapping[str, object]]) -> list[str]:
    """Return `METRICS`, and then whatever else was measured of some answer."""
    further = {name for metrics in measured for name in metrics}
    return [*METRIC_NAMES, *sorted(further - {*METRIC_NAMES})]


def lexical(answer: str, reference: str) -> dict[str, float | None]:
    """Return BLEU, ROUGE-1, ROUGE-L and edit similarity.

    BLEU is sentence BLEU-4 with smoothing method 1 (Chen and Cherry 2014) over lower-cased
    white-space tokens (nltk); ROUGE is the F-measure with stemming (rouge-score); edit similarity
    is the Levenshtein ratio.
    """
    if not reference:
        return dict.fromkeys(METRIC_NAMES[:4], None)
    if not answer:
        return dict.fromkeys(METRIC_NAMES[:4], 0.0)
    from Levenshtein import ratio

    rouge = _rouge().score(reference, answer)
    return {
        "BLEU": _bleu(answer, reference),
        "ROUGE-1": float(rouge["rouge1"].fmeasure),
        "ROUGE-L": float(rouge["rougeL"].fmeasure),
        "edit_similarity": float(ratio(answer, reference)),
    }


def _bleu(answer: str, reference: str) -> float:
    from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

    smoothing = SmoothingFunction().method1
    tokens = [reference.lower().split()], answer.lower().split()
    return float(sentence_bleu(*tokens, smoothing_function=smoothing))


@cache
def _rouge() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rouge1", "rougeL"], use_stemmer=True)


def semantic_similarity(
    encoder: "Encoder", answers: Sequence[str], references: Sequence[str]
) -> list[float | None]:
    """Return the cosine of each answer's and reference's sentence vectors, at least 0."""
    vectors = encoder.encode([*answers, *references])
    scores: list[float | None] = []
    for row, (answer, reference) in enumerate(zip(answers, references, strict=True)):
        if not reference:
            scores.append(None)
        elif not answer:
            scores.append(0.0)
        else:
            cosine = float(vectors[row] @ vectors[len(answers) + row])
            scores.append(None if isnan(cosine) else min(1.0, max(0.0, cosine)))
    return scores

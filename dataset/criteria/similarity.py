"""Similarity: ROUGE of an answer with references, on a scale from a lower to an upper score.

    similarity:
      - metric: rougeLsum
        references: [The event loop runs one task at a time.]
        min_score: 0.2
        max_score: 0.5
        weight: 2.0

The points are `weight * clip((ROUGE - min_score) / (max_score - min_score), 0, 1)`. ROUGE is the
F-measure of rouge-score without stemming, of several references the highest.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

from dataset.criteria.not_scorable import NotScorable, list_of, number_of, text_of, weight_of
from dataset.criteria.points import Points

_TYPES = ("rouge1", "rouge2", "rougeL", "rougeLsum")
_MIN_SCORE = 0.3
_MAX_SCORES = dict.fromkeys(_TYPES, 0.51) | {"rouge1": 0.53}
"""The default scale of each type."""


@dataclass(frozen=True)
class _Measure:
    rouge_type: str
    references: tuple[str, ...]
    lowest: float
    highest: float
    weight: float

    def points(self, answer: str) -> float:
        scores = _scorer(self.rouge_type).score_multi(self.references, answer)
        score = float(scores[self.rouge_type].fmeasure)
        share = (score - self.lowest) / (self.highest - self.lowest)
        return self.weight * max(0.0, min(share, 1.0))


@dataclass(frozen=True)
class Similarity:
    """The similarities by which the answers to a question are scored."""

    measures: tuple[_Measure, ...]

    def __call__(self, answer: str) -> Points:
        """Return the points of an answer; see `Grader`."""
        return Points(
            sum(measure.points(answer) for measure in self.measures),
            sum(measure.weight for measure in self.measures),
        )


def read_similarity(value: object) -> Similarity:
    """Return the similarities of a question.

    Raises:
        NotScorable: a reference is missing, or they have a form that the grader cannot read.
    """
    return Similarity(tuple(_read_measure(fields) for fields in list_of(value, "similarity")))


def _read_measure(fields: object) -> _Measure:
    if not isinstance(fields, dict):
        raise NotScorable("a similarity is no mapping")
    rouge_type = fields.get("metric")
    if rouge_type not in _TYPES:
        raise NotScorable("a similarity is of an unknown kind")
    references = list_of(fields.get("references"), "the references of a similarity")
    if not references:
        raise NotScorable("a similarity has no reference")
    lowest = number_of(fields.get("min_score", _MIN_SCORE), "a min_score")
    highest = number_of(fields.get("max_score", _MAX_SCORES[rouge_type]), "a max_score")
    if lowest == highest:
        raise NotScorable("a similarity has a scale without length")
    return _Measure(
        rouge_type=rouge_type,
        references=tuple(text_of(text, "a reference of a similarity") for text in references),
        lowest=lowest,
        highest=highest,
        weight=weight_of(fields),
    )


@cache
def _scorer(rouge_type: str) -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer([rouge_type], use_stemmer=False)

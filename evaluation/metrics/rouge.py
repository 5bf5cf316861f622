"""ROUGE-1 and ROUGE-L: shared words, and the longest common subsequence of words.

rouge-score's own words are of a-z and 0-9 alone: two equal texts in Russian would score 0. Here
words are of any script (`normal_text.words`); those of ASCII texts are the same, and so are their scores.
"""

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from evaluation.metrics.metric import BatchScore, Metric
from evaluation.metrics.normal_text import normal_text, words

if TYPE_CHECKING:
    from graph.retrieval.encoder import Encoder

_TYPES = ("rouge1", "rougeL")
_LONGEST_UNSTEMMED = 3
"""As in rouge-score."""


def _f_measure(rouge_type: str) -> BatchScore:
    """Return the score by one type of ROUGE: the F-measure with stemming (Lin 2004), by rouge-score.

    Args:
        rouge_type: The name in rouge-score, as in `rougeL`.
    """

    def score_all(
        answers: Sequence[str], references: Sequence[str], encoder: "Encoder | None"
    ) -> list[float | None]:
        del encoder  # The score compares words, not vectors.
        return [scores[rouge_type] for scores in _f_measures(tuple(answers), tuple(references))]

    return score_all


# The two metrics are computed one after the other on the same batch: keeping the last batch saves
# stemming every text twice.
@lru_cache(maxsize=1)
def _f_measures(
    answers: tuple[str, ...], references: tuple[str, ...]
) -> list[dict[str, float | None]]:
    return [_of_pair(*pair) for pair in zip(answers, references, strict=True)]


def _of_pair(answer: str, reference: str) -> dict[str, float | None]:
    answer, reference = normal_text(answer), normal_text(reference)
    # A reference of signs alone has no words to compare.
    if not words(reference):
        return dict.fromkeys(_TYPES)
    if not answer:
        return dict.fromkeys(_TYPES, 0.0)
    scores = _scorer().score(reference, answer)
    return {rouge_type: float(scores[rouge_type].fmeasure) for rouge_type in _TYPES}


class _Words:
    """The words of a text, stemmed as rouge-score stems English ones."""

    def __init__(self) -> None:
        from nltk.stem.porter import PorterStemmer

        self._stemmer = PorterStemmer()

    def tokenize(self, text: str) -> list[str]:
        """Return the words; those of ASCII letters with more than three of them are stemmed."""
        return [
            self._stemmer.stem(word) if len(word) > _LONGEST_UNSTEMMED and word.isascii() else word
            for word in words(text)
        ]


@cache
def _scorer() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(_TYPES, tokenizer=_Words())


ROUGE_1 = Metric("ROUGE-1", "ROUGE-1", _f_measure("rouge1"))
ROUGE_L = Metric("ROUGE-L", "ROUGE-L", _f_measure("rougeL"))

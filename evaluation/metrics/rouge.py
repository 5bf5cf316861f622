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

_REMEMBERED_TEXTS = 1_024
_REMEMBERED_WORDS = 65_536
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
        return [_of_pair(rouge_type, *pair) for pair in zip(answers, references, strict=True)]

    return score_all


def _of_pair(rouge_type: str, answer: str, reference: str) -> float | None:
    answer, reference = normal_text(answer), normal_text(reference)
    # A reference of signs alone has no words to compare.
    if not words(reference):
        return None
    if not answer:
        return 0.0
    return float(_scorer(rouge_type).score(reference, answer)[rouge_type].fmeasure)


class _Words:
    """The words of a text, stemmed as rouge-score stems English ones."""

    def tokenize(self, text: str) -> tuple[str, ...]:
        """Return the words; those of ASCII letters with more than three of them are stemmed."""
        return _stemmed_words(text)


# Both metrics read the same texts, and a reference is compared with every candidate of its question.
@lru_cache(maxsize=_REMEMBERED_TEXTS)
def _stemmed_words(text: str) -> tuple[str, ...]:
    return tuple(
        _stem(word) if len(word) > _LONGEST_UNSTEMMED and word.isascii() else word
        for word in words(text)
    )


@lru_cache(maxsize=_REMEMBERED_WORDS)
def _stem(word: str) -> str:
    stem: str = _stemmer().stem(word)
    return stem


@cache
def _stemmer() -> Any:
    from nltk.stem.porter import PorterStemmer

    return PorterStemmer()


@cache
def _scorer(rouge_type: str) -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer((rouge_type,), tokenizer=_Words())


ROUGE_1 = Metric("ROUGE-1", "ROUGE-1", _f_measure("rouge1"))
ROUGE_L = Metric("ROUGE-L", "ROUGE-L", _f_measure("rougeL"))

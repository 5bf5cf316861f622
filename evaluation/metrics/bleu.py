"""BLEU: shared n-grams of up to four words."""

from evaluation.metrics.metric import Metric, scored_one_by_one
from evaluation.metrics.normal_text import with_spaced_characters


def bleu(answer: str, reference: str) -> float:
    """Return the sentence BLEU-4 with smoothing method 1 (Chen and Cherry 2014), by nltk.

    Tokens are lower-cased and split at white space; a character of a script without spaces is a token.
    """
    from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

    smoothing = SmoothingFunction().method1
    return float(sentence_bleu([_tokens(reference)], _tokens(answer), smoothing_function=smoothing))


def _tokens(text: str) -> list[str]:
    return with_spaced_characters(text.lower()).split()


BLEU = Metric("BLEU", "BLEU", scored_one_by_one(bleu))

"""BLEU: shared n-grams of up to four words."""

from evaluation.metrics.metric import Metric, scored_one_by_one


def bleu(answer: str, reference: str) -> float:
    """Return the sentence BLEU-4 with smoothing method 1 (Chen and Cherry 2014), by nltk.

    Tokens are lower-cased and split at white space.
    """
    from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

    smoothing = SmoothingFunction().method1
    tokens = [reference.lower().split()], answer.lower().split()
    return float(sentence_bleu(*tokens, smoothing_function=smoothing))


BLEU = Metric("BLEU", "BLEU", scored_one_by_one(bleu))

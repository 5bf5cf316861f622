"""A judge of few cheap signals: a logistic formula that rises with each of them."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from math import exp
from typing import NamedTuple

FOLDS = 10
QUESTION, REFERENCE, JUDGE = "question_similarity", "semantic_similarity", "LLM_judge"
SIGNALS = (
    "BLEU",
    "ROUGE-1",
    "ROUGE-L",
    "edit_similarity",
    "chrF",
    REFERENCE,
    QUESTION,
    JUDGE,
)
"""What a formula can be of; the last asks a model."""


class Formula(NamedTuple):
    """score = 1 / (1 + exp(-(intercept + sum of weight * signal))); no weight is below 0."""

    intercept: float
    weights: dict[str, float]

    def score(self, signals: Mapping[str, float | None]) -> float | None:
        """Return a score in [0, 1]; None where a signal that it needs is unscored."""
        total = self.intercept
        for name, weight in self.weights.items():
            value = value_of(name, signals)
            if value is None:
                return None
            total += weight * value
        return 1 / (1 + exp(-total))


def value_of(name: str, signals: Mapping[str, float | None]) -> float | None:
    """Return what a formula takes of a signal; None if it is unscored.

    An answer that repeats its question is as near to it as can be: nearness to the question counts
    no further than nearness to the reference.
    """
    value = signals.get(name)
    if name != QUESTION:
        return value
    bound = signals.get(REFERENCE)
    return None if value is None or bound is None else min(value, bound)


class Calibrated(NamedTuple):
    """A fitted formula, and those that did not see a tenth of the questions it was fitted on."""

    formula: Formula
    folds: tuple[Formula, ...]
    """The one at place k was fitted on all questions whose `fold_of` is not k."""
    questions: frozenset[str]
    """The `mark` of each question it was fitted on."""

    @property
    def signals(self) -> tuple[str, ...]:
        """What has to be measured for it."""
        names = self.formula.weights
        bound = (REFERENCE,) if QUESTION in names and REFERENCE not in names else ()
        return (*names, *bound)

    @property
    def needs_judge(self) -> bool:
        """Whether it takes the score of a model."""
        return JUDGE in self.formula.weights

    def blind(self, question: str) -> Formula:
        """Return the formula for a question that was not fitted on it."""
        return self.folds[fold_of(question)] if mark(question) in self.questions else self.formula


def fold_of(question: str) -> int:
    """Return a question's fold: it follows from its text, whatever file it stands in."""
    return int(sha256(question.encode("utf-8", "replace")).hexdigest(), 16) % FOLDS


def mark(question: str) -> str:
    """Return a short digest by which a question is known again."""
    return sha256(question.encode("utf-8", "replace")).hexdigest()[:12]


def scores_of(
    calibrated: Calibrated,
    questions: Sequence[str],
    answers: Sequence[str],
    signals: Sequence[Mapping[str, float | None]],
    *,
    blind: bool = False,
) -> list[float | None]:
    """Return a score in [0, 1] for each answer; an empty one scores 0, as in every other metric.

    Args:
        calibrated: The formula.
        questions: What was asked, shape (n,) as all others.
        answers: The answers.
        signals: Of each answer, those of `calibrated.signals` at least.
        blind: Whether a question that the formula was fitted on is scored by the fold that was
            not: so may it be held against the grades it was fitted on.
    """
    found: list[float | None] = []
    for question, answer, values in zip(questions, answers, signals, strict=True):
        formula = calibrated.blind(question) if blind else calibrated.formula
        score = formula.score(values)
        found.append(0.0 if score is not None and not answer.strip() else score)
    return found

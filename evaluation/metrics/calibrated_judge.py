"""The calibrated judge: a formula of cheap signals, fitted on people's grades of answers.

`StoredJudge` is a judge as its file holds it, with its provenance; `calibrated_judge.json` comes
with the project. `CalibratedJudge` is the fitted formula with its folds.
"""

import json
from collections.abc import Mapping
from math import exp
from pathlib import Path
from typing import Any, NamedTuple

from evaluation.metrics.metric import Metric
from graph.support.errors import DatasetError
from graph.support.question_folds import FOLDS, fold_of, short_digest
from graph.support.storage import read_small_file, write_atomically

CALIBRATED_JUDGE = Metric("calibrated_judge", "calibrated", measured_by="calibrated_judge")
CALIBRATED_OPTION = "calibrated"
"""The name of the project's own calibrated judge on command lines and in tables."""
SHIPPED = Path(__file__).with_name("calibrated_judge.json")
_MAX_BYTES = 10_000_000
"""Largest file of a calibrated judge; the project's own has 11 kB."""
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
"""Signals that a formula may hold; the last needs a model."""


class Formula(NamedTuple):
    """A logistic formula: score = 1 / (1 + exp(-(intercept + sum of weight * signal)))."""

    intercept: float
    weights: dict[str, float]
    """By signal; none is below 0."""

    def score(self, signals: Mapping[str, float | None]) -> float | None:
        """Return the score in [0, 1]; None if a signal of the formula is unscored."""
        total = self.intercept
        for name, weight in self.weights.items():
            value = signal_value(name, signals)
            if value is None:
                return None
            total += weight * value
        return 1 / (1 + exp(-total))


def signal_value(name: str, signals: Mapping[str, float | None]) -> float | None:
    """Return the value of a signal in a formula; None if it is unscored.

    The similarity to the question is cut to the similarity to the reference: an answer that repeats
    its question would score high otherwise.
    """
    value = signals.get(name)
    if name != QUESTION:
        return value
    bound = signals.get(REFERENCE)
    return None if value is None or bound is None else min(value, bound)


class CalibratedJudge(NamedTuple):
    """A formula fitted on all graded questions, and one for each fold, fitted without that fold."""

    formula: Formula
    folds: tuple[Formula, ...]
    """`folds[k]` was fitted on the questions whose `fold_of` is not k."""
    questions: frozenset[str]
    """The `short_digest` of each question that the formula was fitted on."""

    @property
    def signals(self) -> tuple[str, ...]:
        """The signals to measure for a score."""
        names = self.formula.weights
        bound = (REFERENCE,) if QUESTION in names and REFERENCE not in names else ()
        return (*names, *bound)

    @property
    def needs_judge(self) -> bool:
        """Whether the formula holds the score of a model."""
        return JUDGE in self.formula.weights

    def score(
        self,
        question: str,
        answer: str,
        signals: Mapping[str, float | None],
        *,
        blind: bool = False,
    ) -> float | None:
        """Return the score of an answer in [0, 1]; 0 for an empty one, None if a signal is missing.

        Args:
            question: The question, in which `blind` looks for questions of the fit.
            answer: The answer.
            signals: The answer's `signals`, and any others.
            blind: Whether the formula of the question's own fold scores a question of the fit, so
                that the score can be compared with the grades of the fit.
        """
        fitted_on = blind and short_digest(question) in self.questions
        formula = self.folds[fold_of(question)] if fitted_on else self.formula
        score = formula.score(signals)
        return score if score is None or answer.strip() else 0.0


class StoredJudge(NamedTuple):
    """A calibrated judge as read from a file."""

    calibrated: CalibratedJudge
    provenance: dict[str, Any]
    """The grades and settings of the fit, and the judge's cross-validated figures."""

    @property
    def identity(self) -> dict[str, object]:
        """The fields that can change a score."""
        formula = self.calibrated.formula
        return {"intercept": formula.intercept, "weights": formula.weights}


def load_judge(path: Path) -> StoredJudge:
    """Read a calibrated judge.

    Raises:
        DatasetError: the file cannot be read, or holds no calibrated judge.
    """
    try:
        content = json.loads(read_small_file(path, _MAX_BYTES))
        calibrated = CalibratedJudge(
            _parse_formula(content),
            tuple(_parse_formula(fields) for fields in content["folds"]),
            frozenset(map(str, content["questions"])),
        )
        stored = StoredJudge(calibrated, dict(content["provenance"]))
        figures = stored.provenance["cross_validated"]
        if len(calibrated.folds) != FOLDS or not _has_figures(figures):
            raise ValueError("folds or figures are missing")
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise DatasetError(
            f"{path}: holds no calibrated judge: make one with python -m evaluation calibrate "
            "--grades CSV --fit FILE.json"
        ) from None
    return stored


def judge_of_identity(fields: object) -> CalibratedJudge:
    """Return the calibrated judge of a run's identity, without folds.

    Raises:
        DatasetError: the fields are not those of a calibrated judge.
    """
    try:
        if not isinstance(fields, Mapping):
            raise TypeError
        return CalibratedJudge(_parse_formula(fields), (), frozenset())
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DatasetError(
            "this version cannot read the manifest's calibrated_judge: use the version that wrote "
            "it"
        ) from None


def _parse_formula(fields: Mapping[str, Any]) -> Formula:
    weights = {str(name): float(weight) for name, weight in fields["weights"].items()}
    intercept = float(fields["intercept"])
    if not weights.keys() <= {*SIGNALS}:
        raise ValueError("unknown signals")
    # The comparison is false for NaN too, so that it also refuses weights that are not finite.
    if not weights or not abs(intercept) + sum(weights.values()) < 1e6 or min(weights.values()) < 0:
        raise ValueError("no weights, or not finite and at least 0")
    return Formula(intercept, weights)


def _has_figures(figures: Mapping[str, Any]) -> bool:
    """Tell whether the figures that reports show are complete."""
    estimates = [figures[name] for name in ("spearman", "pair_agreement")]
    numbers = [number for estimate in estimates for number in (estimate["mean"], *estimate["ci95"])]
    return (
        isinstance(figures["n"], int)
        and isinstance(figures["grades"], str)
        and isinstance(figures["pair_agreement"]["n"], int)
        and all(len(estimate["ci95"]) == 2 for estimate in estimates)
        and all(isinstance(number, float) for number in numbers)
    )


def save_judge(path: Path, calibrated: CalibratedJudge, provenance: Mapping[str, object]) -> None:
    """Write a calibrated judge as readable JSON; equal fits give equal files."""
    formula = calibrated.formula
    content = {
        "about": "score = 1 / (1 + exp(-(intercept + sum of weight * signal))); "
        "question_similarity counts no further than semantic_similarity; folds[k] did not see the "
        "questions of fold k",
        "intercept": formula.intercept,
        "weights": formula.weights,
        "provenance": provenance,
        "folds": [fold._asdict() for fold in calibrated.folds],
        "questions": sorted(calibrated.questions),
    }
    write_atomically(path, json.dumps(content, indent=1, allow_nan=False) + "\n")

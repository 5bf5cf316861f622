"""The calibrated judge that comes with the project: its coefficients in a readable JSON file."""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from math import exp
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from evaluation.metrics.extra_signals import extra_signals
from evaluation.metrics.registry import CALIBRATED_JUDGE
from evaluation.store.journal import Record
from graph.support.errors import DatasetError
from graph.support.storage import write_atomically

SHIPPED = Path(__file__).with_name("calibrated_judge.json")
CALIBRATED_OPTION = "calibrated"


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


if TYPE_CHECKING:
    from graph.retrieval.encoder import Encoder


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


class CalibratedJudge(NamedTuple):
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


def formula_scores(
    calibrated: CalibratedJudge,
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


class StoredJudge(NamedTuple):
    """A calibrated judge and how it was fitted."""

    calibrated: CalibratedJudge
    provenance: dict[str, Any]

    @property
    def identity(self) -> dict[str, object]:
        """What of it can change a score."""
        formula = self.calibrated.formula
        return {"intercept": formula.intercept, "weights": formula.weights}


def calibrated_scores(
    questions: Sequence[str],
    answers: Sequence[str],
    references: Sequence[str],
    metrics: Sequence[Mapping[str, float | None]],
    calibrated: CalibratedJudge | None = None,
) -> list[float | None]:
    """Return the score of each answer, in [0, 1]: 0 for an empty one, None without a reference.

    Args:
        questions: What was asked, shape (n,) as all others.
        answers: The answers.
        references: What they are measured by.
        metrics: The scores of each answer, those of `calibrated.signals` among them; one that is
            missing or None leaves its answer unscored.
        calibrated: Which one; else the one that comes with the project.
    """
    used = calibrated or load_judge(SHIPPED).calibrated
    scores = formula_scores(used, questions, answers, metrics)
    return [
        score if reference else None for score, reference in zip(scores, references, strict=True)
    ]


def load_judge(path: Path) -> StoredJudge:
    """Read a calibrated judge.

    Raises:
        DatasetError: there is none in the file.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        made = CalibratedJudge(
            _formula(found),
            tuple(_formula(each) for each in found["folds"]),
            frozenset(map(str, found["questions"])),
        )
        loaded = StoredJudge(made, dict(found["provenance"]))
        figures = loaded.provenance["cross_validated"]
        if len(made.folds) != FOLDS or not _sound(figures):
            raise ValueError("not whole")
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise DatasetError(
            f"{path}: holds no calibrated judge: make one with python -m evaluation calibrate "
            "--grades CSV --fit FILE.json"
        ) from None
    return loaded


def _formula(found: Mapping[str, Any]) -> Formula:
    weights = {str(name): float(weight) for name, weight in found["weights"].items()}
    intercept = float(found["intercept"])
    # A sum that is not finite is caught here too; without a weight there is nothing to score by.
    if not weights.keys() <= {*SIGNALS}:
        raise ValueError("signals that nothing measures")
    if not weights or not abs(intercept) + sum(weights.values()) < 1e6 or min(weights.values()) < 0:
        raise ValueError("no weights, or not finite and at least 0")
    return Formula(intercept, weights)


def _sound(figures: Mapping[str, Any]) -> bool:
    """Return whether the figures that reports name are there."""
    ends = [figures[name]["ci95"] for name in ("spearman", "pair_agreement")]
    means = [figures[name]["mean"] for name in ("spearman", "pair_agreement")]
    return (
        isinstance(figures["n"], int)
        and isinstance(figures["grades"], str)
        and isinstance(figures["pair_agreement"]["n"], int)
        and all(isinstance(mean, float) for mean in means)
        and all(len(pair) == 2 and all(isinstance(x, float) for x in pair) for pair in ends)
    )


def judge_of_identity(fields: object) -> CalibratedJudge:
    """Return the calibrated judge that a run's identity holds.

    Raises:
        DatasetError: it holds none.
    """
    try:
        if not isinstance(fields, Mapping):
            raise TypeError
        return CalibratedJudge(_formula(fields), (), frozenset())
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DatasetError(
            "the manifest's calibrated_judge is none that this version knows: use the version that "
            "wrote it"
        ) from None


def save_judge(path: Path, calibrated: CalibratedJudge, provenance: Mapping[str, object]) -> None:
    """Write a calibrated judge for people to read: equal fits give equal files."""
    formula = calibrated.formula
    content = {
        "about": "score = 1 / (1 + exp(-(intercept + sum of weight * signal))); "
        "question_similarity counts no further than semantic_similarity; folds[k] did not see the "
        "questions of fold k",
        "intercept": formula.intercept,
        "weights": formula.weights,
        "provenance": provenance,
        "folds": [each._asdict() for each in calibrated.folds],
        "questions": sorted(calibrated.questions),
    }
    write_atomically(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def score_records(
    calibrated: CalibratedJudge, encoder: "Encoder", records: Sequence[Record]
) -> None:
    """Fill in the calibrated judge's score of records that have all other metrics."""
    for record, score in zip(records, record_scores(calibrated, encoder, records), strict=True):
        record["metrics"][CALIBRATED_JUDGE] = score


def record_scores(
    calibrated: CalibratedJudge, encoder: "Encoder", records: Sequence[Record]
) -> list[float | None]:
    """Return the score of each record's answer, from the metrics that the record holds."""
    questions = [record["question"] for record in records]
    answers = [record["answer"] for record in records]
    references = [record["reference"] for record in records]
    more = extra_signals(encoder, questions, answers, references)
    signals = [
        {**record["metrics"], **others} for record, others in zip(records, more, strict=True)
    ]
    return calibrated_scores(questions, answers, references, signals, calibrated)

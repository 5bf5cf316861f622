"""The calibrated judge that comes with the project: its coefficients in a readable JSON file."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from evaluation.metrics.calibrated_formula import FOLDS, SIGNALS, Calibrated, Formula, scores_of
from graph.support.errors import DatasetError
from graph.support.storage import write_atomically

SHIPPED = Path(__file__).with_name("calibrated_judge.json")
NAME = "calibrated"


class Loaded(NamedTuple):
    """A calibrated judge and how it was fitted."""

    calibrated: Calibrated
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
    calibrated: Calibrated | None = None,
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
    used = calibrated or load(SHIPPED).calibrated
    scores = scores_of(used, questions, answers, metrics)
    return [
        score if reference else None for score, reference in zip(scores, references, strict=True)
    ]


def load(path: Path) -> Loaded:
    """Read a calibrated judge.

    Raises:
        DatasetError: there is none in the file.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        made = Calibrated(
            _formula(found),
            tuple(_formula(each) for each in found["folds"]),
            frozenset(map(str, found["questions"])),
        )
        loaded = Loaded(made, dict(found["provenance"]))
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


def formula_of(fields: object) -> Calibrated:
    """Return the calibrated judge that a run's identity holds.

    Raises:
        DatasetError: it holds none.
    """
    try:
        if not isinstance(fields, Mapping):
            raise TypeError
        return Calibrated(_formula(fields), (), frozenset())
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DatasetError(
            "the manifest's calibrated_judge is none that this version knows: use the version that "
            "wrote it"
        ) from None


def save(path: Path, calibrated: Calibrated, provenance: Mapping[str, object]) -> None:
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

"""The formula of learned reranking as its file holds it: weights of features, with provenance."""

import json
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

from graph.reranking.features import FEATURES, Features
from graph.support.errors import ConfigError
from graph.support.question_folds import FOLDS, fold_of, short_digest
from graph.support.storage import read_small_file, write_atomically

SHIPPED = Path(__file__).with_name("learned_reranker.json")
_MAX_BYTES = 10_000_000
_ABOUT = (
    "score = sum of weight * (feature - mean) / deviation over the known features; the candidate with the "
    "highest score is the answer; expectation: the same sum plus its intercept is the expected score of the "
    "calibrated judge; folds[k] did not see the questions of fold k"
)


class Term(NamedTuple):
    """A feature in a formula; `mean` and `deviation` are those of the candidates of the fit."""

    weight: float
    mean: float
    deviation: float


class Expectation(NamedTuple):
    """The expected score of a candidate by the calibrated judge."""

    intercept: float
    terms: dict[str, Term]
    """By feature."""

    def score(self, features: Features) -> float:
        """Return the expected score in [0, 1]."""
        return min(1.0, max(0.0, self.intercept + _weighted_sum(self.terms, features)))


class Formula(NamedTuple):
    """A fitted formula."""

    terms: dict[str, Term]
    """By feature."""
    expectation: Expectation | None = None
    """None in files of older versions, and if the fit had no calibrated judge."""

    def score(self, features: Features) -> float:
        """Return the score of a candidate, by which those of one question are ranked."""
        return _weighted_sum(self.terms, features)


def _weighted_sum(terms: Mapping[str, Term], features: Features) -> float:
    """Return the weighted sum of features; one that is not known counts as its mean."""
    return sum(
        term.weight * (features[name] - term.mean) / term.deviation
        for name, term in terms.items()
        if name in features
    )


class Reranker(NamedTuple):
    """A formula fitted on all questions, and one for each fold, fitted without that fold."""

    formula: Formula
    folds: tuple[Formula, ...]
    questions: frozenset[str]
    """The `short_digest` of each question of the fit."""
    provenance: Mapping[str, Any]

    def formula_for(self, question: str) -> Formula:
        """Return the formula that did not see a question: a run over questions of the fit is then fair."""
        if short_digest(question) in self.questions:
            return self.folds[fold_of(question)]
        return self.formula


def load_reranker(path: Path | None = None) -> Reranker:
    """Read a reranker; the project's own without a path.

    Raises:
        ConfigError: the file cannot be read, or holds no reranker.
    """
    content = _read(path or SHIPPED)
    try:
        return _parse(content)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        raise ConfigError(
            f"{path or SHIPPED}: holds no reranker: make one with python -m evaluation fit-reranker "
            "RUN --out FILE.json"
        ) from None


def reranker_identity(path: Path | None) -> str:
    """Return the digest of a reranker's file: another one picks other answers.

    Raises:
        ConfigError: the file cannot be read, or holds no reranker.
    """
    load_reranker(path)
    return sha256(_read(path or SHIPPED)).hexdigest()


def _read(path: Path) -> bytes:
    try:
        return read_small_file(path, _MAX_BYTES)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None


@lru_cache(maxsize=4)
def _parse(content: bytes) -> Reranker:
    fields = json.loads(content)
    reranker = Reranker(
        _parse_formula(fields),
        tuple(_parse_formula(fold) for fold in fields["folds"]),
        frozenset(map(str, fields["questions"])),
        dict(fields["provenance"]),
    )
    if len(reranker.folds) != FOLDS:
        raise ValueError("folds are missing")
    formulas = (reranker.formula, *reranker.folds)
    if len({formula.expectation is None for formula in formulas}) > 1:
        raise ValueError("some formulas have an expectation and others have none")
    return reranker


def _parse_formula(fields: Mapping[str, Any]) -> Formula:
    terms = _parse_terms(fields["features"])
    if "expectation" not in fields:
        return Formula(terms)
    expectation = fields["expectation"]
    return Formula(
        terms,
        Expectation(_finite(expectation["intercept"]), _parse_terms(expectation["features"])),
    )


def _parse_terms(fields: Mapping[str, Any]) -> dict[str, Term]:
    terms = {
        name: Term(*(_finite(term[key]) for key in Term._fields)) for name, term in fields.items()
    }
    if not set(terms) <= set(FEATURES) or any(term.deviation <= 0 for term in terms.values()):
        raise ValueError("a feature is unknown, or its deviation is not above 0")
    return terms


def _finite(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value):
        raise ValueError("a number is missing or not finite")
    return float(value)


def save_reranker(path: Path, reranker: Reranker) -> None:
    """Write a reranker as readable JSON; equal fits give equal files."""
    content = {
        "about": _ABOUT,
        **_formula_fields(reranker.formula, with_meaning=True),
        "provenance": reranker.provenance,
        "folds": [_formula_fields(fold) for fold in reranker.folds],
        "questions": sorted(reranker.questions),
    }
    write_atomically(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def _formula_fields(formula: Formula, *, with_meaning: bool = False) -> dict[str, object]:
    fields: dict[str, object] = {
        "features": {
            name: {
                **({"meaning": FEATURES[name].meaning} if with_meaning else {}),
                **term._asdict(),
            }
            for name, term in formula.terms.items()
        }
    }
    if formula.expectation:
        intercept, terms = formula.expectation
        features = {name: term._asdict() for name, term in terms.items()}
        fields["expectation"] = {"intercept": intercept, "features": features}
    return fields

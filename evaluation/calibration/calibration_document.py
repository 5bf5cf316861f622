"""Everything that is known of scores and people's grades, as one document."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from evaluation.answering.run_identity import embedder_identity
from evaluation.calibration.fitting import CANDIDATES, LEAST_SHARE, RIDGE
from evaluation.calibration.grades import Graded, unlike_means
from evaluation.calibration.human_ceiling import Ceiling, human_ceiling
from evaluation.calibration.known_judges import Entry, Figures, doubt_of, judge_key
from evaluation.calibration.score_agreement import (
    Agreement,
    Ahead,
    Counted,
    GradedRows,
    Orders,
    Part,
    ahead,
    mean_of,
    measure,
    measure_part,
    order_agreement,
)
from evaluation.calibration.signals import ASCENDING, BOTH, DESCENDING, JudgeVerdicts, SignalScores
from evaluation.metrics.calibrated_judge import CALIBRATED_OPTION, FOLDS
from graph.schema import Profile
from graph.support.progress import progress
from graph.support.storage import file_sha256


class Grades(TypedDict):
    """What scores are held against."""

    file: str
    sha256: str
    rows: int
    questions: int
    graders: int
    copies: int
    """Answers that are their reference: every metric of overlap has them right."""


class Signal(Agreement):
    """One score's agreement with people, and how far `calibrated` is ahead of it."""

    without_copies: Part
    calibrated_ahead: Ahead | None
    """None of `calibrated` itself, and where there is none."""


class Judge(TypedDict):
    """What was seen of the judge besides its agreement with people."""

    model: str
    fields: dict[str, object]
    """As in a run's identity."""
    orders: Orders
    mass: dict[str, Counted]
    """What the grades got together before normalising, by order."""
    errors: int
    cut: int
    """Verdicts on texts that were cut to fit its window."""


class Document(TypedDict):
    """The JSON document."""

    grades: Grades
    profile: str
    signals: dict[str, Signal]
    human_ceiling: Ceiling
    human_ceiling_without_copies: Ceiling
    judge: Judge | None
    calibrated: dict[str, Any]
    """Intercept and weights."""
    notes: list[str]


def grades_of(path: Path, rows: Sequence[Graded]) -> Grades:
    """Return what the file holds."""
    return {
        "file": path.name,
        "sha256": file_sha256(path),
        "rows": len(rows),
        "questions": len({row.question for row in rows}),
        "graders": len({grader for row in rows for grader in row.grades}),
        "copies": sum(row.copied for row in rows),
    }


def signals_of(
    rows: Sequence[Graded], scores: SignalScores, table: GradedRows
) -> dict[str, Signal]:
    """Measure every score."""
    fresh = [not row.copied for row in rows]
    best = scores.get(CALIBRATED_OPTION)
    found: dict[str, Signal] = {}
    with progress("measuring agreement", len(scores), unit="scores") as bar:
        for name, values in scores.items():
            found[name] = {
                **measure(values, table),
                "without_copies": measure_part(values, table, fresh),
                "calibrated_ahead": (
                    None
                    if best is None or name == CALIBRATED_OPTION
                    else ahead(best, values, table)
                ),
            }
            bar.advance(1)
    return found


def ceilings_of(rows: Sequence[Graded], table: GradedRows) -> tuple[Ceiling, Ceiling]:
    """Return what people reach among themselves, on all answers and without copies."""
    kept = np.array([number for number, row in enumerate(rows) if not row.copied], dtype=int)
    part = [rows[number] for number in kept]
    return human_ceiling(rows, table), human_ceiling(part, table.only(kept))


def judge_of(fields: Mapping[str, object], judged: JudgeVerdicts, table: GradedRows) -> Judge:
    """Return what was seen of the judge itself."""
    scores = judged.scores()
    mass = {
        "ascending": [verdict and verdict["mass"] for verdict in judged.ascending],
        "descending": [verdict and verdict["mass"] for verdict in judged.descending],
    }
    return {
        "model": str(fields.get("model")),
        "fields": dict(fields),
        "orders": order_agreement(scores[ASCENDING], scores[DESCENDING], table),
        "mass": {name: mean_of(values, table) for name, values in mass.items()},
        "errors": len(judged.errors),
        "cut": sum(
            verdict is not None and verdict["cut_tokens"] > 0
            for verdict in (*judged.ascending, *judged.descending)
        ),
    }


def notes_of(
    rows: Sequence[Graded], signals: Mapping[str, Signal], ceiling: Ceiling, scores: SignalScores
) -> list[str]:
    """Return what a reader should know before believing the table."""
    found = []
    if len({row.question for row in rows}) == 1:
        found.append("one question alone: no intervals, which are drawn over questions.")
    if not ceiling["graders"]:
        found.append("no two people graded the same answers: there is no human ceiling.")
    if unlike := unlike_means(rows):
        found.append(
            f"{unlike} rows state another human_mean than the mean of their grades: human_mean is "
            "taken."
        )
    for name, signal in signals.items():
        known = {value for value in scores[name] if value is not None}
        found += [f"{name}: {doubt}" for doubt in _doubts(name, signal, known)]
    if not next(iter(signals.values()))["pair_agreement"]["n"]:
        found.append("no two answers to one question have human means that differ by 1 or more.")
    return found


def _doubts(name: str, signal: Signal, known: set[float]) -> list[str]:
    if not known:
        return ["no answer is scored."]
    found, pairs = [], signal["pair_agreement"]
    if len(known) == 1:
        found.append("all scores are the same: it correlates with nothing.")
    elif signal["spearman"]["mean"] is None:
        found.append("all human means are the same: nothing correlates with them.")
    if (
        name in (ASCENDING, DESCENDING, BOTH, CALIBRATED_OPTION)
        and pairs["n"]
        and (doubt := doubt_of(pairs))
    ):
        found.append(doubt)
    return found


def provenance(found: Document, profile: Profile) -> dict[str, object]:
    """Return where a fit comes from: no dates, so that equal fits give equal files."""
    signals = found["signals"]
    return {
        "grades": found["grades"],
        "method": f"fractional logistic regression, weights at least 0, ridge {RIDGE}; signals with "
        f"less than {LEAST_SHARE:.0%} of the weights left out; {FOLDS} folds by question",
        "candidates": [name for name in CANDIDATES if name in signals],
        "encoder": embedder_identity(profile.embedder),
        "judge": found["judge"] and found["judge"]["fields"],
        "cross_validated": _figures(found, CALIBRATED_OPTION),
        "ahead_of": {
            name: signal["calibrated_ahead"]
            for name, signal in signals.items()
            if name != CALIBRATED_OPTION
        },
    }


def entries(found: Document, *, fitted: bool) -> list[Entry]:
    """Return the figures of the judges that were measured: reports name them."""
    kept: list[Entry] = []
    if found["judge"]:
        key = judge_key(found["judge"]["fields"])
        kept.append({"judge": key, **_figures(found, ASCENDING)})
    if fitted and found["calibrated"]:
        kept.append({"judge": found["calibrated"], **_figures(found, CALIBRATED_OPTION)})
    return kept


def _figures(found: Document, name: str) -> Figures:
    signal = found["signals"][name]
    return {
        "grades": found["grades"]["file"],
        "n": signal["n"],
        "spearman": signal["spearman"],
        "pair_agreement": signal["pair_agreement"],
    }

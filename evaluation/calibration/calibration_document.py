"""The document of a calibration: scores against people's grades, the human ceiling, and notes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from evaluation.answering.run_identity import embedder_identity
from evaluation.calibration.fitting import CANDIDATES, LEAST_SHARE, RIDGE
from evaluation.calibration.grades import GradedAnswer, count_unlike_means
from evaluation.calibration.human_ceiling import Ceiling, human_ceiling
from evaluation.calibration.known_judges import JudgeFigures, KnownJudge, doubt_of, judge_key
from evaluation.calibration.score_agreement import (
    Agreement,
    AgreementLead,
    CountedEstimate,
    GradedRows,
    OrderAgreement,
    PartAgreement,
    agreement_lead,
    mean_estimate,
    measure_agreement,
    measure_part,
    order_agreement,
)
from evaluation.calibration.signals import ASCENDING, BOTH, DESCENDING, JudgeVerdicts, SignalScores
from evaluation.metrics.calibrated_judge import CALIBRATED_OPTION, Formula
from graph.schema import EmbedderSpec
from graph.support.progress import progress
from graph.support.question_folds import FOLDS
from graph.support.storage import file_sha256
from graph.support.text import plural


class GradesFile(TypedDict):
    """The file of grades and its size."""

    file: str
    """Its name, without the folder."""
    sha256: str
    rows: int
    questions: int
    graders: int
    copies: int
    """Answers that equal their reference: every metric of word overlap is highest there."""


class SignalAgreement(Agreement):
    """The agreement of one score with people, and the lead of `calibrated` over it."""

    without_copies: PartAgreement
    calibrated_ahead: AgreementLead | None
    """None for `calibrated` itself."""


class JudgeBehaviour(TypedDict):
    """The judge's model, and how it answered in both orders of the grades."""

    model: str
    fields: dict[str, object]
    """As in a run's identity."""
    orders: OrderAgreement
    mass: dict[str, CountedEstimate]
    """Mean probability of all grades together, before normalising, by order."""
    errors: int
    cut: int
    """Verdicts on texts that were cut to fit the model's window."""


class CalibrationDocument(TypedDict):
    """The JSON document of `calibrate --json`."""

    grades: GradesFile
    profile: str
    signals: dict[str, SignalAgreement]
    human_ceiling: Ceiling
    human_ceiling_without_copies: Ceiling
    judge: JudgeBehaviour | None
    """None if no judge was asked."""
    calibrated: dict[str, Any]
    """Intercept and weights."""
    notes: list[str]


def calibration_document(
    path: Path,
    profile: str,
    answers: Sequence[GradedAnswer],
    scores: SignalScores,
    verdicts: JudgeVerdicts | None,
    judge_fields: Mapping[str, object],
    formula: Formula,
) -> CalibrationDocument:
    """Measure all scores against the grades.

    Args:
        path: The file of grades.
        profile: Name of the profile.
        answers: The graded answers.
        scores: One score for each answer, by signal; `calibrated` is the fitted formula.
        verdicts: The judge's, None if none was asked.
        judge_fields: The judge's spec, as in a run's identity.
        formula: The calibrated judge behind the score `calibrated`.
    """
    table = GradedRows.of(answers)
    signals = _signal_agreements(answers, scores, table)
    ceiling = human_ceiling(answers, table)
    fresh = np.array([row for row, answer in enumerate(answers) if not answer.copied], dtype=int)
    return {
        "grades": _grades_file(path, answers),
        "profile": profile,
        "signals": signals,
        "human_ceiling": ceiling,
        "human_ceiling_without_copies": human_ceiling(
            [answers[row] for row in fresh], table.only(fresh)
        ),
        "judge": None if verdicts is None else _judge_behaviour(judge_fields, verdicts, table),
        "calibrated": formula._asdict(),
        "notes": _notes(answers, signals, ceiling, scores),
    }


def fit_provenance(document: CalibrationDocument, embedder: EmbedderSpec) -> dict[str, object]:
    """Return the provenance of a fit, without dates: equal fits give equal files."""
    signals, judge = document["signals"], document["judge"]
    return {
        "grades": document["grades"],
        "method": f"fractional logistic regression, weights at least 0, ridge {RIDGE}; signals with "
        f"less than {LEAST_SHARE:.0%} of the weights left out; {FOLDS} folds by question",
        "candidates": [name for name in CANDIDATES if name in signals],
        "encoder": embedder_identity(embedder),
        "judge": judge and judge["fields"],
        "cross_validated": _judge_figures(document, CALIBRATED_OPTION),
        "ahead_of": {
            name: signal["calibrated_ahead"]
            for name, signal in signals.items()
            if name != CALIBRATED_OPTION
        },
    }


def measured_judges(document: CalibrationDocument, *, fitted: bool) -> list[KnownJudge]:
    """Return the figures of the judges that were measured, for `known_judges.record_judge`.

    Args:
        document: The measurement.
        fitted: Whether the calibrated judge was fitted on these grades, and so belongs to them.
    """
    judges: list[KnownJudge] = []
    if document["judge"]:
        key = judge_key(document["judge"]["fields"])
        judges.append({"judge": key, **_judge_figures(document, ASCENDING)})
    if fitted:
        figures = _judge_figures(document, CALIBRATED_OPTION)
        judges.append({"judge": document["calibrated"], **figures})
    return judges


def _grades_file(path: Path, answers: Sequence[GradedAnswer]) -> GradesFile:
    return {
        "file": path.name,
        "sha256": file_sha256(path),
        "rows": len(answers),
        "questions": len({answer.question for answer in answers}),
        "graders": len({grader for answer in answers for grader in answer.grades}),
        "copies": sum(answer.copied for answer in answers),
    }


def _signal_agreements(
    answers: Sequence[GradedAnswer], scores: SignalScores, table: GradedRows
) -> dict[str, SignalAgreement]:
    fresh = [not answer.copied for answer in answers]
    calibrated = scores[CALIBRATED_OPTION]
    agreements: dict[str, SignalAgreement] = {}
    with progress("measuring agreement", len(scores), unit="scores") as bar:
        for name, values in scores.items():
            is_calibrated = name == CALIBRATED_OPTION
            agreements[name] = {
                **measure_agreement(values, table),
                "without_copies": measure_part(values, table, fresh),
                "calibrated_ahead": (
                    None if is_calibrated else agreement_lead(calibrated, values, table)
                ),
            }
            bar.advance(1)
    return agreements


def _judge_behaviour(
    fields: Mapping[str, object], verdicts: JudgeVerdicts, table: GradedRows
) -> JudgeBehaviour:
    scores = verdicts.scores()
    orders = {"ascending": verdicts.ascending, "descending": verdicts.descending}
    return {
        "model": str(fields.get("model")),
        "fields": dict(fields),
        "orders": order_agreement(scores[ASCENDING], scores[DESCENDING], table),
        "mass": {
            name: mean_estimate([verdict and verdict["mass"] for verdict in order], table)
            for name, order in orders.items()
        },
        "errors": len(verdicts.errors),
        "cut": sum(
            verdict is not None and verdict["cut_tokens"] > 0
            for order in orders.values()
            for verdict in order
        ),
    }


def _notes(
    answers: Sequence[GradedAnswer],
    signals: Mapping[str, SignalAgreement],
    ceiling: Ceiling,
    scores: SignalScores,
) -> list[str]:
    """Return the reservations that a reader of the table needs to know."""
    notes = []
    if len({answer.question for answer in answers}) == 1:
        notes.append("one question alone: no intervals, which are drawn over questions.")
    if not ceiling["graders"]:
        notes.append("no two people graded the same answers: there is no human ceiling.")
    if unlike := count_unlike_means(answers):
        notes.append(
            f"{unlike} {plural(unlike, 'row has', 'rows have')} a human_mean that is not the mean of "
            f"{plural(unlike, 'its', 'their')} grades: human_mean is used."
        )
    for name, signal in signals.items():
        notes += [f"{name}: {doubt}" for doubt in _doubts(name, signal, scores[name])]
    if not next(iter(signals.values()))["pair_agreement"]["n"]:
        notes.append("no two answers to one question have human means that differ by 1 or more.")
    return notes


def _doubts(name: str, signal: SignalAgreement, scores: Sequence[float | None]) -> list[str]:
    distinct = {score for score in scores if score is not None}
    if not distinct:
        return ["no answer is scored."]
    doubts, pairs = [], signal["pair_agreement"]
    if len(distinct) == 1:
        doubts.append("all scores are the same: it correlates with nothing.")
    elif signal["spearman"]["mean"] is None:
        doubts.append("all human means are the same: nothing correlates with them.")
    is_judge = name in (ASCENDING, DESCENDING, BOTH, CALIBRATED_OPTION)
    if is_judge and pairs["n"] and (doubt := doubt_of(pairs)):
        doubts.append(doubt)
    return doubts


def _judge_figures(document: CalibrationDocument, signal: str) -> JudgeFigures:
    agreement = document["signals"][signal]
    return {
        "grades": document["grades"]["file"],
        "n": agreement["n"],
        "spearman": agreement["spearman"],
        "pair_agreement": agreement["pair_agreement"],
    }

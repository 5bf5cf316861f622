"""The calibrated judge in a run: its score stands beside the metrics that it is made of."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from evaluation.calibration.signals import further
from evaluation.metrics.calibrated_formula import Calibrated
from evaluation.metrics.calibrated_judge import calibrated_scores
from evaluation.metrics.registry import CALIBRATED
from evaluation.store.journal import Record

if TYPE_CHECKING:
    from graph.retrieval.encoder import Encoder


def score_records(calibrated: Calibrated, encoder: "Encoder", records: Sequence[Record]) -> None:
    """Fill in the calibrated judge's score of records that have all other metrics."""
    for record, score in zip(records, scores_for(calibrated, encoder, records), strict=True):
        record["metrics"][CALIBRATED] = score


def scores_for(
    calibrated: Calibrated, encoder: "Encoder", records: Sequence[Record]
) -> list[float | None]:
    """Return the score of each record's answer, from the metrics that the record holds."""
    questions = [record["question"] for record in records]
    answers = [record["answer"] for record in records]
    references = [record["reference"] for record in records]
    more = further(encoder, questions, answers, references)
    signals = [
        {**record["metrics"], **others} for record, others in zip(records, more, strict=True)
    ]
    return calibrated_scores(questions, answers, references, signals, calibrated)

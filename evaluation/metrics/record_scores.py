"""Scores of records: of the answer and of every text that it was chosen from or made of."""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from dataset.criteria import Criteria, NotScorable, read_criteria
from evaluation.metrics.calibrated_judge import CalibratedJudge
from evaluation.metrics.criteria import CRITERIA
from evaluation.metrics.extra_signals import extra_signals
from evaluation.metrics.metric import MetricScores
from evaluation.metrics.normal_text import normal_text
from evaluation.metrics.registry import METRICS, score_answers
from evaluation.store.journal import CandidateScore, EncoderParts, Record
from nodes.state import is_withheld

if TYPE_CHECKING:
    from graph.retrieval.encoder import Encoder


def score_texts(encoder: "Encoder | None", records: Sequence[Record]) -> None:
    """Fill in the metrics of answered records and of all their candidates; keep the judge's score.

    A text is scored once for each question, even if several steps hold it. Without an encoder,
    metrics on vectors are None.
    """
    texts = [(record, text) for record in records for text in _texts(record)]
    scores = score_answers(
        [text for _, text in texts], [record["reference"] for record, _ in texts], encoder
    )
    scores_of: dict[int, dict[str, MetricScores]] = {record["index"]: {} for record in records}
    for (record, text), text_scores in zip(texts, scores, strict=True):
        scores_of[record["index"]][text] = text_scores
    parts = _encoder_parts(encoder, records)
    for record in records:
        own = scores_of[record["index"]]
        measured = {**record["metrics"], **own[record["answer"]]}
        record["encoder_parts"] = parts.get(record["index"])
        record["metrics"] = {metric.name: measured.get(metric.name) for metric in METRICS}
        if criteria := record.get("criteria"):
            _score_criteria(record, criteria, own)
        if is_withheld(record["steps"]):
            # The text of an abstention is no answer. Its candidates have their scores.
            record["metrics"] = dict.fromkeys(record["metrics"])
        record["candidates"] = _candidates(record, own)


def _encoder_parts(encoder: "Encoder | None", records: Sequence[Record]) -> dict[int, EncoderParts]:
    """Return the parts in which the encoder read the answers and references, by index."""
    if encoder is None:
        return {}
    texts = [normal_text(record[name]) for record in records for name in ("answer", "reference")]
    counts = [len(parts) for parts in encoder.split(texts)]
    return {
        record["index"]: {"answer": answer, "reference": reference}
        for record, answer, reference in zip(records, counts[::2], counts[1::2], strict=True)
    }


def _score_criteria(record: Record, criteria: str, scores_of: dict[str, MetricScores]) -> None:
    """Fill in the scores of a record's texts by its criteria, and the reason if there is none."""
    for text, scores in scores_of.items():
        scores[CRITERIA.name], reason = _criteria_score(criteria, text)
        if text == record["answer"]:
            record["metrics"][CRITERIA.name] = scores[CRITERIA.name]
            if reason:
                record["criteria_unscored"] = reason


def _criteria_score(criteria: str, text: str) -> tuple[float | None, str]:
    """Return the score of a text in [0, 1] and the empty text, or None and the reason."""
    parsed = _parse_criteria(criteria)
    if isinstance(parsed, str):
        return None, parsed
    try:
        return parsed.score(text), ""
    except NotScorable as reason:
        return None, str(reason)


# All texts of a question are scored one after the other.
@lru_cache(maxsize=16)
def _parse_criteria(criteria: str) -> Criteria | str:
    try:
        return read_criteria(json.loads(criteria))
    except NotScorable as reason:
        return str(reason)


def _texts(record: Record) -> list[str]:
    drafts = [draft["text"] for step in record["steps"] for draft in step.get("candidates", [])]
    return list(dict.fromkeys([record["answer"], *drafts]))


def _candidates(record: Record, scores_of: dict[str, MetricScores]) -> list[CandidateScore]:
    return [
        {"step": step_index, "candidate": index, "metrics": scores_of[draft["text"]]}
        for step_index, step in enumerate(record["steps"])
        for index, draft in enumerate(step.get("candidates", []))
    ]


def calibrated_scores(
    calibrated: CalibratedJudge, encoder: "Encoder", records: Sequence[Record]
) -> list[float | None]:
    """Return one score for each record: None without a reference or with a signal missing."""
    further_signals = extra_signals(
        encoder,
        [record["question"] for record in records],
        [record["answer"] for record in records],
        [record["reference"] for record in records],
    )
    return [
        calibrated.score(record["question"], record["answer"], {**record["metrics"], **signals})
        if record["reference"] and not is_withheld(record["steps"])
        else None
        for record, signals in zip(records, further_signals, strict=True)
    ]

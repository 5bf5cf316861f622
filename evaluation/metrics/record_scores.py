"""Scores of every text that an answer was chosen from or made of, the answer itself among them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from evaluation.metrics.registry import lexical, semantic_similarity
from evaluation.store.journal import CandidateScore, Record

if TYPE_CHECKING:
    from graph.retrieval.encoder import Encoder

MetricScores = dict[str, float | None]


def score_texts(encoder: "Encoder | None", records: Sequence[Record]) -> None:
    """Fill in the metrics of answered records and of all their candidates, bar the judge's.

    A text is scored once for each question, however many steps show it. Without an encoder
    `semantic_similarity` is None.
    """
    texts = [(record, text) for record in records for text in _texts(record)]
    similarities: list[float | None] = [None] * len(texts)
    if encoder is not None:
        similarities = semantic_similarity(
            encoder, [text for _, text in texts], [record["reference"] for record, _ in texts]
        )
    scored: dict[int, dict[str, MetricScores]] = {record["index"]: {} for record in records}
    for (record, text), similarity in zip(texts, similarities, strict=True):
        scored[record["index"]][text] = {
            **lexical(text, record["reference"]),
            "semantic_similarity": similarity,
        }
    for record in records:
        found = scored[record["index"]]
        record["metrics"] = {**found[record["answer"]], "LLM_judge": record["metrics"]["LLM_judge"]}
        record["candidates"] = _candidates(record, found)


def _texts(record: Record) -> list[str]:
    drafts = [draft["text"] for step in record["steps"] for draft in step.get("candidates", [])]
    return list(dict.fromkeys([record["answer"], *drafts]))


def _candidates(record: Record, scored: dict[str, MetricScores]) -> list[CandidateScore]:
    return [
        {"step": number, "candidate": place, "metrics": scored[draft["text"]]}
        for number, step in enumerate(record["steps"])
        for place, draft in enumerate(step.get("candidates", []))
    ]

"""The candidates of recorded questions, with their features and their scores against the reference."""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy import float32
from numpy.typing import NDArray

from evaluation.metrics.calibrated_judge import CALIBRATED_JUDGE, CalibratedJudge
from evaluation.metrics.extra_signals import extra_signals
from evaluation.metrics.metric import MetricScores
from evaluation.metrics.registry import score_answers
from evaluation.reranking.remembering_encoder import RememberingEncoder
from evaluation.store.journal import Record
from evaluation.store.recorded_run import RecordedRun, known_records
from graph.reranking.features import Features, features_of
from graph.reranking.scorer import candidate_text
from graph.retrieval.embeddings import stored_vectors
from graph.retrieval.encoder import Encoder
from graph.retrieval.query import Query
from graph.retrieval.text_vectors import encode_new
from graph.support.errors import DatasetError
from graph.support.progress import progress
from graph.support.text import plural
from nodes.choice import passage_candidates
from nodes.state import Draft, Passage
from nodes.word_overlap import distinct

TARGETS = ("semantic_similarity", "ROUGE-1", CALIBRATED_JUDGE.name)
"""The metrics whose mean rank among the candidates of a question is fitted."""
CHUNK = 16
"""Questions that are scored at once."""


class Pool(NamedTuple):
    """The candidates of one question; the first passage's answer comes first, if there is one."""

    question: str
    candidates: list[Draft]
    features: list[Features]
    scores: list[MetricScores]
    """The metrics of each candidate that the target of a fit needs."""


class RecordedVectors(NamedTuple):
    """The vectors of the candidates and questions of runs, encoded in advance."""

    by_text: dict[str, NDArray[float32]]
    encoder: Encoder

    def of_candidates(
        self, candidates: Sequence[Draft], passages: Sequence[Passage]
    ) -> NDArray[float32]:
        """Return the vector of each candidate, shape (candidates, dimension)."""
        del passages
        return np.stack([self.by_text[candidate_text(draft)] for draft in candidates])

    def of_question(self, question: str) -> NDArray[float32]:
        """Return the vector of a question."""
        vector: NDArray[float32] = self.encoder.encode_queries([Query.of(question).plain_text])[0]
        return vector


def candidates_of(record: Record) -> list[Draft]:
    """Return the distinct candidates of a question: the answers of its passages, then all texts of models."""
    written = [
        draft
        for step in record["steps"]
        for draft in step.get("candidates", [])
        if draft.get("source") != "passage"
    ]
    return distinct([*passage_candidates(record["passages"]), *written])


def pools_of(runs: Sequence[RecordedRun], encoder: Encoder, judge: CalibratedJudge) -> list[Pool]:
    """Return the pools of all answered questions that have a reference and two candidates or more.

    The calibrated judge scores blind: a question of its own fit is scored by the formula of its fold.

    Raises:
        DatasetError: A question is in the runs more than once, or the records of a run are damaged.
    """
    records: list[Record] = []
    for run in runs:
        with known_records(run.folder):
            records += [r for r in run.answered if r["reference"] and len(candidates_of(r)) > 1]
    _check_questions(records)
    vectors = RecordedVectors(_vectors_by_text(records, encoder), RememberingEncoder(encoder))
    pools: list[Pool] = []
    with progress("scoring the candidates", len(records), unit="questions") as bar:
        for start in range(0, len(records), CHUNK):
            chunk = records[start : start + CHUNK]
            pools += _pools_of_chunk(chunk, vectors, judge)
            bar.advance(len(chunk))
    return pools


def _check_questions(records: Sequence[Record]) -> None:
    """Refuse repeated questions: n and the intervals take each candidate pool as a question of its own."""
    counts = Counter(record["question"] for record in records)
    repeated = sum(count > 1 for count in counts.values())
    if repeated:
        raise DatasetError(
            f"the runs have {repeated} {plural(repeated, 'question')} more than once: name one run of "
            "each dataset"
        )


def _vectors_by_text(records: Sequence[Record], encoder: Encoder) -> dict[str, NDArray[float32]]:
    texts = list(
        dict.fromkeys(
            candidate_text(draft) for record in records for draft in candidates_of(record)
        )
    )
    # Answers of passages have their vectors in the cache, if an index has the part `answer`.
    stored = stored_vectors(encoder.spec)
    encode_blocks = partial(map, encoder.encode)
    encoded = encode_new(texts, encode_blocks, stored, "encoding the candidates")
    return dict(zip(texts, encoded.vectors, strict=True))


def _pools_of_chunk(
    records: Sequence[Record], vectors: RecordedVectors, judge: CalibratedJudge
) -> Iterator[Pool]:
    candidates = [candidates_of(record) for record in records]
    rows = [
        (record, draft)
        for record, drafts in zip(records, candidates, strict=True)
        for draft in drafts
    ]
    questions = [record["question"] for record, _ in rows]
    answers = [draft["text"] for _, draft in rows]
    references = [record["reference"] for record, _ in rows]
    metrics = score_answers(answers, references, vectors.encoder, [*TARGETS, *judge.signals])
    extras = extra_signals(vectors.encoder, questions, answers, references)
    scores: list[MetricScores] = [
        {
            **row,
            CALIBRATED_JUDGE.name: judge.score(question, answer, {**row, **extra}, blind=True),
        }
        for question, answer, row, extra in zip(questions, answers, metrics, extras, strict=True)
    ]
    position = 0
    for record, drafts in zip(records, candidates, strict=True):
        features = features_of(record["question"], drafts, record["passages"], vectors)
        yield Pool(record["question"], drafts, features, scores[position : position + len(drafts)])
        position += len(drafts)

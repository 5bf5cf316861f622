"""The scorer of the node learned: features, vectors and formula put together."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from langchain_core.retrievers import BaseRetriever
from numpy.typing import NDArray

from graph.reranking.features import Features, features_of
from graph.reranking.formula import SHIPPED, Formula, Reranker, load_reranker
from graph.retrieval.plain import plain_text
from graph.retrieval.query import Query
from graph.retrieval.retriever import PostRetriever
from graph.schema import Config
from graph.support.errors import ConfigError
from nodes.choice import answer_of
from nodes.state import CandidateScore, Draft, Passage

if TYPE_CHECKING:
    from graph.retrieval.embeddings import OwnEmbeddings
    from graph.retrieval.encoder import Encoder
    from nodes.choice import CandidateScorer

_FIELD = "answer"
"""The part of an index whose vectors are those of candidates."""


class LearnedScorer:
    """Scores candidates by a fitted formula.

    The vectors of passages are those of the index, if it has the part `answer`; other texts are encoded.
    """

    def __init__(
        self,
        reranker: Reranker,
        open_encoder: Callable[[], "Encoder | OwnEmbeddings"],
        retriever: BaseRetriever | None,
    ) -> None:
        self._reranker = reranker
        self._open_encoder = open_encoder
        self._retriever = retriever if isinstance(retriever, PostRetriever) else None

    def score(
        self, question: str, candidates: Sequence[Draft], passages: Sequence[Passage]
    ) -> list[CandidateScore]:
        """Return the score of each candidate, with its features."""
        formula = self._reranker.formula_for(question)
        return [
            _candidate_score(formula, features)
            for features in features_of(question, candidates, passages, self)
        ]

    def of_question(self, question: str) -> NDArray[np.float32]:
        """Return the vector of a question, encoded as a query."""
        texts = [Query.of(question).plain_text]
        vector: NDArray[np.float32] = self._open_encoder().encode_queries(texts)[0]
        return vector

    def of_candidates(
        self, candidates: Sequence[Draft], passages: Sequence[Passage]
    ) -> NDArray[np.float32]:
        """Return the vector of each candidate, encoded as the answer of a post."""
        vectors = self._stored(candidates, passages)
        missing = [row for row, vector in enumerate(vectors) if vector is None]
        if missing:
            texts = [candidate_text(candidates[row]) for row in missing]
            for row, vector in zip(missing, self._open_encoder().encode(texts), strict=True):
                vectors[row] = vector
        return np.stack([vector for vector in vectors if vector is not None])

    def _stored(
        self, candidates: Sequence[Draft], passages: Sequence[Passage]
    ) -> list[NDArray[np.float32] | None]:
        by_number = {passage["number"]: passage for passage in passages}
        sources = [by_number.get(draft.get("passage", 0)) for draft in candidates]
        posts = [
            (source["question_id"], answer_of(source)) if source else ("", "") for source in sources
        ]
        if self._retriever is None:
            return [None] * len(candidates)
        return self._retriever.vectors_of_posts(_FIELD, posts)


def _candidate_score(formula: Formula, features: Features) -> CandidateScore:
    score: CandidateScore = {"score": formula.score(features), "features": features}
    if formula.expectation:
        score["expected"] = formula.expectation.score(features)
    return score


def candidate_text(candidate: Draft) -> str:
    """Return the text of a candidate for the encoder: that of a passage is the text of its post."""
    return plain_text(candidate["text"])


def open_scorer(
    config: Config,
    open_encoder: Callable[[], "Encoder | OwnEmbeddings"],
    retriever: BaseRetriever | None,
) -> "CandidateScorer | None":
    """Return the scorer of a config; None if it scores no candidates.

    Args:
        config: The config.
        open_encoder: Returns the encoder of candidates and questions; called when a text needs it.
        retriever: Its index has the vectors of passages, if it is the project's own.

    Raises:
        ConfigError: the reranker's file cannot be used, or lacks the expected scores that the config needs.
    """
    if not config.scores_candidates:
        return None
    path = Path(config.rerank.reranker) if config.rerank.reranker else None
    reranker = load_reranker(path)
    thresholds = (config.answer.abstain, config.generation.closed_book_below)
    if thresholds != (None, None) and reranker.formula.expectation is None:
        raise ConfigError(
            f"{path or SHIPPED}: holds no expected scores, which answer.abstain and "
            "generation.closed_book_below need: fit another one with python -m evaluation fit-reranker RUN "
            "--out FILE.json, and name it in rerank.reranker"
        )
    return LearnedScorer(reranker, open_encoder, retriever)

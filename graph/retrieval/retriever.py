"""The retriever: from a question to the posts that fit it best, as LangChain documents."""

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import PrivateAttr

from graph.retrieval import selection
from graph.retrieval.cross_encoder import CrossEncoder
from graph.retrieval.index import build_or_verify, vector_fields
from graph.retrieval.parts.postgres_server import Server
from graph.retrieval.query import Query
from graph.retrieval.searching import Candidates, OpenIndex
from graph.schema import EmbedderSpec, Retrieval

_WIDER = 10
"""What reorders or drops posts gets this many times as many as are wanted."""


class RankedQuestion(NamedTuple):
    """A question of the corpus at its place in a ranking."""

    question_id: str
    score: float


class PostRetriever(BaseRetriever):
    """Finds posts by meaning (`semantic`), by words (`keyword`) or by both (`hybrid`)."""

    retrieval: Retrieval
    corpus: Path
    folder: Path | None
    embedder: EmbedderSpec
    excluded: frozenset[str] = frozenset()
    """Ids of questions that are never returned: leaks of the dataset into the corpus."""
    _index: OpenIndex | None = PrivateAttr(None)
    _excluded_rows: list[int] = PrivateAttr(default_factory=list)
    _cross_encoder: CrossEncoder | None = PrivateAttr(None)
    _lock: Lock = PrivateAttr(default_factory=Lock)

    def open(self) -> int:
        """Build or open the index now; return how many posts it holds."""
        return len(self._opened().posts)

    def _opened(self) -> OpenIndex:
        with self._lock:
            if self._index is None:
                if self.retrieval.store == "postgres" and vector_fields(self.retrieval):
                    Server()  # one that cannot be reached is said before minutes of encoding
                folder = build_or_verify(self.retrieval, self.corpus, self.embedder, self.folder)
                index = OpenIndex.open(self.retrieval, folder, self.embedder)
                ids = index.posts.question_ids
                self._excluded_rows = [r for r, name in enumerate(ids) if name in self.excluded]
                if self.retrieval.cross_encoder:
                    self._cross_encoder = CrossEncoder(self.retrieval.cross_encoder)
                    self._cross_encoder.load()
                self._index = index
            return self._index

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        posts = self._opened().posts
        found = self._find([query], self.retrieval.top_k)[0]
        return [
            posts.read(int(row)).to_document(float(score))
            for row, score in zip(found.rows, found.scores, strict=True)
        ]

    def rank(self, queries: Sequence[str], depth: int) -> list[list[RankedQuestion]]:
        """Return for each query at most `depth` questions, best first, none of them twice."""
        ids = self._opened().posts.question_ids
        rankings = []
        for found in self._find(queries, depth * self.retrieval.answers_per_question):
            best: dict[str, float] = {}
            for row, score in zip(found.rows, found.scores, strict=True):
                best.setdefault(ids[row], float(score))
            rankings.append([RankedQuestion(name, score) for name, score in best.items()][:depth])
        return rankings

    def _find(self, queries: Sequence[str], depth: int) -> list[Candidates]:
        index = self._opened()
        questions = [Query.of(query) for query in queries]
        wanted = depth * _WIDER
        if self._cross_encoder:
            wanted = max(wanted, self.retrieval.cross_encoder_depth)
        candidates = index.search(questions, wanted, self._excluded_rows)
        return [
            self._filled(found, question, depth, wanted)
            for found, question in zip(candidates, questions, strict=True)
        ]

    def _filled(self, found: Candidates, question: Query, depth: int, wanted: int) -> Candidates:
        """Select, and look further where so many are repeats that too few are left."""
        chosen = self._select(found, question, depth)
        while len(chosen.rows) < depth and len(found.rows) >= wanted:
            wanted *= _WIDER
            found = self._opened().search([question], wanted, self._excluded_rows)[0]
            chosen = self._select(found, question, depth)
        return chosen

    def _select(self, found: Candidates, question: Query, depth: int) -> Candidates:
        index, retrieval = self._opened(), self.retrieval
        found = selection.with_bonuses(found, question, index.posts, retrieval)
        wider = depth * _WIDER if retrieval.diversity else depth
        if self._cross_encoder:
            wider = max(wider, retrieval.cross_encoder_depth)
        ids, prints = index.posts.question_ids, index.fingerprints
        found = selection.without_repeats(found, ids, prints, retrieval, wider)
        if self._cross_encoder:
            found = self._cross_encoder.reorder(found, question, index.posts)
        if retrieval.diversity:
            vectors = index.vectors[retrieval.vectors[0]].vectors[found.rows]
            found = selection.diverse(found, vectors, retrieval.diversity, depth)
        return Candidates(found.rows[:depth], found.scores[:depth])

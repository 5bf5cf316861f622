"""The retriever: the posts that fit a query best, as LangChain documents."""

from collections.abc import Collection, Sequence
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from threading import Lock
from typing import Annotated, NamedTuple
from weakref import finalize

import numpy as np
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from numpy.typing import NDArray
from pydantic import AfterValidator, PrivateAttr

from graph.retrieval import selection
from graph.retrieval.candidates import Candidates
from graph.retrieval.cross_encoder import CrossEncoder
from graph.retrieval.embeddings import Embedder, OwnEmbeddings, is_unnamed
from graph.retrieval.index import build_or_verify
from graph.retrieval.limited import LimitedRetriever
from graph.retrieval.parts import part_classes
from graph.retrieval.query import Query
from graph.retrieval.searching import OpenIndex
from graph.schema import Retrieval
from graph.support.errors import ConfigError
from graph.support.logger import log
from graph.support.storage import with_home

_WIDENING = 10
"""A stage that reorders or drops posts gets this many times as many as it should return."""


class RankedQuestion(NamedTuple):
    """A question of the corpus with its score in a ranking."""

    question_id: str
    score: float


class PostRetriever(LimitedRetriever):
    """Retrieves posts by meaning (`semantic`), by words (`keyword`) or by both (`hybrid`)."""

    retrieval: Retrieval
    corpus: Annotated[Path, AfterValidator(with_home)]
    folder: Annotated[Path, AfterValidator(with_home)] | None
    embedder: Embedder
    """Embeddings without a name have an index of their own, removed with the retriever."""
    excluded: frozenset[str] = frozenset()
    """Ids of questions that are never returned: leaks of the dataset into the corpus."""
    _index: OpenIndex | None = PrivateAttr(None)
    _index_folder: Path = PrivateAttr()
    _excluded_rows: list[int] = PrivateAttr(default_factory=list)
    _rows_by_question: dict[str, list[int]] | None = PrivateAttr(None)
    _cross_encoder: CrossEncoder | None = PrivateAttr(None)
    _lock: Lock = PrivateAttr(default_factory=Lock)

    def open(self) -> int:
        """Build or open the index now, and return the number of its posts."""
        return len(self._open_once().posts)

    def index_folder(self) -> Path:
        """Return the folder of the index, which is built or opened first."""
        self._open_once()
        return self._index_folder

    def vectors_of_posts(
        self, field: str, texts: Sequence[tuple[str, str]]
    ) -> list[NDArray[np.float32] | None]:
        """Return the vector of a field of posts; None where the index has none.

        Args:
            field: The name of a part with vectors.
            texts: The id of each question, and the answer of its post as Markdown: a question may have
                several posts.
        """
        index = self._open_once()
        part = index.parts.get(field)
        if part is None or part.vectors is None:
            return [None] * len(texts)
        stored: list[NDArray[np.float32] | None] = []
        for question_id, answer in texts:
            rows = [
                row
                for row in self._rows_of(question_id)
                if index.posts.read(row).answer.strip() == answer
            ]
            stored.append(part.vectors[np.array(rows[:1])][0] if rows else None)
        return stored

    def _rows_of(self, question_id: str) -> list[int]:
        with self._lock:
            if self._rows_by_question is None:
                self._rows_by_question = {}
                for row, name in enumerate(self._index.posts.question_ids if self._index else ()):
                    self._rows_by_question.setdefault(name, []).append(row)
            return self._rows_by_question.get(question_id, [])

    def returnable(self, question_ids: Collection[str]) -> set[str]:
        """Return those of the ids that the corpus holds and that are not excluded."""
        ids = self._open_once().posts.question_ids
        return {name for name in ids if name in question_ids} - self.excluded

    def _index_folder_or_new(self) -> Path | None:
        """Return `folder`; for embeddings without a name a folder that ends with this retriever."""
        if not is_unnamed(self.embedder):
            return self.folder
        if self.folder:
            raise ConfigError(
                f"index {self.folder}: embeddings without a name have no index on disk; name them"
            )
        log.warning(
            "the embeddings have no name: their index is built for this process alone, and anew in "
            "the next; pass embeddings_name to keep it"
        )
        parent = Path(mkdtemp(prefix="opencoder-index-"))
        finalize(self, rmtree, parent, ignore_errors=True)
        return parent / "index"

    def _open_once(self) -> OpenIndex:
        with self._lock:
            if self._index is None:
                # Each class once: the vectors of several fields are on one server.
                for part_class in dict.fromkeys(part_classes(self.retrieval).values()):
                    part_class.check_server()
                folder = build_or_verify(
                    self.retrieval, self.corpus, self.embedder, self._index_folder_or_new()
                )
                index = OpenIndex.open(self.retrieval, folder, self.embedder)
                if isinstance(self.embedder, OwnEmbeddings):
                    _check_vectors(index, self.embedder, folder)
                self._excluded_rows = [
                    row
                    for row, question_id in enumerate(index.posts.question_ids)
                    if question_id in self.excluded
                ]
                if self.retrieval.cross_encoder:
                    self._cross_encoder = CrossEncoder(self.retrieval.cross_encoder)
                    self._cross_encoder.load()
                self._index, self._index_folder = index, folder
            return self._index

    def _documents(
        self, query: str, k: int | None, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        posts = self._open_once().posts
        (candidates,) = self._retrieve([query], k or self.retrieval.top_k)
        return [
            posts.read(int(row)).to_document(float(score), part_scores)
            for row, score, part_scores in zip(
                candidates.rows, candidates.scores, candidates.part_scores(), strict=True
            )
        ]

    def rank(self, queries: Sequence[str], depth: int) -> list[list[RankedQuestion]]:
        """Return at most `depth` questions for each query, best first, none of them twice."""
        ids = self._open_once().posts.question_ids
        rankings = []
        for candidates in self._retrieve(queries, depth * self.retrieval.answers_per_question):
            best: dict[str, float] = {}
            for row, score in zip(candidates.rows, candidates.scores, strict=True):
                best.setdefault(ids[row], float(score))
            ranking = [RankedQuestion(question_id, score) for question_id, score in best.items()]
            rankings.append(ranking[:depth])
        return rankings

    def _retrieve(self, texts: Sequence[str], depth: int) -> list[Candidates]:
        index = self._open_once()
        queries = [Query.of(text) for text in texts]
        width = depth * _WIDENING
        if self._cross_encoder:
            width = max(width, self.retrieval.cross_encoder_depth)
        return [
            self._select_enough(candidates, query, depth, width)
            for candidates, query in zip(
                index.search(queries, width, self._excluded_rows), queries, strict=True
            )
        ]

    def _select_enough(
        self, candidates: Candidates, query: Query, depth: int, width: int
    ) -> Candidates:
        """Select `depth` candidates; search for more if too many are repeats."""
        selected = self._select(candidates, query, depth)
        while len(selected.rows) < depth and len(candidates.rows) >= width:
            width *= _WIDENING
            (candidates,) = self._open_once().search([query], width, self._excluded_rows)
            selected = self._select(candidates, query, depth)
        return selected

    def _select(self, candidates: Candidates, query: Query, depth: int) -> Candidates:
        index, retrieval = self._open_once(), self.retrieval
        candidates = selection.with_bonuses(candidates, query, index.posts, retrieval)
        width = depth * _WIDENING if retrieval.diversity else depth
        if self._cross_encoder:
            width = max(width, retrieval.cross_encoder_depth)
        ids, prints = index.posts.question_ids, index.fingerprints
        candidates = selection.without_repeats(candidates, ids, prints, retrieval, width)
        if self._cross_encoder:
            candidates = self._cross_encoder.reorder(candidates, query, index.posts)
        if retrieval.diversity:
            vectors = index.vectors[candidates.rows]
            candidates = selection.diverse(candidates, vectors, retrieval.diversity, depth)
        return candidates.at(np.arange(min(depth, len(candidates.rows))))


def _check_vectors(index: OpenIndex, embeddings: OwnEmbeddings, folder: Path) -> None:
    name = next(name for name, part in index.parts.items() if part.vectors is not None)
    text = index.posts.read(0).field_text(name)
    embeddings.check_stored([text], index.vectors[np.array([0])], folder)

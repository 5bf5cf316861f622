"""An index in the classes of langchain-community: its FAISS vector store and its BM25 retriever."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from graph.retrieval.corpus import default_corpus
from graph.retrieval.embeddings import PostEmbeddings
from graph.retrieval.index import build_or_verify
from graph.retrieval.limited import positive
from graph.retrieval.parts.keyword import KeywordPart, query_terms
from graph.retrieval.parts.part import SCORE_DECIMALS
from graph.retrieval.parts.vectors import VectorPart
from graph.retrieval.posts import StoredPosts
from graph.retrieval.query import Query
from graph.schema import EmbedderSpec, Retrieval
from graph.support.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from langchain_community.retrievers import BM25Retriever
    from langchain_community.vectorstores import FAISS
    from langchain_core.documents import Document

_T = TypeVar("_T")


def vector_store(corpus: Path | None, folder: Path | None, embedder: EmbedderSpec) -> "FAISS":
    """Return the index of `semantic` as a vector store; see `graph.open_vector_store`."""
    try:
        from langchain_community.docstore import InMemoryDocstore
        from langchain_community.vectorstores import FAISS
        from langchain_community.vectorstores.utils import DistanceStrategy
    except ImportError:
        raise _missing("open_vector_store") from None
    retrieval = Retrieval(kind="semantic", vectors=("question",))
    folder = build_or_verify(retrieval, corpus or default_corpus(), embedder, folder)
    documents = _documents(folder)
    part = VectorPart.open(folder, "question")
    return (_fixed(FAISS) if part.is_approximate else FAISS)(
        embedding_function=PostEmbeddings(embedder),
        index=part.to_faiss(),
        docstore=InMemoryDocstore({str(document.id): document for document in documents}),
        index_to_docstore_id={row: str(document.id) for row, document in enumerate(documents)},
        # The class takes the best score of its own formula for an inner product as the least relevant.
        relevance_score_fn=_relevance,
        distance_strategy=DistanceStrategy.MAX_INNER_PRODUCT,
    )


def _fixed(store: "type[FAISS]") -> "type[FAISS]":
    """Return the class without changes: FAISS ends the process at a change of a mapped index."""

    def refuse(*_: object, **__: object) -> None:
        raise ConfigError(
            "this store has an approximate index, which is mapped from its file: nothing can be added "
            "or deleted"
        )

    changes = ("add_texts", "add_embeddings", "delete", "merge_from")
    return type("FixedFAISS", (store,), dict.fromkeys(changes, refuse))


def bm25_retriever(corpus: Path | None, folder: Path | None, k: int) -> "BM25Retriever":
    """Return the index of `keyword` as a retriever; see `graph.open_bm25`."""
    try:
        from langchain_community.retrievers import BM25Retriever
    except ImportError:
        raise _missing("open_bm25") from None
    k = positive(k)
    retrieval = Retrieval(kind="keyword")
    # The kind compares no vectors: nothing reads the encoder.
    folder = build_or_verify(retrieval, corpus or default_corpus(), EmbedderSpec(model=""), folder)
    return BM25Retriever(
        vectorizer=StoredBM25(KeywordPart.open(folder)),
        docs=_documents(folder),
        k=k,
        preprocess_func=terms_of_query,
    )


def terms_of_query(text: str) -> list[str]:
    """Return the terms of a query, each as often as it counts."""
    return query_terms(Query.of(text))


class StoredBM25:
    """The scores of an index in the place of `rank_bm25.BM25Okapi`, with its interface."""

    def __init__(self, part: KeywordPart) -> None:
        self._part = part

    def get_scores(self, query: Sequence[str]) -> NDArray[np.float64]:
        """Return the score of each post for the terms of a query."""
        scores: NDArray[np.float64] = self._part.scores([query])[0].round(SCORE_DECIMALS)
        return scores

    def get_top_n(self, query: Sequence[str], documents: Sequence[_T], n: int = 5) -> list[_T]:
        """Return the `n` best documents above 0; of equal ones the first."""
        scores = self.get_scores(query)
        rows = np.argsort(-scores, kind="stable")[:n]
        return [documents[row] for row in rows if scores[row] > 0]


def _documents(folder: Path) -> "list[Document]":
    """Return all posts of an index; the id of a document is its row in the corpus, from 0."""
    posts = StoredPosts.open(folder)
    documents = [posts.read(row).to_document() for row in range(len(posts))]
    for row, document in enumerate(documents):
        document.id = str(row)
    return documents


def _relevance(cosine: float) -> float:
    return float(min(1.0, max(0.0, cosine)))


def _missing(function: str) -> MissingExtraError:
    return MissingExtraError(
        f"{function} needs langchain-community: pip install 'opencoder[community]'"
    )

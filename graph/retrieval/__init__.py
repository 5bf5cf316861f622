"""Retrievers behind LangChain's interface, over indexes on disk."""

from pathlib import Path

from graph.retrieval.corpus import default_corpus
from graph.retrieval.embeddings import Embedder
from graph.retrieval.retriever import PostRetriever
from graph.schema import Retrieval
from graph.support.errors import ConfigError


def open_retriever(
    retrieval: Retrieval,
    embedder: Embedder,
    *,
    corpus: Path | None = None,
    folder: Path | None = None,
    excluded: frozenset[str] = frozenset(),
) -> PostRetriever:
    """Return a retriever over a corpus; its index is built or opened at the first query.

    Args:
        retrieval: The parts of the index to search, and the selection of posts.
        embedder: The sentence encoder, or embeddings of the user's own, for kinds that compare vectors.
        corpus: A table of posts; by default the user's own, else the sample.
        folder: The folder of the index; by default one in the cache.
        excluded: Ids of questions that are never returned.

    Raises:
        ConfigError: the kind needs the questions of a dataset (see `control_retrievers`).
        DatasetError: there is no default corpus.
    """
    if retrieval.kind in ("oracle", "shuffled"):
        raise ConfigError(
            f"retrieval.kind {retrieval.kind} needs the questions of a dataset: use eval.py"
        )
    return PostRetriever(
        retrieval=retrieval,
        corpus=corpus or default_corpus(),
        folder=folder,
        embedder=embedder,
        excluded=excluded,
    )

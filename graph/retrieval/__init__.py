"""What finds: retrievers behind LangChain's interface, over indexes on disk."""

from pathlib import Path

from graph.retrieval.documents import default_corpus
from graph.retrieval.retriever import PostRetriever
from graph.schema import EmbedderSpec, Retrieval


def open_retriever(
    retrieval: Retrieval,
    embedder: EmbedderSpec,
    *,
    corpus: Path | None = None,
    folder: Path | None = None,
) -> PostRetriever:
    """Return a retriever over a corpus; its index is built or opened at the first question."""
    return PostRetriever(
        kind=retrieval.kind,
        top_k=retrieval.top_k,
        tag_bonus=retrieval.tag_bonus,
        corpus=corpus or default_corpus(),
        folder=folder,
        embedder=embedder,
    )

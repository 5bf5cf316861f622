"""What finds: retrievers behind LangChain's interface, over indexes on disk."""

from pathlib import Path

from graph.retrieval.documents import default_corpus
from graph.retrieval.retriever import PostRetriever
from graph.schema import EmbedderSpec, Retrieval
from graph.support.errors import ConfigError


def open_retriever(
    retrieval: Retrieval,
    embedder: EmbedderSpec,
    *,
    corpus: Path | None = None,
    folder: Path | None = None,
    excluded: frozenset[str] = frozenset(),
) -> PostRetriever:
    """Return a retriever over a corpus; its index is built or opened at the first question.

    Args:
        retrieval: What is searched, and how the best are chosen.
        embedder: The sentence encoder, where vectors are compared.
        corpus: A table of posts; your own or the sample without.
        folder: Where the index is; a folder in the cache without.
        excluded: Ids of questions that are never returned.

    Raises:
        ConfigError: a kind that needs a dataset's questions (`controls.py`).
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

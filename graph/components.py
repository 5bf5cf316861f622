"""LangChain components for your own chains: vector store, retriever, embeddings, LLM cache.

`docs/langchain.md` shows their use. Each import is inside its function: `import graph` stays light.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from langchain_core.caches import BaseCache
from langchain_core.embeddings import Embeddings

from graph.config import load_profile
from graph.models.reply_cache import ReplyCache
from graph.support.cache_names import LLM_CACHE
from graph.support.storage import cache_folder, with_home

if TYPE_CHECKING:
    from langchain_community.retrievers import BM25Retriever
    from langchain_community.vectorstores import FAISS


def open_bm25(
    corpus: str | Path | None = None, *, k: int = 5, folder: str | Path | None = None
) -> "BM25Retriever":
    """Return a corpus as LangChain's `BM25Retriever`, over the index of `keyword` (extra `community`).

    It returns the posts of `keyword` in the same order. It does not drop repeats: several answers to
    one question, and near-duplicates. `keyword` does, unless `retrieval.answers_per_question` and
    `retrieval.drop_near_duplicates` say otherwise. It has no bonuses, no cross-encoder and no `k` for a
    single call, and it shows no scores.

    Args:
        corpus: A table of posts; by default the user's own, else the sample.
        k: The number of posts, at least 1.
        folder: The folder of the index; by default one in the cache. It is built if it is missing.

    Raises:
        ConfigError: `k` is no whole number, or below 1.
        DatasetError: the corpus cannot be read.
        IndexMismatchError: the folder holds another or a damaged index.
        MissingExtraError: the extra `community` is not installed.
    """
    from graph.retrieval.community import bm25_retriever

    return bm25_retriever(_path(corpus), _path(folder), k)


def open_embeddings(profile: str = "auto") -> Embeddings:
    """Return the sentence encoder of a profile as LangChain's embeddings.

    The vectors have length 1. Queries and documents get the prompts of the encoder's own configuration.
    The first text loads the weights.

    Args:
        profile: `auto`, `embedded`, `gpu` or `server`.

    Raises:
        ConfigError: an unknown profile.
    """
    from graph.retrieval.embeddings import EncoderEmbeddings

    return EncoderEmbeddings(load_profile(profile).embedder)


def open_llm_cache(path: str | Path | None = None) -> BaseCache:
    """Return a cache for `langchain_core.globals.set_llm_cache`: one SQLite file of plain JSON.

    A damaged reply counts as missing. A reply that JSON cannot hold, or would change, is
    not stored. The graph of
    `build_graph` never uses it.

    Args:
        path: The file; by default `llm_cache.sqlite` in the cache folder.
    """
    return ReplyCache(_path(path) or cache_folder() / LLM_CACHE)


def open_vector_store(
    corpus: str | Path | None = None,
    *,
    profile: str = "auto",
    folder: str | Path | None = None,
) -> "FAISS":
    """Return a corpus as LangChain's `FAISS`, over the index of `semantic` (extra `community`).

    Posts are copied into memory, and so are vectors up to 500,000 posts; above that, the store has an
    approximate index, which is mapped from its file and refuses additions and deletions. A score is the cosine of query and post. The store returns
    the posts of `semantic`, best first; posts with equal vectors, such as the answers to one question,
    come in any order. It does not drop repeats: several answers to one question, and near-duplicates.
    `semantic` does, unless `retrieval.answers_per_question` and `retrieval.drop_near_duplicates` say
    otherwise. It has no bonuses and no cross-encoder, and its maximal marginal relevance is its own.
    What is added to the store or deleted changes no file.

    Args:
        corpus: A table of posts; by default the user's own, else the sample.
        profile: The profile with the sentence encoder.
        folder: The folder of the index; by default one in the cache. It is built if it is missing.

    Raises:
        ConfigError: an unknown profile.
        DatasetError: the corpus cannot be read.
        IndexMismatchError: the folder holds another or a damaged index.
        MissingExtraError: the extra `community`, FAISS or the encoder is not installed.
    """
    from graph.retrieval.community import vector_store

    return vector_store(_path(corpus), _path(folder), load_profile(profile).embedder)


def _path(path: str | Path | None) -> Path | None:
    return None if path is None else with_home(str(path))

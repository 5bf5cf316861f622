"""The answering graphs of one process: they share models and indexes, each opened once."""

from collections.abc import Callable, Hashable
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from graph.build import AnsweringGraph, answering_graph
from graph.config import config_names, load_config
from graph.models import Models, open_models
from graph.reranking.scorer import open_scorer
from graph.retrieval import open_retriever
from graph.retrieval.embeddings import open_embedder
from graph.retrieval.retriever import PostRetriever
from graph.schema import Config, EmbedderSpec, Profile, Retrieval
from graph.support.logger import log
from nodes.state import AnswerOutput

_OF_A_DATASET = ("oracle", "shuffled")
_T = TypeVar("_T")


def answering_config_names() -> list[str]:
    """Return the names of the configs that need no questions of a dataset."""
    return [
        name for name in config_names() if load_config(name).retrieval.kind not in _OF_A_DATASET
    ]


class OpenedGraphs:
    """Opens graphs that share the models of a profile and the retrievers of a corpus.

    Args:
        corpus: The table of posts; by default the user's own, else the sample.
        index: The folder of the index; by default one in the cache.
        seed: The seed of sampled drafts.
    """

    def __init__(
        self, *, corpus: Path | None = None, index: Path | None = None, seed: int = 0
    ) -> None:
        self._corpus = corpus
        self._index = index
        self._seed = seed
        self._parts: dict[Hashable, Any] = {}
        # Two first questions at the same time must not open a model twice.
        self._lock = Lock()

    def open(
        self,
        config: Config,
        profile: Profile,
        *,
        output: type = AnswerOutput,
        context: type[Any] | None = None,
    ) -> AnsweringGraph:
        """Wire the graph of a config; its first question loads weights and index.

        Args:
            config: The stages that run.
            profile: The models.
            output: The keys of the result.
            context: The class of LangGraph's run context.

        Raises:
            ConfigError: the config needs the questions of a dataset.
            DatasetError: there is no default corpus.
        """
        with self._lock:
            generator = self._models(profile).generator
            retriever = self._retriever(config.retrieval, profile.embedder)
            return answering_graph(
                config,
                model=generator,
                chooser=generator,
                retriever=retriever,
                scorer=open_scorer(config, partial(open_embedder, profile.embedder), retriever),
                output=output,
                context=context,
            )

    def retriever(self, retrieval: Retrieval, embedder: EmbedderSpec) -> PostRetriever | None:
        """Return the retriever that the graphs share; None if nothing is retrieved.

        Args:
            retrieval: The search for passages.
            embedder: The sentence encoder.

        Raises:
            ConfigError: the retrieval needs the questions of a dataset.
            DatasetError: there is no default corpus.
        """
        with self._lock:
            return self._retriever(retrieval, embedder)

    def _models(self, profile: Profile) -> Models:
        return self._once(profile, lambda: open_models(profile, seed=self._seed))

    def _retriever(self, retrieval: Retrieval, embedder: EmbedderSpec) -> PostRetriever | None:
        if retrieval.kind == "none":
            return None

        def open_and_log() -> PostRetriever:
            retriever = open_retriever(retrieval, embedder, corpus=self._corpus, folder=self._index)
            self._once("corpus", lambda: log.info("corpus: %s", retriever.corpus))
            return retriever

        return self._once((retrieval, embedder), open_and_log)

    def _once(self, key: Hashable, open_part: Callable[[], _T]) -> _T:
        if key not in self._parts:
            self._parts[key] = open_part()
        part: _T = self._parts[key]
        return part

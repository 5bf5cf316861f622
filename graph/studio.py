"""The graphs that `langgraph dev` serves (see langgraph.json): a question, and a conversation.

The server calls `opencoder` and `opencoder_chat` in its event loop, for every run, drawing and list of
schemas. So they build in a thread. All runs of the process share models and indexes.
"""

import asyncio
from collections.abc import Mapping
from functools import cache, partial
from threading import Lock
from typing import Any

from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableConfig
from pydantic import BaseModel, Field

from graph.build import AnsweringGraph, answering_graph
from graph.chat import ChatGraph, chat_graph
from graph.config import config_names, load_config, load_profile, profile_names
from graph.models import Models, open_models
from graph.reranking.scorer import open_scorer
from graph.retrieval import open_retriever
from graph.retrieval.embeddings import open_embedder
from graph.schema import EmbedderSpec, Profile, Retrieval
from graph.support.errors import ConfigError, OpenCoderError

_OF_A_DATASET = {"oracle", "shuffled"}
"""Configs that need the questions of a dataset, so that only eval.py runs them."""
_lock = Lock()
"""Held while a graph is built: two first runs at the same time must not open a model twice."""


class Context(BaseModel):
    """The choices of a run: LangGraph's context, which Studio shows as a form."""

    config: str = Field(
        default="semantic_cot",
        description="The stages that answer a question",
        json_schema_extra={"enum": [n for n in config_names() if n not in _OF_A_DATASET]},
    )
    profile: str = Field(
        default="auto",
        description="The models; auto is gpu if CUDA is available, else embedded",
        json_schema_extra={"enum": list(profile_names())},
    )


async def opencoder(config: RunnableConfig) -> AnsweringGraph:
    """Build the graph from a question to its answer and passages, for the context of a run.

    Raises:
        ValueError: The context names no config or no profile, or a config that needs a dataset; or
            there is no corpus. The server passes the message of a ValueError on to its client.
    """
    try:
        return await asyncio.to_thread(_answering, config.get("configurable", {}))
    except OpenCoderError as error:
        raise ValueError(str(error)) from None


async def opencoder_chat(config: RunnableConfig) -> ChatGraph:
    """Build the graph from a conversation to its next message, for the context of a run.

    Raises:
        ValueError: As `opencoder`.
    """
    answering = await opencoder(config)
    return await asyncio.to_thread(chat_graph, answering, context=Context)


def _answering(values: Mapping[str, Any]) -> AnsweringGraph:
    """Build the answering graph; the server puts the context of a run into `configurable`."""
    config, profile_name = load_config(_name(values, "config")), _name(values, "profile")
    with _lock:
        profile = load_profile(profile_name)
        generator = _models(profile).generator
        retriever = _retriever(config.retrieval, profile.embedder)
        return answering_graph(
            config,
            model=generator,
            chooser=generator,
            retriever=retriever,
            scorer=open_scorer(config, partial(open_embedder, profile.embedder), retriever),
            context=Context,
        )


def _name(values: Mapping[str, Any], field: str) -> str:
    name = values.get(field, Context.model_fields[field].default)
    if not isinstance(name, str):
        raise ConfigError(f"context: {field} must be a name, not {name!r:.80}")
    return name


@cache
def _models(profile: Profile) -> Models:
    return open_models(profile)


@cache
def _retriever(retrieval: Retrieval, embedder: EmbedderSpec) -> BaseRetriever | None:
    return None if retrieval.kind == "none" else open_retriever(retrieval, embedder)

"""The graphs that `langgraph dev` serves (see langgraph.json): a question, and a conversation.

The server calls `opencoder` and `opencoder_chat` in its event loop, for every run, drawing and list of
schemas. So they build in a thread. All runs of the process share models and indexes.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from langchain_core.runnables import RunnableConfig
from pydantic import BaseModel, Field

from graph.build import AnsweringGraph
from graph.chat import ChatGraph, chat_graph
from graph.config import load_config, load_profile, profile_names
from graph.opened_graphs import OpenedGraphs, answering_config_names
from graph.support.errors import ConfigError, OpenCoderError

_graphs = OpenedGraphs()


class Context(BaseModel):
    """The choices of a run: LangGraph's context, which Studio shows as a form."""

    config: str = Field(
        default="semantic_cot",
        description="The stages that answer a question",
        json_schema_extra={"enum": [*answering_config_names()]},
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
    config = load_config(_name(values, "config"))
    profile = load_profile(_name(values, "profile"))
    return _graphs.open(config, profile, context=Context)


def _name(values: Mapping[str, Any], field: str) -> str:
    name = values.get(field, Context.model_fields[field].default)
    if not isinstance(name, str):
        raise ConfigError(f"context: {field} must be a name, not {name!r:.80}")
    return name

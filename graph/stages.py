"""The nodes of a config, each with the models and settings that it needs."""

from functools import partial
from typing import Protocol, TypedDict

from langchain_core.retrievers import BaseRetriever

from graph.schema import Config
from graph.support.errors import ConfigError
from nodes.accept import accept
from nodes.consensus import consensus
from nodes.controls import controls
from nodes.critique import critique
from nodes.extract import extract
from nodes.generate import generate
from nodes.likelihood import likelihood
from nodes.model import Chooser, Scorer, TextModel
from nodes.refine import refine
from nodes.rerank import rerank
from nodes.retrieve import retrieve
from nodes.state import (
    Accepted,
    Controlled,
    Critiqued,
    Drafted,
    Refined,
    Reranked,
    Retrieved,
    State,
)


class Stage(Protocol):
    """A node with everything it needs but the state."""

    def __call__(
        self, state: State
    ) -> Retrieved | Controlled | Drafted | Reranked | Critiqued | Refined | Accepted:
        """Return the node's update of the state."""
        ...


def stages(
    config: Config, model: TextModel, chooser: Chooser, retriever: BaseRetriever | None
) -> dict[str, Stage]:
    """Return the nodes that run, by name.

    Raises:
        ConfigError: there is no retriever for them, or the model cannot do what they need.
    """
    length, rerank_config = config.generation.max_new_tokens, config.rerank
    drafting = partial(
        generate,
        model=model,
        max_new_tokens=length,
        cot=config.generation.cot,
        **_drafts(config, rerank_config.initial),
    )
    if config.retrieval.kind == "none":
        return {"generate": drafting}
    if retriever is None:
        raise ConfigError(f"retrieval.kind {config.retrieval.kind} needs a retriever or a corpus")
    retrieving = partial(retrieve, retriever=retriever, top_k=config.retrieval.top_k)
    if config.generation.method == "extract":
        return {"retrieve": retrieving, "extract": extract}
    found: dict[str, Stage] = {
        "retrieve": retrieving,
        "generate": drafting,
        "critique": partial(
            critique, model=model, max_new_tokens=length, max_points=config.critique.max_points
        ),
        "refine": partial(
            refine, model=model, max_new_tokens=length, **_drafts(config, rerank_config.refined)
        ),
    }
    return {**found, **_choosing(config, model, chooser)}


def _choosing(config: Config, model: TextModel, chooser: Chooser) -> dict[str, Stage]:
    """Return the nodes that choose among drafts, and between a draft and its refinement."""
    runs = {"rerank_drafts": config.rerank.initial, "rerank_refined": config.rerank.refined}
    found: dict[str, Stage] = {}
    if config.rerank.candidates:
        found["controls"] = partial(
            controls,
            model=model,
            kinds=config.rerank.candidates,
            temperature=config.generation.temperature,
            max_new_tokens=config.generation.max_new_tokens,
        )
    for name in (name for name, wanted in runs.items() if wanted):
        found[name] = _reranking(config, model, chooser, name)
    if config.refine.accept == "preferred":
        found["accept"] = partial(accept, chooser=chooser)
    return found


def _reranking(config: Config, model: TextModel, chooser: Chooser, step: str) -> Stage:
    if config.rerank.method == "consensus":
        return partial(consensus, step=step)
    if config.rerank.method == "pairwise":
        return partial(rerank, chooser=chooser, step=step)
    if not isinstance(model, Scorer):
        raise ConfigError(
            "rerank.method likelihood needs a model that says how probable a text is, which "
            f"{type(model).__name__} does not: set it to pairwise or consensus"
        )
    return partial(likelihood, scorer=model, step=step)


class _Drafting(TypedDict):
    drafts: int
    temperature: float


def _drafts(config: Config, reranked: bool) -> _Drafting:
    """One greedy draft, or several sampled ones to choose from."""
    if reranked:
        return {"drafts": config.rerank.drafts, "temperature": config.rerank.temperature}
    return {"drafts": 1, "temperature": config.generation.temperature}

"""The nodes of a config, each with the models and settings that it needs."""

from functools import partial
from typing import Protocol, TypedDict

from langchain_core.retrievers import BaseRetriever

from graph.call_plan import reserves
from graph.schema import Config
from graph.support.errors import ConfigError
from nodes.accept import accept
from nodes.consensus import consensus
from nodes.critique import critique
from nodes.extra_candidates import extra_candidates
from nodes.extract import extract
from nodes.generate import generate
from nodes.likelihood import likelihood
from nodes.model import Chooser, LikelihoodModel, TextModel
from nodes.refine import refine
from nodes.rerank import rerank
from nodes.retrieve import retrieve
from nodes.state import NodeUpdate, State


class Stage(Protocol):
    """A node that needs only the state: its models and settings are bound."""

    def __call__(self, state: State) -> NodeUpdate:
        """Return the node's update of the state."""
        ...


def stages(
    config: Config, model: TextModel, chooser: Chooser, retriever: BaseRetriever | None
) -> dict[str, Stage]:
    """Return the nodes of a config by name, in the order of the graph.

    Raises:
        ConfigError: a node needs a retriever and there is none, or the model lacks a method.
    """
    generation, reranking = config.generation, config.rerank
    nodes: dict[str, Stage] = {}
    if config.retrieval.kind != "none":
        nodes["retrieve"] = _retrieve(config, retriever)
    if generation.method == "extract":
        return {**nodes, "extract": extract}
    if reranking.candidates:
        nodes["extra_candidates"] = partial(
            extra_candidates,
            model=model,
            kinds=reranking.candidates,
            temperature=generation.temperature,
            max_new_tokens=generation.max_new_tokens,
        )
    nodes["generate"] = partial(
        generate,
        model=model,
        max_new_tokens=generation.max_new_tokens,
        cot=generation.cot,
        reserves=reserves(config),
        **_sampling(config, is_reranked=reranking.initial),
    )
    if config.retrieval.kind == "none":
        return nodes
    if reranking.initial:
        nodes["rerank_drafts"] = _rerank(config, model, chooser, "rerank_drafts")
    return {**nodes, **_round(config, model, chooser)}


def _round(config: Config, model: TextModel, chooser: Chooser) -> dict[str, Stage]:
    """Return the nodes of one round of critique and refinement."""
    generation, reranking = config.generation, config.rerank
    nodes: dict[str, Stage] = {}
    nodes["critique"] = partial(
        critique,
        model=model,
        max_new_tokens=generation.max_new_tokens,
        max_points=config.critique.max_points,
        reserves=reserves(config),
    )
    nodes["refine"] = partial(
        refine,
        model=model,
        max_new_tokens=generation.max_new_tokens,
        reserves=reserves(config),
        **_sampling(config, is_reranked=reranking.refined),
    )
    if reranking.refined:
        nodes["rerank_refined"] = _rerank(config, model, chooser, "rerank_refined")
    if config.refine.accept == "preferred":
        nodes["accept"] = partial(accept, chooser=chooser, reserves=reserves(config))
    return nodes


def _retrieve(config: Config, retriever: BaseRetriever | None) -> Stage:
    if retriever is None:
        raise ConfigError(f"retrieval.kind {config.retrieval.kind} needs a retriever or a corpus")
    return partial(retrieve, retriever=retriever, top_k=config.retrieval.top_k)


def _rerank(config: Config, model: TextModel, chooser: Chooser, node: str) -> Stage:
    """Return the node of the config's reranking method; `node` is its name in the graph."""
    if config.rerank.method == "consensus":
        return partial(consensus, node=node)
    if config.rerank.method == "pairwise":
        return partial(rerank, chooser=chooser, node=node, reserves=reserves(config))
    if not isinstance(model, LikelihoodModel):
        raise ConfigError(
            f"rerank.method likelihood needs token probabilities, which {type(model).__name__} does "
            "not give: set it to pairwise or consensus"
        )
    return partial(likelihood, model=model, node=node, reserves=reserves(config))


class _Sampling(TypedDict):
    drafts: int
    temperature: float


def _sampling(config: Config, *, is_reranked: bool) -> _Sampling:
    """Return the settings for several sampled drafts to choose from, or else for a single one."""
    if is_reranked:
        return {"drafts": config.rerank.drafts, "temperature": config.rerank.temperature}
    return {"drafts": 1, "temperature": config.generation.temperature}

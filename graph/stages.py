"""The nodes of a config, each with the models and settings that it needs."""

from collections.abc import Callable
from functools import partial
from typing import Protocol, TypedDict

from langchain_core.retrievers import BaseRetriever

from graph.call_plan import reserves
from graph.schema import Config
from graph.support.errors import ConfigError
from nodes.abstain import abstain
from nodes.accept import accept
from nodes.adapt import adapt
from nodes.assess_passages import assess_passages
from nodes.choice import CandidateScorer
from nodes.consensus import consensus
from nodes.critique import critique
from nodes.extra_candidates import extra_candidates
from nodes.extract import extract
from nodes.generate import generate
from nodes.learned import learned
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
    config: Config,
    model: TextModel,
    chooser: Chooser,
    retriever: BaseRetriever | None,
    scorer: CandidateScorer | None = None,
) -> dict[str, Stage]:
    """Return the nodes of a config by name, in the order of the graph.

    Raises:
        ConfigError: a node needs a retriever or a scorer and there is none, or the model lacks a method.
    """
    generation, reranking = config.generation, config.rerank
    nodes: dict[str, Stage] = {}
    if config.retrieval.kind != "none":
        nodes.update(_retrieval(config, retriever, scorer))
    if reranking.candidates:
        nodes["extra_candidates"] = partial(
            extra_candidates,
            model=model,
            kinds=reranking.candidates,
            temperature=generation.temperature,
            max_new_tokens=generation.max_new_tokens,
        )
    rerank_node = partial(_rerank, config, model, chooser, scorer)
    if generation.method != "model":
        nodes.update(_picking(config, rerank_node))
    if generation.method != "extract":
        nodes.update(_writing(config, model))
        if reranking.initial:
            nodes["rerank_drafts"] = rerank_node("rerank_drafts")
        if config.retrieval.kind != "none":
            nodes.update(_round(config, model, chooser, rerank_node))
    if config.answer.abstain is not None:
        nodes["abstain"] = partial(abstain, threshold=config.answer.abstain)
    return nodes


def _picking(config: Config, rerank_node: Callable[[str], Stage]) -> dict[str, Stage]:
    """Return the nodes that pick the answer of a passage."""
    nodes: dict[str, Stage] = {"extract": extract}
    if config.rerank.initial:
        nodes["rerank_passages"] = rerank_node("rerank_passages")
    return nodes


def _writing(config: Config, model: TextModel) -> dict[str, Stage]:
    """Return the node that writes the first drafts."""
    write = partial(
        adapt if config.generation.method == "adapt" else generate,
        model=model,
        max_new_tokens=config.generation.max_new_tokens,
        reserves=reserves(config),
        **_sampling(config, is_reranked=config.rerank.initial),
    )
    if config.generation.method == "adapt":
        return {"adapt": write}
    return {"generate": partial(write, cot=config.generation.cot)}


def _round(
    config: Config, model: TextModel, chooser: Chooser, rerank_node: Callable[[str], Stage]
) -> dict[str, Stage]:
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
        nodes["rerank_refined"] = rerank_node("rerank_refined")
    if config.refine.accept == "preferred":
        nodes["accept"] = partial(accept, chooser=chooser, reserves=reserves(config))
    return nodes


def _retrieval(
    config: Config, retriever: BaseRetriever | None, scorer: CandidateScorer | None
) -> dict[str, Stage]:
    """Return the nodes that find passages, and decide whether prompts show them."""
    if retriever is None:
        raise ConfigError(f"retrieval.kind {config.retrieval.kind} needs a retriever or a corpus")
    nodes: dict[str, Stage] = {}
    nodes["retrieve"] = partial(
        retrieve,
        retriever=retriever,
        top_k=config.retrieval.top_k,
        prompt_passages=config.generation.passages,
    )
    threshold = config.generation.closed_book_below
    if threshold is not None:
        nodes["assess_passages"] = partial(
            assess_passages, scorer=_scorer(scorer), closed_book_below=threshold
        )
    return nodes


def _rerank(
    config: Config, model: TextModel, chooser: Chooser, scorer: CandidateScorer | None, node: str
) -> Stage:
    """Return the node of the config's reranking method; `node` is its name in the graph."""
    if config.rerank.method == "consensus":
        return partial(consensus, node=node)
    if config.rerank.method == "learned":
        return partial(learned, scorer=_scorer(scorer), node=node)
    if config.rerank.method == "pairwise":
        return partial(rerank, chooser=chooser, node=node, reserves=reserves(config))
    if not isinstance(model, LikelihoodModel):
        raise ConfigError(
            f"rerank.method likelihood needs token probabilities, which {type(model).__name__} does "
            "not give: set it to pairwise or consensus"
        )
    return partial(likelihood, model=model, node=node, reserves=reserves(config))


def _scorer(scorer: CandidateScorer | None) -> CandidateScorer:
    if scorer is None:
        raise ConfigError("the config scores candidates: pass a scorer of open_scorer")
    return scorer


class _Sampling(TypedDict):
    drafts: int
    temperature: float


def _sampling(config: Config, *, is_reranked: bool) -> _Sampling:
    """Return the settings for several sampled drafts to choose from, or else for a single one."""
    if is_reranked and config.rerank.drafts > 1:
        return {"drafts": config.rerank.drafts, "temperature": config.rerank.temperature}
    return {"drafts": 1, "temperature": config.generation.temperature}

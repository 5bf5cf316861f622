"""START READING HERE: the whole flow in one function.

    retrieve -> generate -> [rerank drafts] -> critique -> refine -> [rerank refined] -> [accept] -> answer

`answering_graph` wires it; `build_graph` and `build_judged_graph` put real models behind it.
"""

from functools import partial
from typing import Any, Literal, Protocol, TypedDict

from langchain_core.language_models import BaseLanguageModel
from langchain_core.retrievers import BaseRetriever
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from graph.config import load_config, load_profile
from graph.errors import ConfigError
from graph.models import adapt_chooser, adapt_writer, open_models
from graph.models.batching import BatchedModel
from graph.models.lockstep import Lockstep
from graph.schema import Config
from nodes.accept import accept
from nodes.consensus import consensus
from nodes.critique import critique
from nodes.extract import extract
from nodes.generate import generate
from nodes.judge import judge
from nodes.model import Chooser, TextModel
from nodes.refine import refine
from nodes.rerank import rerank
from nodes.retrieve import retrieve
from nodes.state import (
    Accepted,
    AnswerOutput,
    Critiqued,
    Drafted,
    JudgedState,
    QuestionInput,
    Refined,
    Reranked,
    Retrieved,
    State,
)

AnsweringGraph = CompiledStateGraph[State, None, QuestionInput, State]
_Builder = StateGraph[State, None, QuestionInput, State]
JudgedGraph = CompiledStateGraph[JudgedState, None, JudgedState, JudgedState]


class Stage(Protocol):
    """A node with everything it needs but the state."""

    def __call__(
        self, state: State
    ) -> Retrieved | Drafted | Reranked | Critiqued | Refined | Accepted:
        """Return the node's update of the state."""
        ...


def answering_graph(
    config: Config,
    *,
    model: TextModel,
    chooser: Chooser,
    retriever: BaseRetriever | None,
    output: type = AnswerOutput,
) -> AnsweringGraph:
    """Wire the stages that a config asks for.

    Args:
        config: Which stages run.
        model: Writes drafts, critiques and refinements.
        chooser: Compares drafts.
        retriever: Finds passages; None where nothing is retrieved.
        output: The keys that come out; the evaluation asks for the whole state.
    """
    builder = StateGraph(State, input_schema=QuestionInput, output_schema=output)
    for name, node in _stages(config, model, chooser, retriever).items():
        builder.add_node(name, node)

    if config.retrieval.kind == "none":
        builder.add_edge(START, "generate")
        builder.add_edge("generate", END)
        return builder.compile(name="opencoder")

    builder.add_edge(START, "retrieve")
    if config.generation.method == "extract":
        builder.add_edge("retrieve", "extract")
        builder.add_edge("extract", END)
        return builder.compile(name="opencoder")

    _wire_refinement(builder, config)
    # LangGraph's own limit is 10,007 steps: a loop that never ends has to be stopped here.
    limit = 6 + 4 * config.refine.max_rounds
    return builder.compile(name="opencoder").with_config(recursion_limit=limit)


def _wire_refinement(builder: _Builder, config: Config) -> None:
    """Wire what follows the passages: drafts, critique, refinement, and the choices between them."""
    builder.add_edge("retrieve", "generate")
    if config.rerank.initial:
        builder.add_edge("generate", "rerank_drafts")
    builder.add_edge("rerank_drafts" if config.rerank.initial else "generate", "critique")
    builder.add_conditional_edges("critique", has_points, {"points": "refine", "no points": END})
    if config.rerank.refined:
        builder.add_edge("refine", "rerank_refined")
    last = "rerank_refined" if config.rerank.refined else "refine"
    if config.refine.accept == "preferred":
        builder.add_edge(last, "accept")
        last = "accept"
    if config.refine.max_rounds == 1:
        builder.add_edge(last, END)
        return
    again = partial(another_round, max_rounds=config.refine.max_rounds)
    builder.add_conditional_edges(last, again, {"next round": "critique", "last round": END})


def _stages(
    config: Config, model: TextModel, chooser: Chooser, retriever: BaseRetriever | None
) -> dict[str, Stage]:
    """Return the nodes that run, by name, each with what it needs."""
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
    stages: dict[str, Stage] = {
        "retrieve": retrieving,
        "generate": drafting,
        "critique": partial(
            critique, model=model, max_new_tokens=length, max_points=config.critique.max_points
        ),
        "refine": partial(
            refine, model=model, max_new_tokens=length, **_drafts(config, rerank_config.refined)
        ),
    }
    return {**stages, **_choosing(config, chooser)}


def _choosing(config: Config, chooser: Chooser) -> dict[str, Stage]:
    """Return the nodes that choose among drafts, and between a draft and its refinement."""
    runs = {"rerank_drafts": config.rerank.initial, "rerank_refined": config.rerank.refined}
    by_consensus = config.rerank.method == "consensus"
    stages: dict[str, Stage] = {}
    for name in (name for name, wanted in runs.items() if wanted):
        comparing = partial(rerank, chooser=chooser, step=name)
        stages[name] = partial(consensus, step=name) if by_consensus else comparing
    if config.refine.accept == "preferred":
        stages["accept"] = partial(accept, chooser=chooser)
    return stages


def has_points(state: State) -> Literal["points", "no points"]:
    """Refine while the critic has something to say."""
    return "points" if state["points"] else "no points"


def another_round(state: State, *, max_rounds: int) -> Literal["next round", "last round"]:
    """Review again until the rounds are used up."""
    return "next round" if state["rounds"] < max_rounds else "last round"


class _Drafting(TypedDict):
    drafts: int
    temperature: float


def _drafts(config: Config, reranked: bool) -> _Drafting:
    """One greedy draft, or several sampled ones to choose from."""
    if reranked:
        return {"drafts": config.rerank.drafts, "temperature": config.rerank.temperature}
    return {"drafts": 1, "temperature": config.generation.temperature}


def judged_graph(answering: AnsweringGraph, judge_chooser: Chooser | None) -> JudgedGraph:
    """Put a judge behind the answering graph, which runs as a subgraph and sees no reference."""
    builder = StateGraph(JudgedState)
    builder.add_node("answering", answering)
    builder.add_edge(START, "answering")
    if judge_chooser is None:
        builder.add_edge("answering", END)
    else:
        builder.add_node("judge", partial(judge, chooser=judge_chooser))
        builder.add_edge("answering", "judge")
        builder.add_edge("judge", END)
    return builder.compile(name="opencoder_judged")


def build_graph(
    config: str | Config = "semantic_cot",
    *,
    profile: str = "auto",
    model: BaseLanguageModel[Any] | TextModel | None = None,
    chooser: BaseLanguageModel[Any] | Chooser | None = None,
    retriever: BaseRetriever | None = None,
) -> AnsweringGraph:
    """Build the answering graph: a LangChain runnable from `{"question"}` to `{"answer", "passages"}`.

    Nothing heavy happens here: weights load and indexes open at the first call.

    Args:
        config: A name (`python eval.py --list` shows them) or a `Config`.
        profile: `auto`, `embedded` or `gpu`; read only for what is not passed in.
        model: Your own LangChain model, or anything that has `write`.
        chooser: Compares drafts; your `model` where it can, else the profile's.
        retriever: Your own LangChain retriever; else an index of the default corpus.

    Raises:
        ConfigError: an unknown name, or a model that can neither write nor choose.
    """
    stages = load_config(config)
    writer, comparer = _models(profile, model, chooser)
    if retriever is None and stages.retrieval.kind != "none":
        from graph.retrieval import open_retriever

        embedder = load_profile(profile).embedder
        retriever = open_retriever(stages.retrieval, embedder)
    return answering_graph(stages, model=writer, chooser=comparer, retriever=retriever)


def _models(
    profile: str,
    model: BaseLanguageModel[Any] | TextModel | None,
    chooser: BaseLanguageModel[Any] | Chooser | None,
) -> tuple[TextModel, Chooser]:
    """Return who writes and who compares: what was passed in, else the profile's generator."""
    lockstep = Lockstep()
    writer = None if model is None else adapt_writer(model, lockstep)
    comparer = None if chooser is None else adapt_chooser(chooser, lockstep)
    if comparer is None and isinstance(writer, BatchedModel):
        comparer = writer
    elif comparer is None and hasattr(model, "choose"):
        comparer = adapt_chooser(model, lockstep)
    if writer is None or comparer is None:
        own = open_models(load_profile(profile)).generator
        writer, comparer = writer or own, comparer or own
    return writer, comparer

"""START READING HERE: the whole flow in one function.

    retrieve -> generate -> [rerank drafts] -> critique -> refine -> [rerank refined] -> answer

`answering_graph` wires it; `build_graph` and `build_judged_graph` put real models behind it.
"""

from functools import partial
from typing import Any, Literal, TypedDict

from langchain_core.language_models import BaseLanguageModel
from langchain_core.retrievers import BaseRetriever
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from graph.config import load_config, load_profile
from graph.errors import ConfigError
from graph.models import adapt, open_models
from graph.models.lockstep import Lockstep
from graph.schema import Config
from nodes.critique import critique
from nodes.generate import generate
from nodes.judge import judge
from nodes.model import Chooser, TextModel
from nodes.refine import refine
from nodes.rerank import rerank
from nodes.retrieve import retrieve
from nodes.state import AnswerOutput, JudgedState, QuestionInput, State

AnsweringGraph = CompiledStateGraph[State, None, QuestionInput, State]
JudgedGraph = CompiledStateGraph[JudgedState, None, JudgedState, JudgedState]


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
        retriever: Finds passages; not needed where retrieval.kind is "none".
        output: The keys that come out; the evaluation asks for the whole state.
    """
    length = config.generation.max_new_tokens
    builder = StateGraph(State, input_schema=QuestionInput, output_schema=output)

    drafting = _drafts(config, config.rerank.initial)
    cot = config.generation.cot
    builder.add_node(
        "generate", partial(generate, model=model, max_new_tokens=length, cot=cot, **drafting)
    )
    if config.retrieval.kind == "none":
        builder.add_edge(START, "generate")
        builder.add_edge("generate", END)
        return builder.compile(name="opencoder")

    if retriever is None:
        raise ConfigError(f"retrieval.kind {config.retrieval.kind} needs a retriever or a corpus")
    top_k = config.retrieval.top_k
    builder.add_node("retrieve", partial(retrieve, retriever=retriever, top_k=top_k))
    builder.add_edge(START, "retrieve")
    builder.add_edge("retrieve", "generate")

    points = config.critique.max_points
    builder.add_node(
        "critique", partial(critique, model=model, max_points=points, max_new_tokens=length)
    )
    refining = _drafts(config, config.rerank.refined)
    builder.add_node("refine", partial(refine, model=model, max_new_tokens=length, **refining))
    builder.add_conditional_edges("critique", has_points, {"points": "refine", "no points": END})

    if config.rerank.initial:
        name = "rerank_drafts"
        builder.add_node(name, partial(rerank, chooser=chooser, step=name))
        builder.add_edge("generate", name)
        builder.add_edge(name, "critique")
    else:
        builder.add_edge("generate", "critique")

    last = "refine"
    if config.rerank.refined:
        last = "rerank_refined"
        builder.add_node(last, partial(rerank, chooser=chooser, step=last))
        builder.add_edge("refine", last)
    rounds = config.refine.max_rounds
    if rounds == 1:
        builder.add_edge(last, END)
    else:
        again = partial(another_round, max_rounds=rounds)
        builder.add_conditional_edges(last, again, {"next round": "critique", "last round": END})

    # LangGraph's own limit is 10,007 steps: a loop that never ends has to be stopped here.
    return builder.compile(name="opencoder").with_config(recursion_limit=6 + 4 * rounds)


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
    lockstep = Lockstep()
    if model is None:
        own = open_models(load_profile(profile)).generator
        return own, own if chooser is None else adapt(chooser, lockstep)  # type: ignore[return-value]
    writer = adapt(model, lockstep)
    comparer = writer if chooser is None else adapt(chooser, lockstep)
    return writer, comparer  # type: ignore[return-value]

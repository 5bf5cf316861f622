"""START READING HERE: the whole flow in one function.

    retrieve -> [controls] -> generate -> [rerank drafts]
        -> critique -> refine -> [rerank refined] -> [accept] -> answer

`answering_graph` wires it, `graph/stages.py` gives each node what it needs; `build_graph` and `build_judged_graph` put real models behind it.
"""

from functools import partial
from typing import Any, Literal

from langchain_core.language_models import BaseLanguageModel
from langchain_core.retrievers import BaseRetriever
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from graph.config import load_config, load_profile
from graph.models import adapt_chooser, adapt_writer, open_models
from graph.models.batching import BatchedModel
from graph.models.lockstep import Lockstep
from graph.schema import Config
from graph.stages import stages
from nodes.judge import judge
from nodes.model import Chooser, TextModel
from nodes.state import AnswerOutput, JudgedState, QuestionInput, State

AnsweringGraph = CompiledStateGraph[State, None, QuestionInput, State]
_Builder = StateGraph[State, None, QuestionInput, State]
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
        retriever: Finds passages; None where nothing is retrieved.
        output: The keys that come out; the evaluation asks for the whole state.
    """
    builder = StateGraph(State, input_schema=QuestionInput, output_schema=output)
    for name, node in stages(config, model, chooser, retriever).items():
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
    limit = 7 + 4 * config.refine.max_rounds
    return builder.compile(name="opencoder").with_config(recursion_limit=limit)


def _wire_refinement(builder: _Builder, config: Config) -> None:
    """Wire what follows the passages: drafts, critique, refinement, and the choices between them."""
    if config.rerank.candidates:
        builder.add_edge("retrieve", "controls")
    builder.add_edge("controls" if config.rerank.candidates else "retrieve", "generate")
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


def has_points(state: State) -> Literal["points", "no points"]:
    """Refine while the critic has something to say."""
    return "points" if state["points"] else "no points"


def another_round(state: State, *, max_rounds: int) -> Literal["next round", "last round"]:
    """Review again until the rounds are used up."""
    return "next round" if state["rounds"] < max_rounds else "last round"


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
    loaded = load_config(config)
    writer, comparer = _models(profile, model, chooser)
    if retriever is None and loaded.retrieval.kind != "none":
        from graph.retrieval import open_retriever

        embedder = load_profile(profile).embedder
        retriever = open_retriever(loaded.retrieval, embedder)
    return answering_graph(loaded, model=writer, chooser=comparer, retriever=retriever)


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

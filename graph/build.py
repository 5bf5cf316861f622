"""START READING HERE: the whole flow of a question, in one function.

    retrieve -> [assess_passages] -> [extra_candidates] -> [extract -> rerank_passages] -> generate or adapt
        -> [rerank_drafts] -> critique -> refine -> [rerank_refined] -> [accept] -> [abstain] -> answer

Nodes in brackets run only if the config asks for them. `baseline` runs `generate` alone, and a config
that calls no model ends before it. `answering_graph` wires the nodes,
`graph/stages.py` gives each of them its models and settings, `judged_graph` adds the judge of the
evaluation, and `build_graph` opens the models and the index of a profile.
"""

from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseLanguageModel
from langchain_core.retrievers import BaseRetriever
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from graph.config import load_config, load_profile
from graph.models import adapt_chooser, adapt_writer, open_models
from graph.models.batching import BatchedModel
from graph.models.engines.chat_models import stated_window
from graph.models.lockstep import Lockstep
from graph.schema import Config, Retrieval
from graph.stages import Stage, stages
from graph.support.errors import ConfigError
from graph.support.text import unix_lines
from nodes.choice import CandidateScorer
from nodes.judge import judge
from nodes.model import Chooser, TextModel
from nodes.state import AnswerOutput, JudgedState, NodeUpdate, QuestionInput, State

if TYPE_CHECKING:
    from graph.retrieval.embeddings import Embedder

AnsweringGraph = CompiledStateGraph[State, Any, QuestionInput, State]
JudgedGraph = CompiledStateGraph[JudgedState, None, JudgedState, JudgedState]
_SHORTEST_PROMPT = 64
"""Tokens: no prompt with an instruction is shorter."""


def answering_graph(
    config: Config,
    *,
    model: TextModel,
    chooser: Chooser,
    retriever: BaseRetriever | None,
    scorer: CandidateScorer | None = None,
    output: type = AnswerOutput,
    context: type[Any] | None = None,
) -> AnsweringGraph:
    """Wire the nodes of a config.

    Args:
        config: The stages that run.
        model: Writes drafts, critiques and refinements.
        chooser: Compares candidates.
        retriever: Finds passages; None if the config retrieves nothing.
        scorer: Scores candidates, if `config.scores_candidates`.
        output: The keys of the result; the evaluation passes the whole `State`.
        context: The class of LangGraph's run context. No node reads it; a server shows its fields.
    """
    nodes = stages(config, model, chooser, retriever, scorer)
    builder = StateGraph(
        State, context_schema=context, input_schema=QuestionInput, output_schema=output
    )
    for number, (name, node) in enumerate(nodes.items()):
        # The nodes are in the order of the graph, so the first of them is the entry.
        builder.add_node(name, node if number else partial(start_question, node=node))

    def connect(*names: str) -> str:
        """Connect the nodes that the config has, in this order; return the last of them."""
        path = [name for name in names if name in nodes or name in (START, END)]
        for start, end in pairwise(path):
            builder.add_edge(start, end)
        return path[-1]

    first_answer = (
        *(START, "retrieve", "assess_passages", "extra_candidates", "extract", "rerank_passages"),
        *("generate", "adapt", "rerank_drafts"),
    )
    last_steps = ("abstain", END)
    if "critique" not in nodes:
        connect(*first_answer, *last_steps)
        return builder.compile(name="opencoder")

    connect(*first_answer, "critique")
    after_rounds = "abstain" if "abstain" in nodes else END
    builder.add_conditional_edges(
        "critique", has_points, {"points": "refine", "no points": after_rounds}
    )
    last = connect("refine", "rerank_refined", "accept")
    max_rounds = config.refine.max_rounds
    _end_round(builder, last, max_rounds, after_rounds)
    connect(*last_steps)
    # If the rounds never ended by mistake, LangGraph itself would stop only after 10,007 steps. At most seven
    # nodes run before the rounds, four in each round and one after them; three steps are to spare.
    limit = 11 + 4 * max_rounds
    return builder.compile(name="opencoder").with_config(recursion_limit=limit)


def _end_round(
    builder: "StateGraph[State, Any, QuestionInput, State]",
    last: str,
    max_rounds: int,
    after_rounds: str,
) -> None:
    """Lead from the last node of a round back to critique while a round is left, then on."""
    if max_rounds == 1:
        builder.add_edge(last, after_rounds)
        return
    round_left = partial(has_round_left, max_rounds=max_rounds)
    builder.add_conditional_edges(
        last, round_left, {"next round": "critique", "last round": after_rounds}
    )


def start_question(state: State, *, node: Stage) -> State:
    """Run the first node of the graph on the question alone, with LF line ends.

    With a checkpointer the state still holds the question before it in the thread, which this drops.
    """
    question = unix_lines(state["question"])
    update: NodeUpdate = node({"question": question})
    first, *others = update["steps"]
    fresh: State = {
        "question": question,
        "passages": [],
        "prompt_passages": 0,
        "answer": "",
        "expected_score": 0.0,
        "withheld": False,
        "reviewed": "",
        "reasoning": "",
        "candidates": [],
        "extra_candidates": [],
        "points": [],
        "rounds": 0,
    }
    return {**fresh, **update, "steps": [{**first, "is_first": True}, *others]}


def has_points(state: State) -> Literal["points", "no points"]:
    """Return the edge after critique: an answer without a problem is not refined."""
    return "points" if state["points"] else "no points"


def has_round_left(state: State, *, max_rounds: int) -> Literal["next round", "last round"]:
    """Return the edge after a round: back to critique until the rounds are used up."""
    return "next round" if state["rounds"] < max_rounds else "last round"


def judged_graph(answering: AnsweringGraph, judge_chooser: Chooser | None) -> JudgedGraph:
    """Put a judge behind the answering graph, which runs as a subgraph and sees no reference.

    Without a chooser for the judge, the graph ends with the answer.
    """
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
    embeddings: Embeddings | None = None,
    embeddings_name: str | None = None,
    window: int | None = None,
) -> AnsweringGraph:
    """Build the answering graph: a LangChain runnable from `QuestionInput` to `AnswerOutput` (nodes/state.py).

    It loads no weights and opens no index: the first call does.

    Args:
        config: A name (`python eval.py --list` prints them) or a `Config`.
        profile: `auto`, `embedded`, `gpu` or `server`; read only for the models that are not passed in.
        model: Your own LangChain model, or any object with `write`.
        chooser: Compares candidates. Default: `model` if it can choose, else the profile's model.
        retriever: Your own LangChain retriever. Default: an index of the default corpus.
        embeddings: Your own LangChain embeddings, which encode the posts of that index and the queries in the
            place of the profile's encoder. Their vectors are normalised.
        embeddings_name: Your name for the vectors that the embeddings give. The index is kept under it.
            Without a name each graph encodes all posts anew.
        window: Tokens of prompt and reply together that your LangChain models take, at least 64 more
            than a reply takes. Default: the largest input of a model's profile, or else 4,096.

    Raises:
        ConfigError: an unknown name; `model` cannot write; `chooser` cannot choose; `embeddings` is no
            LangChain `Embeddings`, or the config compares no vectors; `window` is given and there is no LangChain model; `window`, or else the window that a model's profile states,
            is no whole number or too small.
    """
    loaded = load_config(config)
    _check_windows(window, (model, chooser), loaded.generation.max_new_tokens)
    if embeddings is not None or embeddings_name is not None:
        _check_embeddings(embeddings, retriever, loaded)
    text_model, comparer = _models(profile, model, chooser, window)
    embedder = cache(partial(_embedder, profile, embeddings, embeddings_name))
    if retriever is None and loaded.retrieval.kind != "none":
        retriever = _retriever(loaded.retrieval, embedder())
    return answering_graph(
        loaded,
        model=text_model,
        chooser=comparer,
        retriever=retriever,
        scorer=_scorer(loaded, embedder, retriever),
    )


def _check_embeddings(
    embeddings: Embeddings | None, retriever: BaseRetriever | None, config: Config
) -> None:
    """Check that embeddings, or a name for them, have a use."""
    if embeddings is None:
        raise ConfigError("embeddings_name names embeddings: pass embeddings too")
    if retriever is not None:
        raise ConfigError(
            "embeddings encode the posts of an index of the project: leave out retriever, or embeddings"
        )
    if config.retrieval.kind not in ("semantic", "hybrid") and not config.scores_candidates:
        raise ConfigError(
            f"retrieval.kind {config.retrieval.kind} compares no vectors: leave out embeddings, or take a "
            "config with semantic or hybrid"
        )


def _embedder(profile: str, embeddings: Embeddings | None, name: str | None) -> "Embedder":
    """Return the embeddings of the user, else the encoder of the profile."""
    from graph.retrieval.embeddings import OwnEmbeddings

    return load_profile(profile).embedder if embeddings is None else OwnEmbeddings(embeddings, name)


def _retriever(retrieval: Retrieval, embedder: "Embedder") -> BaseRetriever:
    """Return the retriever of an index of the default corpus."""
    from graph.retrieval import open_retriever

    return open_retriever(retrieval, embedder)


def _scorer(
    config: Config, embedder: "Callable[[], Embedder]", retriever: BaseRetriever | None
) -> CandidateScorer | None:
    """Return the scorer of a config; the profile is read when a text has to be encoded."""
    from graph.reranking.scorer import open_scorer
    from graph.retrieval.embeddings import open_embedder

    return open_scorer(config, lambda: open_embedder(embedder()), retriever)


def _check_windows(window: int | None, models: Sequence[object], max_new_tokens: int) -> None:
    """Check the window that is passed, or else those that the profiles of the models state."""
    windows: list[tuple[str, object]] = [("window", window)]
    hint = ""
    if window is None:
        windows = [
            (f"{type(model).__name__}.profile: max_input_tokens", stated_window(model))
            for model in models
            if isinstance(model, BaseLanguageModel)
        ]
        hint = "; build_graph(window=...) replaces it"
    least = max_new_tokens + _SHORTEST_PROMPT
    for name, value in windows:
        if value is not None and (not isinstance(value, int) or value < least):
            raise ConfigError(
                f"{name}={value!r} must be a whole number of tokens, at least {least}: "
                f"{max_new_tokens} for the reply (generation.max_new_tokens) and "
                f"{_SHORTEST_PROMPT} for the prompt{hint}"
            )


def _models(
    profile: str,
    model: BaseLanguageModel[Any] | TextModel | None,
    chooser: BaseLanguageModel[Any] | Chooser | None,
    window: int | None,
) -> tuple[TextModel, Chooser]:
    """Return the model that writes and the model that compares: the user's, else the profile's."""
    if window is not None and not any(isinstance(m, BaseLanguageModel) for m in (model, chooser)):
        raise ConfigError(
            "window belongs to a LangChain model of your own; the window of a profile's model is its "
            "field `window`"
        )
    lockstep = Lockstep()
    text_model = None if model is None else adapt_writer(model, lockstep, window)
    comparer = None if chooser is None else adapt_chooser(chooser, lockstep, window)
    if comparer is None and isinstance(text_model, BatchedModel):
        comparer = text_model
    elif comparer is None and hasattr(model, "choose"):
        comparer = adapt_chooser(model, lockstep, window)
    if text_model is None or comparer is None:
        generator = open_models(load_profile(profile)).generator
        text_model, comparer = text_model or generator, comparer or generator
    return text_model, comparer

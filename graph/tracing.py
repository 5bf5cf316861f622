"""The steps of a question as they happen."""

from collections.abc import Iterator

from langchain_core.runnables import RunnableConfig
from langgraph.graph.state import CompiledStateGraph

from nodes.state import QuestionInput, State, Step


def trace(
    graph: CompiledStateGraph[State, None, QuestionInput, State],
    question: str,
    config: RunnableConfig | None = None,
) -> Iterator[Step]:
    """Yield each step of answering a question as soon as its node has run.

    A step is the record of one node's work: passages with scores, drafts, verdicts with
    probabilities, critique points, replies with prompts, tokens and seconds (see
    `nodes.state.Step`).

    Args:
        graph: The answering graph.
        question: The question.
        config: LangChain's settings of the call; a graph with a checkpointer needs its `thread_id`.
    """
    for update in graph.stream({"question": question}, config, stream_mode="updates"):
        for node_update in update.values():
            yield from node_update.get("steps", [])

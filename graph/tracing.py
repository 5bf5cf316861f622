"""The steps of a question as they happen."""

from collections.abc import Callable, Iterator
from typing import Any, cast

from langchain_core.messages import AIMessageChunk
from langchain_core.runnables import RunnableConfig
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import StreamMode

from nodes.state import QuestionInput, State, Step


def trace(
    graph: CompiledStateGraph[State, None, QuestionInput, State],
    question: str,
    config: RunnableConfig | None = None,
    on_chunk: Callable[[AIMessageChunk], None] | None = None,
    on_start: Callable[[str], None] | None = None,
) -> Iterator[Step]:
    """Yield each step of answering a question as soon as its node has run.

    A step is the record of one node's work: passages with scores, drafts, verdicts with
    probabilities, critique points, replies with prompts, tokens and seconds (see
    `nodes.state.Step`).

    Args:
        graph: The answering graph.
        question: The question.
        config: LangChain's settings of the call; a graph with a checkpointer needs its `thread_id`.
        on_chunk: Called with each new part of a reply while the model writes it. Replies that are
            written side by side have different ids; the last part of one has the `chunk_position` last.
        on_start: Called with the name of each node before it runs.
    """
    modes: list[StreamMode] = ["updates"]
    modes += ["messages"] if on_chunk else []
    modes += ["tasks"] if on_start else []
    for part in graph.stream({"question": question}, config, stream_mode=modes):
        mode, payload = cast(tuple[StreamMode, Any], part)
        if mode == "updates":
            for node_update in payload.values():
                yield from node_update.get("steps", [])
        elif mode == "tasks":
            # The end of a task has its result instead of its input.
            if on_start and "input" in payload:
                on_start(payload["name"])
        # A verdict, and a reply from the cache, is a whole message.
        elif on_chunk and isinstance(payload[0], AIMessageChunk):
            on_chunk(payload[0])

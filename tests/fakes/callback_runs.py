"""A LangChain callback handler that records the runs it sees, and the calls that a state records."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage

from nodes.state import calls_of


@dataclass
class ModelRun:
    """An LLM run as its handler saw it."""

    parent: UUID | None
    messages: list[str]
    metadata: dict[str, Any]
    details: dict[str, Any]
    """All else that the start says."""
    tokens: list[str] = field(default_factory=list)
    message: AIMessage | None = None
    error: BaseException | None = None


class RunRecorder(BaseCallbackHandler):
    """Records LLM runs by id, in the order of their starts, and the chains above them."""

    raise_error = True
    """LangChain would only log what the handler asserts."""

    def __init__(self) -> None:
        self.model_runs: dict[UUID, ModelRun] = {}
        self._chains: dict[UUID, tuple[str, UUID | None]] = {}

    def path(self, run: ModelRun) -> list[str]:
        """Return the names of the chains above a run, from the root on."""
        names, parent = [], run.parent
        while parent is not None:
            name, parent = self._chains[parent]
            names.insert(0, name)
        return names

    def on_chain_start(self, serialized, inputs, *, run_id, parent_run_id=None, name="", **_):
        self._chains[run_id] = (name, parent_run_id)

    def on_chat_model_start(
        self, serialized, messages, *, run_id, parent_run_id=None, metadata=None, **details
    ):
        assert run_id not in self.model_runs
        [prompt] = messages
        texts = [message.text for message in prompt]
        self.model_runs[run_id] = ModelRun(
            parent_run_id, texts, metadata, {"serialized": serialized, **details}
        )

    def on_llm_start(
        self, serialized, prompts, *, run_id, parent_run_id=None, metadata=None, **details
    ):
        self.model_runs[run_id] = ModelRun(
            parent_run_id, prompts, metadata, {"serialized": serialized, **details}
        )

    def on_llm_new_token(self, token, *, chunk=None, run_id, **_):
        run = self.model_runs[run_id]
        assert not (run.message)
        assert not (run.error)
        assert chunk.message.content == token
        run.tokens.append(token)

    def on_llm_end(self, response, *, run_id, **_):
        run = self.model_runs[run_id]
        assert not (run.message)
        assert not (run.error)
        [[generation]] = response.generations
        run.message = getattr(generation, "message", None) or AIMessage(generation.text)

    def on_llm_error(self, error, *, run_id, **_):
        run = self.model_runs[run_id]
        assert not (run.message)
        assert not (run.error)
        run.error = error


def check_runs(recorder: RunRecorder, state: dict, *, above: tuple[str, ...] = ("opencoder",)):
    """Assert that the runs are the calls of the state's steps, each under its node."""
    calls = [(step["node"], call) for step in state["steps"] for call in calls_of(step)]
    runs = list(recorder.model_runs.values())
    assert calls
    assert all(run.message for run in runs)
    expected = [([*above, node], call["prompt"], _output(call)) for node, call in calls]
    seen = [(recorder.path(run), run.messages[0], run.message.text) for run in runs]
    # Drafts of one node can start in any order.
    assert sorted(seen) == sorted(expected)


def _output(call: dict) -> str:
    if "mean_logprob" in call:
        return "" if call["mean_logprob"] is None else str(call["mean_logprob"])
    return call["text"] if "text" in call else call["choice"] or call["reply"] or ""

"""Engines: what runs a model, many prompts in one call.

A new engine is a module in this folder, an entry of `ENGINES` and a word in `ModelSpec.engine`. An
engine that asks a server has an entry in `_SERVED` too.

Each call is an LLM run for LangChain's callbacks (`graph.models.traced_calls`). An engine reports on
the call of a prompt, `call_of(prompt)`, which `FittedPrompt.call` keeps:

- `call.start(text)` when the model starts on the text that it is sent, cut and in its chat format;
- `call.show(text)` with the text of the reply so far, after each token, if `call.shows_tokens`;
- `call.end(outcome)` when one outcome of many is ready; it returns the outcome.

`BatchedModel` ends the calls that the engine leaves open, and makes a run of an outcome that comes
without a start, such as one from the cache. An engine that runs a LangChain client calls none of
these: it gives the client `call.hand_over()` as its callbacks, and the client makes the run.
"""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, Protocol, runtime_checkable

from graph.models.reply_cache import ReplyCache
from graph.schema import ModelSpec
from nodes.model import Continuation, Likelihood, Prompt, Reply, Verdict

WINDOW = 4096
"""The assumed window of a model that does not state one, in tokens."""
MAX_RETRIES = 6
"""Tries of a client after the first one, with its own growing pauses: 429, 5xx, timeouts, lost
connections."""
VerdictWay = Literal["log-probabilities", "JSON schema", "text"]
"""How a server's verdict is read: from the log-probabilities of its first token, from a reply that the
server constrains to the options, or from a reply in text."""


class Engine(Protocol):
    """Runs a model on many prompts in one call; an outcome is a result or its prompt's error."""

    name: str
    batches: bool
    """Whether the prompts of several questions run better in one call. If not, each question's
    prompts are sent at once, several calls run at the same time, and the engine limits them."""

    @property
    def commit(self) -> str | None:
        """The commit of the model repository whose weights were loaded, if there is one."""
        ...

    def write_all(
        self, prompts: Sequence[Prompt], max_new_tokens: int, temperature: float
    ) -> Sequence[Reply | Exception]:
        """Write a reply to each prompt, in order."""
        ...

    def choose_all(
        self, prompts: Sequence[Prompt], options: Sequence[str]
    ) -> Sequence[Verdict | Exception]:
        """Choose one of the options for each prompt, in order."""
        ...


@runtime_checkable
class ScoringEngine(Engine, Protocol):
    """An engine that also computes the probability of a given text."""

    def score_all(self, continuations: Sequence[Continuation]) -> Sequence[Likelihood | Exception]:
        """Compute the likelihood of each text after its prompt, in order."""
        ...


class OpenEngine(Protocol):
    """A function that opens an engine; its first call loads weights or contacts a server."""

    def __call__(
        self, spec: ModelSpec, *, batch_size: int, seed: int, cache: ReplyCache | None
    ) -> Engine:
        """Open the engine of a model.

        Args:
            spec: The model.
            batch_size: The largest number of prompts that run together.
            seed: The seed of sampling.
            cache: Results of earlier calls, if they are cached.
        """
        ...


class ServedModel(NamedTuple):
    """A model that another program runs, as far as that program describes it."""

    identity: dict[str, object]
    """What the server says of the model and does not change from start to start."""
    window: int
    """Tokens of prompt and reply together."""
    verdicts: VerdictWay
    refused: tuple[str, ...] = ()
    """Settings of a request that the server refuses and is not sent: `temperature`, `seed`."""
    top_logprobs: int = 0
    """The number of most probable first tokens that it reports; 0 if verdicts do not come from them."""


# Each function imports its engine itself: a run loads only the engines that its profile names.
def _huggingface(
    spec: ModelSpec, *, batch_size: int, seed: int, cache: ReplyCache | None
) -> Engine:
    from graph.models.engines.huggingface_engine import HuggingFaceEngine

    return HuggingFaceEngine(spec, batch_size=batch_size, seed=seed, cache=cache)


def _openvino(spec: ModelSpec, *, batch_size: int, seed: int, cache: ReplyCache | None) -> Engine:
    from graph.models.engines.openvino_engine import OpenVINOEngine

    return OpenVINOEngine(spec, batch_size=batch_size, seed=seed, cache=cache)


def _openai(spec: ModelSpec, *, batch_size: int, seed: int, cache: ReplyCache | None) -> Engine:
    from graph.models.engines.openai_engine import OpenAIEngine

    del batch_size  # the server forms its batches itself
    return OpenAIEngine(spec, seed=seed, cache=cache)


def _langchain(spec: ModelSpec, *, batch_size: int, seed: int, cache: ReplyCache | None) -> Engine:
    from graph.models.engines.langchain_engine import LangChainEngine

    del batch_size
    return LangChainEngine.of_spec(spec, seed=seed, cache=cache)


ENGINES: dict[str, OpenEngine] = {
    "huggingface": _huggingface,
    "openvino": _openvino,
    "openai": _openai,
    "langchain": _langchain,
}
"""The function that opens an engine, for each value of `resolve_engine`."""


def _served_by_openai(spec: ModelSpec) -> ServedModel:
    from graph.models.engines.openai_server import served_model

    return served_model(spec)


def _served_by_langchain(spec: ModelSpec) -> ServedModel:
    from graph.models.engines.chat_models import served_model

    return served_model(spec)


_SERVED: dict[str, Callable[[ModelSpec], ServedModel]] = {
    "openai": _served_by_openai,
    "langchain": _served_by_langchain,
}


def describe(spec: ModelSpec) -> ServedModel | None:
    """Describe a model as its server does, asked once; return None for a model in this process.

    Raises:
        ConfigError: There is no such server or model, or it cannot be used.
        MissingExtraError: The package of the client is not installed.
    """
    served = _SERVED.get(spec.engine)
    return served(spec) if served else None

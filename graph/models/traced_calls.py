"""Calls of models as LangChain's callbacks see them: each prompt is an LLM run under its node.

`BatchedModel` makes a call of each prompt in the thread of its question, where the config of the
node is. The engine then says when it starts, which text it has so far, and what came out of it.
Without a callback handler nothing of this happens.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from langchain_core.callbacks import (
    AsyncCallbackHandler,
    BaseCallbackHandler,
    CallbackManager,
    Callbacks,
)
from langchain_core.callbacks.manager import CallbackManagerForLLMRun
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, LLMResult
from langchain_core.runnables.config import ensure_config

from nodes.model import Prompt

_T = TypeVar("_T")
_NO_TOKENS = (BaseCallbackHandler.on_llm_new_token, AsyncCallbackHandler.on_llm_new_token)


class TracedCall:
    """The LLM run of one call of an engine: of a reply, a verdict or a likelihood.

    Args:
        manager: The callbacks under the node, with the metadata of the model; None for no handler.
        callbacks: The callbacks of the node, as its config has them.
        engine: The name of the engine's class.
        settings: The settings of the call, with the name of its model.
        continuation: The text to score after the prompt, if one is scored.
    """

    def __init__(
        self,
        manager: CallbackManager | None = None,
        callbacks: Callbacks = None,
        *,
        engine: str = "",
        settings: Mapping[str, object] | None = None,
        continuation: str = "",
    ) -> None:
        self._manager = manager
        self._callbacks = callbacks
        self._engine = engine
        self._settings = dict(settings or {})
        self._continuation = continuation
        self._run: CallbackManagerForLLMRun | None = None
        self._is_over = manager is None
        self._text = ""
        self._error: Exception | None = None

    @property
    def shows_tokens(self) -> bool:
        """Whether a handler reads tokens, so that an engine should call `show`."""
        handlers = self._manager.handlers if self._manager else []
        return any(type(handler).on_llm_new_token not in _NO_TOKENS for handler in handlers)

    def hand_over(self) -> Callbacks:
        """Return the callbacks for a LangChain client, which makes the run of this call itself."""
        self._is_over = True
        return self._callbacks

    def start(self, text: str, *, cached: bool = False) -> None:
        """Start the run of a call that was sent `text`; again for the same call does nothing."""
        if self._manager is None or self._is_over or self._run:
            return
        manager = self._manager
        manager.add_metadata({"cached": cached}, inherit=False)
        messages: list[BaseMessage] = [HumanMessage(text)]
        if self._continuation:
            messages.append(AIMessage(self._continuation))
        runs = self._notify(
            lambda: manager.on_chat_model_start(
                {"name": self._engine, "id": ["opencoder", self._engine]},
                [messages],
                invocation_params=self._settings,
                options={},
                name=self._engine,
                batch_size=1,
            )
        )
        self._run = runs[0] if runs else None

    def show(self, text: str) -> None:
        """Hand on the new part of the text so far.

        A batch that runs again, since memory ran out, continues where its text is the same.
        """
        if self._run and len(text) > len(self._text) and text.startswith(self._text):
            self._send(AIMessageChunk(content=text[len(self._text) :]))
            self._text = text

    def end(self, outcome: _T) -> _T | Exception:
        """End the run with a result or an error; again for the same call does nothing.

        An outcome of an engine that did not start the run, such as one from the cache, is a run too.
        A prompt that failed before it was sent is none.

        Returns:
            The outcome, or the error of a handler that breaks its question (`raise_error`).
        """
        if self._is_over:
            return outcome
        if isinstance(outcome, BaseException):
            if run := self._run:
                self._notify(lambda: run.on_llm_error(outcome))
        else:
            self._end(outcome)  # type: ignore[arg-type]  # each result is a dict
        self._is_over = True
        return self._error or outcome

    def _end(self, result: Mapping[str, Any]) -> None:
        self.start(result["prompt"], cached=result["cached"])
        if not (run := self._run):
            return
        text, fields = _text_of(result), self._message_fields(result)
        if self._text and text.startswith(self._text):
            rest = text[len(self._text) :]
            self._send(AIMessageChunk(content=rest, chunk_position="last", **fields))
        message = AIMessage(text, id=_message_id(run), **fields)
        generation = ChatGeneration(message=message, generation_info=fields["response_metadata"])
        self._notify(lambda: run.on_llm_end(LLMResult(generations=[[generation]])))

    def _message_fields(self, result: Mapping[str, Any]) -> dict[str, Any]:
        details = {name: value for name, value in result.items() if name not in ("text", "prompt")}
        return {
            "usage_metadata": _usage(result),
            "response_metadata": {"model_name": self._settings["model"], **details},
        }

    def _send(self, message: AIMessageChunk) -> None:
        if run := self._run:
            message.id = _message_id(run)
            chunk = ChatGenerationChunk(message=message)
            self._notify(lambda: run.on_llm_new_token(str(message.content), chunk=chunk))

    def _notify(self, event: Callable[[], _T]) -> _T | None:
        # LangChain logs the errors of handlers, but for those that ask to be raised. In a shared
        # batch such an error must cost its own question alone.
        if self._error is None:
            try:
                return event()
            except Exception as error:
                self._error = error
        return None


UNTRACED = TracedCall()
"""The call of a prompt that no handler sees."""


@dataclass(frozen=True)
class TracedPrompt(Prompt):
    """A prompt with the LLM run of its call."""

    call: TracedCall = UNTRACED


def call_of(prompt: Prompt) -> TracedCall:
    """Return the call of a prompt."""
    return prompt.call if isinstance(prompt, TracedPrompt) else UNTRACED


def traced(
    prompts: Sequence[Prompt],
    engine: object,
    settings: Mapping[str, object],
    continuations: Sequence[str] = (),
) -> list[Prompt]:
    """Return the prompts with their calls, if the node that runs has callback handlers.

    Args:
        prompts: The prompts of one node.
        engine: The engine that runs them.
        settings: The settings of the call, with the name of its `model`.
        continuations: The text to score after each prompt, if texts are scored.
    """
    callbacks = ensure_config().get("callbacks")
    kind = type(engine).__name__
    manager = CallbackManager.configure(
        callbacks, inheritable_metadata=_langsmith_parameters(kind, settings)
    )
    if not manager.handlers:
        return list(prompts)
    texts = continuations or [""] * len(prompts)
    return [
        TracedPrompt(
            **vars(prompt),
            call=TracedCall(
                manager.copy(), callbacks, engine=kind, settings=settings, continuation=text
            ),
        )
        for prompt, text in zip(prompts, texts, strict=True)
    ]


def _langsmith_parameters(kind: str, settings: Mapping[str, object]) -> dict[str, object]:
    """Return the metadata by which LangSmith and others recognise a model."""
    names = {
        "ls_model_name": "model",
        "ls_temperature": "temperature",
        "ls_max_tokens": "max_tokens",
    }
    stated = {name: settings[key] for name, key in names.items() if key in settings}
    provider = kind.removesuffix("Engine").lower()
    return {"ls_provider": provider, "ls_model_type": "chat", **stated}


def _text_of(result: Mapping[str, Any]) -> str:
    """Return the text of a reply, the choice of a verdict, or the number of a likelihood."""
    if "text" in result:
        return str(result["text"])
    if "choice" in result:
        return str(result["choice"] or result["reply"] or "")
    mean = result["mean_logprob"]
    return "" if mean is None else str(mean)


def _usage(result: Mapping[str, Any]) -> UsageMetadata | None:
    # The record of a verdict in text does not hold the tokens of its reply.
    if result.get("reply"):
        return None
    read, written = result["prompt_tokens"], result.get("new_tokens", 0)
    usage = UsageMetadata(input_tokens=read, output_tokens=written, total_tokens=read + written)
    if "cached_tokens" in result:
        usage["input_token_details"] = {"cache_read": result["cached_tokens"]}
    return usage


def _message_id(run: CallbackManagerForLLMRun) -> str:
    # LangChain's own ids: by them `stream_mode="messages"` knows that a message was streamed.
    return f"lc_run-{run.run_id}"

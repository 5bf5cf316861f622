"""The engine of LangChain's models: a user's own, or one that `init_chat_model` names.

A chat model is asked by requests that run side by side. Another language model gets many prompts in
one call. LangChain's interface has no logits, so that such a model replies in text also where it
chooses.
"""

from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter
from typing import Any, TypeVar

from langchain_core.language_models import BaseLanguageModel
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.prompt_values import StringPromptValue

from graph.models.budget import FittedPrompt
from graph.models.engines.chat_models import (
    ask_plainly,
    fixed_fields,
    open_chat_model,
    own_window,
    served_model,
    uncached,
    with_settings,
    with_stop,
)
from graph.models.engines.request_engine import (
    Requests,
    only_generation,
    reply_of,
    request_fitter,
    text_verdict,
)
from graph.models.engines.request_failures import RequestSender
from graph.models.reply_cache import ReplyCache
from graph.models.seeds import request_seed
from graph.schema import ModelSpec
from graph.support.environment import is_environment
from nodes.model import TEXT_CHOICE_TOKENS, Prompt, Reply, Verdict
from prompts.choice_prompts import choice_instruction

_CONCURRENCY = 8
"""Requests to a user's own chat model at the same time, as `ModelSpec.concurrency`."""
_T = TypeVar("_T")


class LangChainEngine:
    """Any LangChain language model or chat model.

    Settings that a user gave the own model stay; those that were left open are the config's, if the
    class of the model has a field for them.
    """

    commit = None

    def __init__(self, model: BaseLanguageModel[Any], *, window: int | None = None) -> None:
        self._model = uncached(model)
        self.name = f"{type(model).__name__}:{id(self._model)}"
        self.batches = not isinstance(model, BaseChatModel)
        self._fitter = request_fitter(window or own_window(model, "build_graph(window=...)"))
        self._fixed = frozenset(model.model_fields_set)
        self._stop: tuple[str, ...] = ()
        self._seed = 0
        self._requests = Requests(_CONCURRENCY)
        self._sender: RequestSender | None = None

    @classmethod
    def of_spec(
        cls, spec: ModelSpec, *, seed: int = 0, cache: ReplyCache | None = None
    ) -> "LangChainEngine":
        """Open the engine of a model that `init_chat_model` names.

        Raises:
            ConfigError, MissingExtraError: see `open_chat_model`.
        """
        served = served_model(spec)
        engine = cls(open_chat_model(spec), window=served.window)
        engine.name = spec.model
        fixed = engine._fixed = fixed_fields(spec)
        engine._stop, engine._seed = spec.stop, seed
        engine._sender = RequestSender(lambda: ask_plainly(spec, fixed))
        identity = {
            "engine": "langchain",
            "model": spec.model,
            "revision": spec.revision,
            **served.identity,
        }
        engine._requests = Requests(spec.concurrency, cache, lambda: identity)
        return engine

    def write_all(
        self, prompts: Sequence[Prompt], max_new_tokens: int, temperature: float
    ) -> list[Reply | Exception]:
        """Write a reply to each prompt, in order."""
        fitted = self._fitter.fit_all(prompts, max_new_tokens)
        if self.batches:
            return _run_together(fitted, lambda rows: _write(self._model, rows))
        return self._write_each(fitted, max_new_tokens, temperature)

    def choose_all(
        self, prompts: Sequence[Prompt], options: Sequence[str]
    ) -> list[Verdict | Exception]:
        """Choose one of the options for each prompt, in order; any other reply is unscored."""
        fitted = self._fitter.fit_all(prompts, TEXT_CHOICE_TOKENS, choice_instruction(options))
        if self.batches:
            replies = _run_together(fitted, lambda rows: _write(self._model, rows))
        else:
            replies = self._write_each(fitted, TEXT_CHOICE_TOKENS, 0.0)
        return [
            reply if isinstance(reply, Exception) else _verdict(reply, options) for reply in replies
        ]

    def _write_each(
        self,
        fitted: Sequence[FittedPrompt | Exception],
        max_new_tokens: int,
        temperature: float,
    ) -> list[Reply | Exception]:
        settings: dict[str, object] = {"max_new_tokens": max_new_tokens, "temperature": temperature}

        def request(row: FittedPrompt, number: int) -> Reply:
            seeded = {**settings, "seed": request_seed(self._seed, row.text, number)}
            model, stop = with_stop(with_settings(self._model, seeded, self._fixed), self._stop)
            send = partial(_write, model, [row], stop)
            [reply] = self._sender.send(send) if self._sender else send()
            return reply

        samples = temperature or "temperature" in self._fixed
        key = {**settings, "seed": self._seed if samples else None}
        if self._stop:
            key["stop"] = list(self._stop)
        return self._requests.run_all(fitted, request, key, Reply)


def _run_together(
    fitted: Sequence[FittedPrompt | Exception],
    run: Callable[[list[FittedPrompt]], Sequence[_T]],
) -> list[_T | Exception]:
    rows = [row for row in fitted if isinstance(row, FittedPrompt)]
    results = iter(_run_or_split(rows, run) if rows else [])
    return [next(results) if isinstance(row, FittedPrompt) else row for row in fitted]


def _run_or_split(
    rows: list[FittedPrompt], run: Callable[[list[FittedPrompt]], Sequence[_T]]
) -> Sequence[_T | Exception]:
    """Run prompts together; if that fails, run each alone, so that an error costs its own question.

    A server refuses a whole call for one prompt that is too long.
    """
    try:
        return run(rows)
    except Exception as error:
        if is_environment(error):
            raise
        if len(rows) == 1:
            return [error]
    return [outcome for row in rows for outcome in _run_or_split([row], run)]


def _write(
    model: BaseLanguageModel[Any], rows: list[FittedPrompt], stop: list[str] | None = None
) -> list[Reply]:
    start = perf_counter()
    # One for each prompt: a batch can be of several questions.
    callbacks: Any = [row.call.hand_over() for row in rows]
    # generate_prompt, not batch: with langchain-core 1.7.2, BaseLLM.batch recurses for ever
    # inside a node whose run has max_concurrency set.
    result = model.generate_prompt(
        [StringPromptValue(text=row.text) for row in rows],
        stop=stop,
        callbacks=callbacks[0] if isinstance(model, BaseChatModel) else callbacks,
    )
    seconds = (perf_counter() - start) / len(rows)
    # The output of the whole call counts the tokens of all prompts together.
    of_call = result.llm_output if len(rows) == 1 else None
    return [
        reply_of(row, only_generation(generations), seconds, of_call)
        for row, generations in zip(rows, result.generations, strict=True)
    ]


def _verdict(reply: Reply, options: Sequence[str]) -> Verdict:
    return {**text_verdict(reply, options), "cached": reply["cached"]}

"""The engine of servers with OpenAI's interface: vLLM, llama.cpp, Ollama, LM Studio, and APIs.

The server batches, so that each prompt is a request of its own and questions do not wait for each
other.
"""

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from graph.models.budget import FittedPrompt, PromptFitter
from graph.models.engines import ServedModel
from graph.models.engines.openai_server import (
    Completion,
    address_of,
    complete,
    length,
    open_chat,
    served_model,
)
from graph.models.engines.request_engine import (
    Requests,
    reply_of,
    request_fitter,
    text_verdict,
    verdict_of,
)
from graph.models.engines.request_failures import PLAIN_QUESTION, RequestSender, is_of_handler
from graph.models.engines.server_verdicts import (
    are_told_apart,
    logprob_settings,
    logprobs_of,
    parse_constrained,
    schema_settings,
)
from graph.models.reply_cache import ReplyCache
from graph.models.seeds import request_seed
from graph.models.verdict import normalise
from graph.schema import ModelSpec
from graph.support.environment import failure_of, is_of_question
from graph.support.errors import EnvironmentFailure
from nodes.model import TEXT_CHOICE_TOKENS, Prompt, Reply, Verdict
from prompts.choice_prompts import choice_instruction

if TYPE_CHECKING:
    from langchain_openai import ChatOpenAI


class OpenAIEngine:
    """A model of a server; the first use asks the server for it."""

    batches = False
    commit = None

    def __init__(self, spec: ModelSpec, *, seed: int = 0, cache: ReplyCache | None = None) -> None:
        self.spec = spec
        self.name = spec.model
        self._seed = seed
        self._requests = Requests(spec.concurrency, cache, self._identity)
        self._sender = RequestSender(self._ask_plainly)

    @property
    def served(self) -> ServedModel:
        """What the server says of the model."""
        return served_model(self.spec)

    @cached_property
    def _fitter(self) -> PromptFitter:
        return request_fitter(self.served.window)

    def _identity(self) -> dict[str, object]:
        return {
            "engine": "openai",
            "revision": self.spec.revision,
            "stop": list(self.spec.stop),
            "refused": list(self.served.refused),
            **self.served.identity,
        }

    def _seed_of_samples(self, temperature: float = 0.0) -> int | None:
        """Return the seed that a reply depends on; None for greedy decoding."""
        # Without a temperature the server samples every reply, also that of a verdict.
        return self._seed if temperature or "temperature" in self.served.refused else None

    def write_all(
        self, prompts: Sequence[Prompt], max_new_tokens: int, temperature: float
    ) -> list[Reply | Exception]:
        """Write a reply to each prompt, in order."""

        def write(row: FittedPrompt, number: int) -> Reply:
            return self._reply(row, number, max_new_tokens, {"temperature": temperature})

        settings = {
            "max_new_tokens": max_new_tokens,
            "temperature": temperature,
            "seed": self._seed_of_samples(temperature),
        }
        fitted = self._fitter.fit_all(prompts, max_new_tokens)
        return self._requests.run_all(fitted, write, settings, Reply)

    def choose_all(
        self, prompts: Sequence[Prompt], options: Sequence[str]
    ) -> list[Verdict | Exception]:
        """Choose one of the options for each prompt, in order, in the way that the server allows."""
        served, instruction, room = self.served, choice_instruction(options), TEXT_CHOICE_TOKENS
        choose = self._choose_by_schema
        if served.verdicts == "log-probabilities" and are_told_apart(options):
            choose, instruction, room = self._choose_by_logprobs, "", 1
        elif served.verdicts != "JSON schema":
            choose = self._choose_by_text
        settings = {
            "options": list(options),
            "verdicts": choose.__name__,
            "top_logprobs": served.top_logprobs,
            "seed": self._seed_of_samples(),
        }
        return self._requests.run_all(
            self._fitter.fit_all(prompts, room, instruction),
            lambda row, number: choose(row, number, options),
            settings,
            Verdict,
        )

    def _choose_by_logprobs(
        self, row: FittedPrompt, number: int, options: Sequence[str]
    ) -> Verdict:
        completion = self._send(row, number, 1, logprob_settings(self.served.top_logprobs))
        reply = reply_of(row, completion.generation, completion.seconds, completion.of_call)
        logprobs = logprobs_of(completion.generation, options)
        if logprobs is None:
            return verdict_of(reply, None)
        if max(logprobs) == -math.inf:
            # No option is among the first tokens that the server reports: nothing tells them apart.
            return {**verdict_of(reply, None), "mass": 0.0}
        distribution = normalise(options, logprobs)
        return {
            **verdict_of(reply, distribution.choice),
            "probabilities": distribution.probabilities,
            "mass": distribution.mass,
            "reply": None,
        }

    def _choose_by_schema(self, row: FittedPrompt, number: int, options: Sequence[str]) -> Verdict:
        reply = self._reply(row, number, TEXT_CHOICE_TOKENS, schema_settings(options))
        return verdict_of(reply, parse_constrained(reply["text"], options))

    def _choose_by_text(self, row: FittedPrompt, number: int, options: Sequence[str]) -> Verdict:
        return text_verdict(self._reply(row, number, TEXT_CHOICE_TOKENS, {}), options)

    def _reply(
        self, row: FittedPrompt, number: int, new_tokens: int, settings: Mapping[str, Any]
    ) -> Reply:
        completion = self._send(row, number, new_tokens, settings)
        return reply_of(row, completion.generation, completion.seconds, completion.of_call)

    def _send(
        self, row: FittedPrompt, number: int, new_tokens: int, settings: Mapping[str, Any]
    ) -> Completion:
        """Send one request.

        Raises:
            EnvironmentFailure: The server failed, or its reply is none.
            Exception: It refuses this request or fails at it alone, or a callback handler failed.
        """
        chat = self._chat()
        request = self._settings(row.text, number, new_tokens, settings)
        callbacks = row.call.hand_over()
        try:
            return self._sender.send(lambda: complete(chat, row.text, request, callbacks))
        except Exception as error:
            if is_of_question(error) or is_of_handler(error):
                raise
            # Also half a JSON, a page in HTML, a reply without a message: none is an answer.
            reason = str(failure_of(error))
            raise EnvironmentFailure(f"the server at {address_of(self.spec)}: {reason}") from error

    def _ask_plainly(self) -> None:
        """Send a short request, once.

        Raises:
            Exception: The server does not answer it.
        """
        chat = self._chat()
        settings = self._settings(PLAIN_QUESTION, 0, TEXT_CHOICE_TOKENS, {"run_name": "check"})
        client = chat.root_client.with_options(max_retries=0).chat.completions
        complete(chat.model_copy(update={"client": client}), PLAIN_QUESTION, settings)

    def _chat(self) -> "ChatOpenAI":
        return open_chat(self.spec, str(self.served.identity["id"]))

    def _settings(
        self, text: str, number: int, new_tokens: int, settings: Mapping[str, Any]
    ) -> dict[str, Any]:
        request = {
            "temperature": 0.0,
            "seed": request_seed(self._seed, text, number),
            "stop": list(self.spec.stop) or None,
            **length(self.spec, new_tokens),
            **settings,
        }
        for name in self.served.refused:
            del request[name]
        return request

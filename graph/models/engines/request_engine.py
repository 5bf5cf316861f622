"""Requests: what the engines share that send every prompt as a request of its own.

Such a model has no tokenizer here, so that a prompt is cut to the window by estimates.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from langchain_core.outputs import Generation

from graph.models.batch_cache import read_or_run
from graph.models.budget import FittedPrompt, PromptFitter
from graph.models.engines.request_pool import RequestPool
from graph.models.engines.token_usage import ESTIMATE_SCALE, Usage, estimate_tokens, reported_usage
from graph.models.reply_cache import ReplyCache
from graph.models.seeds import numbers
from graph.models.verdict import parse_choice
from graph.support.errors import EnvironmentFailure
from graph.support.text import without_surrogates
from nodes.model import Reply, Verdict

_CONTROL_TOKEN = re.compile(
    r"(<)(\|[^|<>\n]{1,40}\|>|\uff5c[^\uff5c\n]{1,40}\uff5c>|<?/?SYS>>|(?:start|end)_of_turn>|/?s>|[be]os>)"
    r"|(\[)(/?INST\])"
)
"""Control tokens of chat formats. Servers read them in a prompt too, and which ones a model has is not
known here."""
_T = TypeVar("_T")


class Requests:
    """Runs one request for each prompt, several at a time, and caches each of them."""

    def __init__(
        self,
        concurrency: int,
        cache: ReplyCache | None = None,
        identity: Callable[[], Mapping[str, object]] = dict,
    ) -> None:
        self._pool = RequestPool(concurrency)
        self._cache = cache
        self._identity = identity

    def run_all(
        self,
        fitted: Sequence[FittedPrompt | Exception],
        request: Callable[[FittedPrompt, int], _T],
        settings: Mapping[str, object],
        kind: type[_T],
    ) -> list[_T | Exception]:
        """Return the outcomes of prompts, in order; a prompt that did not fit keeps its error.

        Args:
            fitted: The prompts.
            request: Sends a prompt; its number tells equal prompts apart, so that drafts differ.
            settings: The settings that an outcome depends on.
            kind: The type of a result: `Reply` or `Verdict`.

        Raises:
            Exception: The environment failed.
        """
        rows = [row for row in fitted if isinstance(row, FittedPrompt)]
        numbered = list(zip(rows, numbers([row.text for row in rows]), strict=True))

        def run(row: FittedPrompt, number: int) -> _T:
            if self._cache is None:
                return request(row, number)
            key = {**settings, "number": number}
            outcomes = read_or_run(
                *(self._cache, self._identity(), key, [row]), lambda: [request(row, number)], kind
            )
            # A request raises its error, so that the outcome is a result.
            return outcomes[0]  # type: ignore[return-value]

        calls = [lambda row=row, number=number: run(row, number) for row, number in numbered]
        results = iter(self._pool.run_all(calls) if calls else [])
        return [next(results) if isinstance(row, FittedPrompt) else row for row in fitted]


def protect(value: str) -> str:
    """Make a value from outside harmless: each control token in it becomes plain text."""
    return _CONTROL_TOKEN.sub(_broken, without_surrogates(value))


def _broken(match: re.Match[str]) -> str:
    return f"{match[1] or match[3]} {match[2] or match[4]}"


def request_fitter(window: int) -> PromptFitter:
    """Return the fitter of a model whose tokens are estimated; its server wraps the prompts."""
    return PromptFitter(
        window=window, count=estimate_tokens, protect=protect, text_scale=ESTIMATE_SCALE
    )


def only_generation(generations: Sequence[Generation]) -> Generation:
    """Return the generation of one prompt.

    Raises:
        EnvironmentFailure: The reply holds no choice, so that it is no answer.
    """
    if not generations:
        raise EnvironmentFailure("the reply of the model holds no choice")
    return generations[0]


def reply_of(
    row: FittedPrompt, generation: Generation, seconds: float, of_call: Mapping[str, Any] | None
) -> Reply:
    """Return a generation as a reply, with the reported tokens or else estimates."""
    usage = reported_usage(generation, of_call)
    tokens = usage or Usage(row.tokens, estimate_tokens(generation.text))
    reply: Reply = {
        "text": generation.text,
        "prompt": row.text,
        "prompt_tokens": tokens.prompt_tokens,
        "new_tokens": tokens.new_tokens,
        "cut_tokens": row.cut_tokens,
        "cut_tokens_estimated": True,
        "tokens_estimated": usage is None,
        "seconds": seconds,
        "halvings": 0,
        "cached": False,
    }
    if tokens.cached_tokens is not None:
        reply["cached_tokens"] = tokens.cached_tokens
    return reply


def verdict_of(reply: Reply, choice: str | None) -> Verdict:
    """Return the choice of a reply in text as a verdict without probabilities."""
    verdict: Verdict = {
        "choice": choice,
        "probabilities": None,
        "mass": None,
        "prompt": reply["prompt"],
        "prompt_tokens": reply["prompt_tokens"],
        "cut_tokens": reply["cut_tokens"],
        "cut_tokens_estimated": True,
        "tokens_estimated": reply["tokens_estimated"],
        "reply": reply["text"],
        "seconds": reply["seconds"],
        "cached": False,
    }
    if "cached_tokens" in reply:
        verdict["cached_tokens"] = reply["cached_tokens"]
    return verdict


def text_verdict(reply: Reply, options: Sequence[str]) -> Verdict:
    """Return the verdict of a reply in text; a reply that is not exactly an option is unscored."""
    return verdict_of(reply, parse_choice(reply["text"], options))

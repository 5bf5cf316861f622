"""The engine of a user's own LangChain model: an API, a local server, or any other.

Such a model has its own settings (temperature, length). It gives no logits, so that it replies in
text also where it chooses.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Any, TypeVar

from langchain_core.language_models import BaseLanguageModel
from langchain_core.outputs import Generation
from langchain_core.prompt_values import StringPromptValue
from langchain_core.runnables.config import ensure_config

from graph.models.budget import FittedPrompt, fit_prompt
from graph.models.verdict import parse_choice
from graph.support.environment import is_environment
from graph.support.logger import log
from graph.support.text import without_surrogates
from nodes.model import Prompt, Reply, Verdict

WINDOW = 4096
"""The assumed window of a model that does not state one, in tokens."""
_USAGE_NAMES = (
    ("inputtokens", "outputtokens"),
    ("prompttokens", "completiontokens"),
    ("prompttokens", "responsetokens"),
    ("promptevalcount", "evalcount"),
    ("prompttokencount", "candidatestokencount"),
    ("inputtokencount", "outputtokencount"),
    ("inputtokencount", "generatedtokencount"),
)
"""Names under which models and servers report the tokens of a prompt and of its reply.

In lower case and without underscores: some write `inputTokens`.
"""
_USAGE_REPORTS = ("usage_metadata", "usageMetadata", "token_usage", "usage", "token_count")
_DIGITS = re.compile(r"[0-9]{1,15}")
_BYTES_A_TOKEN = 3
"""The assumed length of a token; real ones are longer on average, so that no prompt is too long."""
_T = TypeVar("_T")


class LangChainEngine:
    """Any LangChain language model or chat model."""

    def __init__(self, model: BaseLanguageModel[Any], *, window: int | None = None) -> None:
        self._model = _uncached(model)
        self.name = f"{type(model).__name__}:{id(self._model)}"
        self.commit = None
        self._window = window or _own_window(model)

    def write_all(
        self, prompts: Sequence[Prompt], max_new_tokens: int, temperature: float
    ) -> list[Reply | Exception]:
        """Write a reply to each prompt, in order; length and temperature are the model's own."""
        fitted = [self._fit(prompt, max_new_tokens, "") for prompt in prompts]
        return self._run_fitted(fitted, lambda rows: _write(self._model, rows))

    def choose_all(
        self, prompts: Sequence[Prompt], options: Sequence[str]
    ) -> list[Verdict | Exception]:
        """Choose one of the options for each prompt, in order; any other reply is unscored."""
        instruction = f"\n\nReply with exactly one of these and nothing else: {', '.join(options)}"
        fitted = [self._fit(prompt, 16, instruction) for prompt in prompts]
        return self._run_fitted(
            fitted, lambda rows: [_verdict(reply, options) for reply in _write(self._model, rows)]
        )

    def _fit(self, prompt: Prompt, new_tokens: int, suffix: str) -> FittedPrompt | Exception:
        try:
            return fit_prompt(
                prompt,
                limit=self._window - new_tokens,
                count=_tokens,
                protect=without_surrogates,
                wrap=lambda text: text + suffix,
            )
        except Exception as error:  # only this prompt's question fails, and records the error
            return error

    def _run_fitted(
        self,
        fitted: Sequence[FittedPrompt | Exception],
        run: Callable[[list[FittedPrompt]], Sequence[_T]],
    ) -> list[_T | Exception]:
        rows = [row for row in fitted if isinstance(row, FittedPrompt)]
        results = iter(_run_or_split(rows, run) if rows else [])
        return [next(results) if isinstance(row, FittedPrompt) else row for row in fitted]


def stated_window(model: BaseLanguageModel[Any]) -> object:
    """Return the largest input that a chat model's profile states; None if it states none."""
    profile = getattr(model, "profile", None)
    return (profile.get("max_input_tokens") or None) if isinstance(profile, Mapping) else None


def _own_window(model: BaseLanguageModel[Any]) -> int:
    """Return the window that a model states, in tokens, or else `WINDOW`."""
    stated = stated_window(model)
    if isinstance(stated, int):
        return stated
    log.warning(
        "%s does not state its window: %d tokens are assumed (build_graph(window=...) sets it)",
        type(model).__name__,
        WINDOW,
    )
    return WINDOW


def _uncached(model: BaseLanguageModel[Any]) -> BaseLanguageModel[Any]:
    """Return the model without LangChain's cache.

    LangChain does not tell which replies come from a cache, so that their seconds and tokens would
    count as those of calls. It also has one reply for each prompt: all sampled drafts would be the same.
    """
    return model.model_copy(update={"cache": False})


def _write(model: BaseLanguageModel[Any], rows: list[FittedPrompt]) -> list[Reply]:
    start = perf_counter()
    # generate_prompt, not batch: with langchain-core 1.7.2, BaseLLM.batch recurses for ever
    # inside a node whose run has max_concurrency set.
    result = model.generate_prompt(
        [StringPromptValue(text=row.text) for row in rows],
        # With the callbacks of the run, its traces and events include the model's calls.
        callbacks=ensure_config().get("callbacks"),
    )
    seconds = (perf_counter() - start) / len(rows)
    # The output of the whole call counts the tokens of all prompts together.
    of_call = result.llm_output if len(rows) == 1 else None
    return [
        _reply(row, generations[0], seconds, of_call)
        for row, generations in zip(rows, result.generations, strict=True)
    ]


def _reply(
    row: FittedPrompt, generation: Generation, seconds: float, of_call: Mapping[str, Any] | None
) -> Reply:
    usage = _usage(generation, of_call)
    prompt_tokens, new_tokens = usage or (row.tokens, _tokens(generation.text))
    return {
        "text": generation.text,
        "prompt": row.text,
        "prompt_tokens": prompt_tokens,
        "new_tokens": new_tokens,
        "cut_tokens": row.cut_tokens,
        "cut_tokens_estimated": True,
        "tokens_estimated": usage is None,
        "seconds": seconds,
        "halvings": 0,
        "cached": False,
    }


def _usage(generation: Generation, of_call: Mapping[str, Any] | None) -> tuple[int, int] | None:
    """Return the tokens of prompt and reply as the model reports them; None if it does not."""
    message = getattr(generation, "message", None)
    for report in (
        getattr(message, "usage_metadata", None),
        getattr(message, "response_metadata", None),
        generation.generation_info,
        of_call,
    ):
        if isinstance(report, Mapping):
            nested = (report.get(name) for name in _USAGE_REPORTS)
            for counts in (report, *nested):
                if (usage := _counts(counts)) is not None:
                    return usage
    return None


def _counts(report: object) -> tuple[int, int] | None:
    if not isinstance(report, Mapping):
        return None
    counts = {str(name).replace("_", "").lower(): _count(value) for name, value in report.items()}
    for prompt_name, reply_name in _USAGE_NAMES:
        prompt_tokens, new_tokens = counts.get(prompt_name), counts.get(reply_name)
        # A server that does not count may report 0: no prompt is empty.
        if prompt_tokens and new_tokens is not None:
            return prompt_tokens, new_tokens
    return None


def _count(value: object) -> int | None:
    """Return a whole number of at least 0, also one written as 31.0 or "31"; None for all else."""
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


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


def _tokens(text: str) -> int:
    """Estimate the number of tokens of a text: such a model gives no tokenizer."""
    return -(-len(text.encode("utf-8", "replace")) // _BYTES_A_TOKEN)


def _verdict(reply: Reply, options: Sequence[str]) -> Verdict:
    return {
        "choice": parse_choice(reply["text"], options),
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

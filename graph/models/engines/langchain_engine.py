"""The engine of a user's own LangChain model: an API, a local server, or any other.

Such a model has its own settings (temperature, length). It gives no logits, so that it replies in
text also where it chooses.
"""

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, TypeVar

from langchain_core.language_models import BaseLanguageModel
from langchain_core.prompt_values import StringPromptValue
from langchain_core.runnables.config import ensure_config

from graph.models.budget import FittedPrompt, fit_prompt
from graph.models.verdict import parse_choice
from graph.support.text import without_surrogates
from nodes.model import Prompt, Reply, Verdict

WINDOW = 4096
"""The assumed window of such a model, in tokens."""
_BYTES_A_TOKEN = 3
"""The assumed length of a token; real ones are longer on average, so that no prompt is too long."""
_T = TypeVar("_T")


class LangChainEngine:
    """Any LangChain language model or chat model."""

    def __init__(self, model: BaseLanguageModel[Any], *, window: int = WINDOW) -> None:
        self.name = f"{type(model).__name__}:{id(model)}"
        self.commit = None
        self._model = model
        self._window = window

    def write_all(
        self, prompts: Sequence[Prompt], max_new_tokens: int, temperature: float
    ) -> list[Reply | Exception]:
        """Write a reply to each prompt, in order; length and temperature are the model's own."""
        fitted = [self._fit(prompt, max_new_tokens, "") for prompt in prompts]
        return self._run_fitted(fitted, self._write)

    def choose_all(
        self, prompts: Sequence[Prompt], options: Sequence[str]
    ) -> list[Verdict | Exception]:
        """Choose one of the options for each prompt, in order; any other reply is unscored."""
        instruction = f"\n\nReply with exactly one of these and nothing else: {', '.join(options)}"
        fitted = [self._fit(prompt, 16, instruction) for prompt in prompts]
        return self._run_fitted(
            fitted, lambda rows: [_verdict(reply, options) for reply in self._write(rows)]
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
        results = iter(run(rows) if rows else [])
        return [next(results) if isinstance(row, FittedPrompt) else row for row in fitted]

    def _write(self, rows: list[FittedPrompt]) -> list[Reply]:
        start = perf_counter()
        # generate_prompt, not batch: with langchain-core 1.7.2, BaseLLM.batch recurses for ever
        # inside a node whose run has max_concurrency set.
        result = self._model.generate_prompt(
            [StringPromptValue(text=row.text) for row in rows],
            # With the callbacks of the run, its traces and events include the model's calls.
            callbacks=ensure_config().get("callbacks"),
        )
        seconds = (perf_counter() - start) / len(rows)
        texts = [generations[0].text for generations in result.generations]
        return [
            {
                "text": text,
                "prompt": row.text,
                "prompt_tokens": row.tokens,
                "new_tokens": _tokens(text),
                "cut_tokens": row.cut_tokens,
                "seconds": seconds,
                "halvings": 0,
                "cached": False,
            }
            for row, text in zip(rows, texts, strict=True)
        ]


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
        "reply": reply["text"],
        "seconds": reply["seconds"],
        "cached": False,
    }

"""A user's own LangChain model as an engine: an API, a local server, anything LangChain speaks to.

Such a model brings its own settings (temperature, length); it is asked in text, also for verdicts,
since it gives no logits.
"""

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, TypeVar

from langchain_core.language_models import BaseLanguageModel
from langchain_core.prompt_values import StringPromptValue
from langchain_core.runnables.config import ensure_config

from graph.models.budget import FittedPrompt, fit_prompt
from graph.models.verdict import parse_choice
from nodes.model import Prompt, Reply, Verdict

WINDOW = 4096
"""Assumed window, in tokens, of a model that does not say its own."""
_BYTES_A_TOKEN = 3
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
        """Answer each prompt; length and temperature are the model's own."""
        fitted = [self._fit(prompt, max_new_tokens, "") for prompt in prompts]
        return self._each_sound(fitted, self._write)

    def choose_all(
        self, prompts: Sequence[Prompt], options: Sequence[str]
    ) -> list[Verdict | Exception]:
        """Ask for one of the options in text; a reply that is none of them is unscored."""
        order = f"\n\nReply with exactly one of these and nothing else: {', '.join(options)}"
        fitted = [self._fit(prompt, 16, order) for prompt in prompts]
        return self._each_sound(
            fitted, lambda items: [_verdict(r, options) for r in self._write(items)]
        )

    def _fit(self, prompt: Prompt, new_tokens: int, suffix: str) -> FittedPrompt | Exception:
        try:
            return fit_prompt(
                prompt,
                limit=self._window - new_tokens,
                count=lambda text: -(-len(text.encode("utf-8", "replace")) // _BYTES_A_TOKEN),
                protect=lambda value: value.encode("utf-8", "replace").decode("utf-8"),
                wrap=lambda text: text + suffix,
            )
        except Exception as error:  # costs its own question, and is recorded there
            return error

    def _each_sound(
        self,
        fitted: Sequence[FittedPrompt | Exception],
        run: Callable[[list[FittedPrompt]], Sequence[_T]],
    ) -> list[_T | Exception]:
        sound = [item for item in fitted if isinstance(item, FittedPrompt)]
        results = iter(run(sound) if sound else [])
        return [next(results) if isinstance(item, FittedPrompt) else item for item in fitted]

    def _write(self, items: list[FittedPrompt]) -> list[Reply]:
        start = perf_counter()
        # generate_prompt, not batch: BaseLLM.batch recurses for ever inside a node whose run
        # carries max_concurrency (langchain-core 1.7.2).
        result = self._model.generate_prompt(
            [StringPromptValue(text=item.text) for item in items],
            # The run's own callbacks: its traces and events then show the model's calls.
            callbacks=ensure_config().get("callbacks"),
        )
        seconds = (perf_counter() - start) / len(items)
        return [
            {
                "text": row[0].text,
                "prompt": item.text,
                "prompt_tokens": item.tokens,
                "new_tokens": -(-len(row[0].text.encode("utf-8", "replace")) // _BYTES_A_TOKEN),
                "cut_tokens": item.cut_tokens,
                "seconds": seconds,
                "halvings": 0,
                "cached": False,
            }
            for item, row in zip(items, result.generations, strict=True)
        ]


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

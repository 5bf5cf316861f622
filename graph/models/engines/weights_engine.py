"""What the engines share that run weights in this process: batches that fit into memory, and their cache."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from threading import Lock
from time import perf_counter
from typing import Generic, TypeVar

from graph.models.batch_cache import BatchCache
from graph.models.budget import FittedPrompt, PromptFitter
from graph.models.loaded_model import LoadedModel
from graph.models.memory import run_in_batches, run_or_halve
from graph.models.reply_cache import ReplyCache
from graph.models.scoring import likelihoods, option_logprobs
from graph.models.verdict import normalise, plan_scoring
from graph.schema import ModelSpec
from graph.support.stopping import check_stop
from nodes.model import SCORED_TOKENS, Continuation, Likelihood, Prompt, Reply, Verdict

_T = TypeVar("_T")
_Model = TypeVar("_Model", bound=LoadedModel)


class WeightsEngine(ABC, Generic[_Model]):
    """A model that runs in batches of at most `batch_size` rows; its first use loads the weights."""

    batches = True

    def __init__(
        self,
        spec: ModelSpec,
        *,
        batch_size: int = 8,
        seed: int = 0,
        cache: ReplyCache | None = None,
    ) -> None:
        self.spec = spec
        self.name = f"{spec.model}@{spec.revision}"
        self._batch_size = batch_size
        self._seed = seed
        self._lock = Lock()
        self._loaded: _Model | None = None
        self._cache = BatchCache(cache)

    @property
    def loaded(self) -> _Model:
        """The model; the first use loads it."""
        if self._loaded is None:
            self._loaded = self._load()
        return self._loaded

    @abstractmethod
    def _load(self) -> _Model:
        """Load the model."""

    @abstractmethod
    def _generate(
        self, batch: Sequence[FittedPrompt], max_new_tokens: int, temperature: float
    ) -> list[tuple[str, int]]:
        """Return the new text of each prompt and its number of new tokens, the end token included."""

    @cached_property
    def fitter(self) -> PromptFitter:
        """Fits prompts into the window; the first use loads the model."""
        loaded = self.loaded
        return PromptFitter(
            window=loaded.window,
            count=lambda text: len(loaded.encode(text)),
            protect=loaded.protect,
            wrap=loaded.wrap,
        )

    @property
    def commit(self) -> str | None:
        """The commit of the loaded repository; None before it is loaded, and for local models."""
        return self._loaded.commit if self._loaded else None

    def write_all(
        self, prompts: Sequence[Prompt], max_new_tokens: int, temperature: float
    ) -> list[Reply | Exception]:
        """Write a reply to each prompt, in order."""
        settings = {
            "max_new_tokens": max_new_tokens,
            "temperature": temperature,
            "repetition_penalty": self.spec.repetition_penalty,
            "stop": list(self.spec.stop),
            # Greedy decoding draws no random numbers: its replies are the same for every seed.
            "seed": self._seed if temperature else None,
        }
        with self._lock:
            return self._in_batches(
                self.fitter.fit_all(prompts, max_new_tokens),
                lambda batch, halvings: self._write(batch, halvings, max_new_tokens, temperature),
                settings,
                Reply,
            )

    def choose_all(
        self, prompts: Sequence[Prompt], options: Sequence[str]
    ) -> list[Verdict | Exception]:
        """Choose one of the options for each prompt, in order, by their tokens' probabilities."""
        with self._lock:
            room = max(len(self.loaded.encode(option)) for option in options) + 1
            return self._in_batches(
                self.fitter.fit_all(prompts, room),
                lambda batch, _: self._choose(batch, options),
                {"options": list(options)},
                Verdict,
            )

    def score_all(self, continuations: Sequence[Continuation]) -> list[Likelihood | Exception]:
        """Compute the likelihood of each text after its prompt, in order."""
        with self._lock:
            # One token more: the end of the prompt and the start of the text may encode differently
            # when they are joined.
            fitted = self.fitter.fit_all([prompt for prompt, _ in continuations], SCORED_TOKENS + 1)
            return self._in_batches(
                [
                    row if isinstance(row, Exception) else replace(row, continuation=text)
                    for row, (_, text) in zip(fitted, continuations, strict=True)
                ],
                lambda batch, _: likelihoods(self.loaded, batch),
                {"scored_tokens": SCORED_TOKENS},
                Likelihood,
            )

    def _in_batches(
        self,
        fitted: Sequence[FittedPrompt | Exception],
        run: Callable[[Sequence[FittedPrompt], int], Sequence[_T | Exception]],
        settings: Mapping[str, object],
        kind: type[_T],
    ) -> list[_T | Exception]:
        def start_and_run(rows: Sequence[FittedPrompt], halvings: int) -> Sequence[_T | Exception]:
            check_stop()
            for row in rows:
                row.call.start(row.text)
            return run(rows, halvings)

        def run_batch(rows: Sequence[FittedPrompt]) -> list[_T | Exception]:
            outcomes = self._cache.read_or_run(
                *(self.loaded, settings, rows, partial(run_or_halve, rows, start_and_run), kind)
            )
            return [row.call.end(outcome) for row, outcome in zip(rows, outcomes, strict=True)]

        return run_in_batches(
            fitted, run_batch, batch_size=self._batch_size, tokens=lambda row: row.tokens
        )

    def _write(
        self, batch: Sequence[FittedPrompt], halvings: int, max_new_tokens: int, temperature: float
    ) -> list[Reply]:
        start = perf_counter()
        written = self._generate(batch, max_new_tokens, temperature)
        seconds = (perf_counter() - start) / len(batch)
        return [
            {
                "text": text,
                "prompt": row.text,
                "prompt_tokens": row.tokens,
                "new_tokens": new_tokens,
                "cut_tokens": row.cut_tokens,
                "tokens_estimated": False,
                "seconds": seconds,
                "halvings": halvings,
                "cached": False,
            }
            for row, (text, new_tokens) in zip(batch, written, strict=True)
        ]

    def _choose(
        self, batch: Sequence[FittedPrompt], options: Sequence[str]
    ) -> list[Verdict | Exception]:
        start = perf_counter()
        logprobs = self._option_logprobs(batch, options)
        seconds = (perf_counter() - start) / len(batch)
        return [
            _verdict(row, options, values, seconds)
            for row, values in zip(batch, logprobs, strict=True)
        ]

    def _option_logprobs(
        self, batch: Sequence[FittedPrompt], options: Sequence[str]
    ) -> list[list[float]]:
        """Return the log-probability of each option after each prompt."""
        loaded = self.loaded
        plans = [
            plan_scoring(
                loaded.encode(row.text),
                [loaded.encode(loaded.join(row.text, option)) for option in options],
            )
            for row in batch
        ]
        return option_logprobs(loaded, plans)


def _verdict(
    row: FittedPrompt, options: Sequence[str], logprobs: Sequence[float], seconds: float
) -> Verdict | Exception:
    try:
        distribution = normalise(options, logprobs)
    except ValueError as error:  # only this prompt's question fails, and records the error
        return error
    return {
        "choice": distribution.choice,
        "probabilities": distribution.probabilities,
        "mass": distribution.mass,
        "prompt": row.text,
        "prompt_tokens": row.tokens,
        "cut_tokens": row.cut_tokens,
        "tokens_estimated": False,
        "reply": None,
        "seconds": seconds,
        "cached": False,
    }

"""The engine of a Hugging Face model: many prompts in, batches through the model, outcomes out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from hashlib import sha256
from threading import Lock
from time import perf_counter
from typing import TypeVar

from langchain_core.caches import BaseCache

from graph.models.batch_cache import BatchCache
from graph.models.budget import FittedPrompt, fit_prompt
from graph.models.loading import LoadedModel, load_model
from graph.models.memory import halving
from graph.models.scoring import SCORED_TOKENS, likelihoods, option_logprobs
from graph.models.verdict import normalise, plan
from graph.schema import ModelSpec
from nodes.model import Continued, Likelihood, Prompt, Reply, Verdict

_T = TypeVar("_T")


class HuggingFaceEngine:
    """Writes and chooses in batches of at most `batch_size` rows; loads its weights at first use."""

    def __init__(
        self,
        spec: ModelSpec,
        *,
        batch_size: int = 8,
        seed: int = 0,
        cache: BaseCache | None = None,
    ) -> None:
        self.spec = spec
        self.name = f"{spec.model}@{spec.revision}"
        self._batch_size = batch_size
        self._seed = seed
        self._lock = Lock()
        self._loaded: LoadedModel | None = None
        self._recall = BatchCache(cache)

    @property
    def loaded(self) -> LoadedModel:
        """The model; the first use loads it."""
        if self._loaded is None:
            self._loaded = load_model(self.spec)
        return self._loaded

    @property
    def commit(self) -> str | None:
        """The commit of the repository that was loaded; None before, and for local models."""
        found = getattr(self._loaded.model.config, "_commit_hash", None) if self._loaded else None
        return str(found) if found else None

    def write_all(
        self, prompts: Sequence[Prompt], max_new_tokens: int, temperature: float
    ) -> list[Reply | Exception]:
        """Answer each prompt, in order."""
        asked = {
            "max_new_tokens": max_new_tokens,
            "temperature": temperature,
            "repetition_penalty": self.spec.repetition_penalty,
            "stop": list(self.spec.stop),
            # Greedy decoding draws nothing.
            "seed": self._seed if temperature else None,
        }
        with self._lock:
            return self._in_batches(
                [self._fit(prompt, max_new_tokens) for prompt in prompts],
                lambda batch, halvings: self._write(batch, halvings, max_new_tokens, temperature),
                asked,
                Reply,
            )

    def choose_all(
        self, prompts: Sequence[Prompt], options: Sequence[str]
    ) -> list[Verdict | Exception]:
        """Choose for each prompt, in order, by the probabilities of the options' tokens."""
        with self._lock:
            room = max(len(self.loaded.encode(option)) for option in options) + 1
            return self._in_batches(
                [self._fit(prompt, room) for prompt in prompts],
                lambda batch, _: self._choose(batch, options),
                {"options": list(options)},
                Verdict,
            )

    def score_all(self, asked: Sequence[Continued]) -> list[Likelihood | Exception]:
        """Say how likely the model is to write each text after its prompt, in order."""
        with self._lock:
            return self._in_batches(
                [self._fit_continued(prompt, text) for prompt, text in asked],
                lambda batch, _: likelihoods(self.loaded, batch),
                {"scored_tokens": SCORED_TOKENS},
                Likelihood,
            )

    def _fit_continued(self, prompt: Prompt, text: str) -> FittedPrompt | Exception:
        fitted = self._fit(prompt, SCORED_TOKENS + 1)
        return fitted if isinstance(fitted, Exception) else replace(fitted, continuation=text)

    def _fit(self, prompt: Prompt, new_tokens: int) -> FittedPrompt | Exception:
        loaded = self.loaded
        try:
            return fit_prompt(
                prompt,
                limit=loaded.window - new_tokens,
                count=lambda text: len(loaded.encode(text)),
                protect=loaded.protect,
                wrap=loaded.wrap,
            )
        except Exception as error:  # costs its own question, and is recorded there
            return error

    def _in_batches(
        self,
        fitted: Sequence[FittedPrompt | Exception],
        run: Callable[[Sequence[FittedPrompt], int], Sequence[_T | Exception]],
        asked: Mapping[str, object],
        kind: type[_T],
    ) -> list[_T | Exception]:
        """Run the longest prompts first, so that a batch pads little; keep the caller's order."""
        outcomes: dict[int, _T | Exception] = {}
        sound: list[tuple[int, FittedPrompt]] = []
        for index, item in enumerate(fitted):
            if isinstance(item, FittedPrompt):
                sound.append((index, item))
            else:
                outcomes[index] = item
        sound.sort(key=lambda pair: (-pair[1].tokens, pair[0]))
        for start in range(0, len(sound), self._batch_size):
            batch = sound[start : start + self._batch_size]
            rows = [item for _, item in batch]
            results = self._recall.batch(
                self.loaded, asked, rows, partial(halving, rows, run), kind
            )
            outcomes.update((index, r) for (index, _), r in zip(batch, results, strict=True))
        return [outcomes[index] for index in range(len(fitted))]

    def _write(
        self, batch: Sequence[FittedPrompt], halvings: int, max_new_tokens: int, temperature: float
    ) -> list[Reply]:
        start = perf_counter()
        texts = [item.text for item in batch]
        written = self.loaded.pipeline.write(
            texts,
            max_new_tokens=max_new_tokens,
            temperature=temperature,
            repetition_penalty=self.spec.repetition_penalty,
            stop=list(self.spec.stop),
            seed=batch_seed(self._seed, texts),
        )
        seconds = (perf_counter() - start) / len(batch)
        return [
            {
                "text": text,
                "prompt": item.text,
                "prompt_tokens": item.tokens,
                "new_tokens": new_tokens,
                "cut_tokens": item.cut_tokens,
                "seconds": seconds,
                "halvings": halvings,
                "cached": False,
            }
            for item, (text, new_tokens) in zip(batch, written, strict=True)
        ]

    def _choose(
        self, batch: Sequence[FittedPrompt], options: Sequence[str]
    ) -> list[Verdict | Exception]:
        start = perf_counter()
        loaded = self.loaded
        scorings = [
            plan(
                loaded.encode(item.text),
                [loaded.encode(loaded.continued(item.text, option)) for option in options],
            )
            for item in batch
        ]
        logprobs = option_logprobs(loaded, scorings)
        seconds = (perf_counter() - start) / len(batch)
        return [
            _verdict(item, options, values, seconds)
            for item, values in zip(batch, logprobs, strict=True)
        ]


def _verdict(
    item: FittedPrompt, options: Sequence[str], logprobs: Sequence[float], seconds: float
) -> Verdict | Exception:
    try:
        choice = normalise(options, logprobs)
    except ValueError as error:  # costs its own question, and is recorded there
        return error
    return {
        "choice": choice.choice,
        "probabilities": choice.probabilities,
        "mass": choice.mass,
        "prompt": item.text,
        "prompt_tokens": item.tokens,
        "cut_tokens": item.cut_tokens,
        "reply": None,
        "seconds": seconds,
        "cached": False,
    }


def batch_seed(seed: int, texts: Sequence[str]) -> int:
    """Return the seed of one batch: it follows from the run's seed and the batch's own prompts."""
    digest = sha256(str(seed).encode())
    for text in texts:
        digest.update(b"\0" + text.encode())
    return int.from_bytes(digest.digest()[:7], "big")

"""Engines: what runs a model, many prompts in one call.

A new engine is a module in this folder, an entry of `ENGINES` and a word in `ModelSpec.engine`.
"""

from typing import Protocol

from graph.models.batching import ScoringEngine
from graph.models.reply_cache import ReplyCache
from graph.schema import ModelSpec


class OpenEngine(Protocol):
    """A function that opens an engine; the engine loads its weights at the first call."""

    def __call__(
        self, spec: ModelSpec, *, batch_size: int, seed: int, cache: ReplyCache | None
    ) -> ScoringEngine:
        """Open the engine of a model.

        Args:
            spec: The model.
            batch_size: The largest number of prompts that run together.
            seed: The seed of sampling.
            cache: Results of earlier calls, if they are cached.
        """
        ...


# Each function imports its engine itself: a run loads only the engines that its profile names.
def _huggingface(
    spec: ModelSpec, *, batch_size: int, seed: int, cache: ReplyCache | None
) -> ScoringEngine:
    from graph.models.engines.huggingface_engine import HuggingFaceEngine

    return HuggingFaceEngine(spec, batch_size=batch_size, seed=seed, cache=cache)


ENGINES: dict[str, OpenEngine] = {"huggingface": _huggingface}
"""The function that opens an engine, for each value of `ModelSpec.engine`."""

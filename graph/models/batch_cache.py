"""Batches that were asked before are taken from a cache, whole."""

import json
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from langchain_core.caches import BaseCache
from langchain_core.outputs import Generation
from pydantic import TypeAdapter, ValidationError

from graph.models import packaged as embedded
from graph.models.budget import FittedPrompt
from graph.models.loading import LoadedModel
from graph.support.storage import folder_sha256

_T = TypeVar("_T")


class BatchCache:
    """One model's calls in a cache.

    A reply depends, in its last bits and where it is sampled, on what stood in the batch beside
    it. So a batch is the unit: it is found if the same prompts in the same order were asked of the
    same model with the same settings, and what is found is what would be computed.
    """

    def __init__(self, kept: BaseCache | None) -> None:
        self._cache = kept
        self._identity: dict[str, object] | None = None

    def batch(
        self,
        loaded: LoadedModel,
        asked: Mapping[str, object],
        rows: Sequence[FittedPrompt],
        run: Callable[[], list[_T | Exception]],
        kind: type[_T],
    ) -> list[_T | Exception]:
        """Return the outcomes of a batch: kept ones, else those of `run`, which are kept.

        Args:
            loaded: The model.
            asked: The settings that a reply depends on.
            rows: The prompts.
            run: Asks the model.
            kind: `Reply`, `Verdict` or `Likelihood`.
        """
        if self._cache is None:
            return run()
        self._identity = self._identity or cache_identity(loaded)
        prompt = json.dumps([[row.text, row.continuation] for row in rows])
        settings = json.dumps({**self._identity, **asked}, sort_keys=True)
        found = self._cache.lookup(prompt, settings)
        if found is not None and (outcomes := _restored(found, rows, kind)) is not None:
            return [*outcomes]
        fresh = run()
        kept = [_kept(outcome) for outcome in fresh if not isinstance(outcome, Exception)]
        # An error may be of the moment: a batch with one is asked again the next time.
        if len(kept) == len(fresh):
            self._cache.update(prompt, settings, kept)
        return fresh


_OF_THIS_CALL = ("prompt", "prompt_tokens", "cut_tokens", "seconds", "cached")
"""Fields that are not kept: they are known of the prompt, or were of that moment."""


def _kept(outcome: Any) -> Generation:
    kept = {name: value for name, value in outcome.items() if name not in _OF_THIS_CALL}
    return Generation(text=outcome.get("text", ""), generation_info=kept)


def _restored(
    found: Sequence[Any], rows: Sequence[FittedPrompt], kind: type[_T]
) -> list[_T] | None:
    """Return kept outcomes as they stand for these prompts; None if they cannot be read."""
    if len(found) != len(rows):
        return None
    adapter = TypeAdapter(kind)
    try:
        return [
            adapter.validate_python(
                {
                    **(each.generation_info or {}),
                    "prompt": row.text,
                    "prompt_tokens": row.tokens,
                    "cut_tokens": row.cut_tokens,
                    "seconds": 0.0,
                    "cached": True,
                },
                strict=True,
            )
            for each, row in zip(found, rows, strict=True)
        ]
    except ValidationError:
        return None


def cache_identity(loaded: LoadedModel) -> dict[str, object]:
    """Return what, besides prompt and settings, a reply depends on."""
    spec, model = loaded.spec, loaded.model
    is_embedded, folder = spec.engine == "embedded", Path(spec.model)
    return {
        "model": spec.model,
        "revision": embedded.revision(spec.model) if is_embedded else spec.revision,
        "commit": getattr(model.config, "_commit_hash", None),
        # A local folder's name does not say what it holds.
        "files": folder_sha256(folder) if folder.is_dir() and not is_embedded else None,
        "chat_format": spec.chat_format,
        "dtype": str(model.dtype),
        "device": model.device.type,
        **{name: version(name) for name in ("torch", "transformers")},
    }

"""The cache of model calls: a batch or a request that ran before is read from it and not run again."""

import json
import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast, get_type_hints

from langchain_core.outputs import Generation
from pydantic import TypeAdapter, ValidationError

from graph.models import packaged
from graph.models.budget import FittedPrompt
from graph.models.loaded_model import LoadedModel
from graph.models.machine_defaults import resolve_engine
from graph.models.reply_cache import ReplyCache
from graph.support.storage import folder_sha256

_T = TypeVar("_T")
_ROUNDING = 1e-6
"""The largest error of a sum of probabilities, and of a log-probability above 0."""


class BatchCache:
    """The batches of one model in a LangChain cache.

    A reply depends on the other rows of its batch: in its last bits always, in its text where it is
    sampled. So the cache holds whole batches. A batch is the same if it has the same prompts in the
    same order, for the same model with the same settings.
    """

    def __init__(self, store: ReplyCache | None) -> None:
        self._store = store
        self._identity: dict[str, object] | None = None

    def read_or_run(
        self,
        loaded: LoadedModel,
        settings: Mapping[str, object],
        rows: Sequence[FittedPrompt],
        run: Callable[[], list[_T | Exception]],
        kind: type[_T],
    ) -> list[_T | Exception]:
        """Return the outcomes of a batch from the cache, or else run it and store them.

        Args:
            loaded: The model.
            settings: The settings that an outcome depends on.
            rows: The prompts.
            run: Runs the batch.
            kind: The type of a result: `Reply`, `Verdict` or `Likelihood`.
        """
        if self._store is None:
            return run()
        self._identity = self._identity or cache_identity(loaded)
        return read_or_run(self._store, self._identity, settings, rows, run, kind)


def read_or_run(
    store: ReplyCache,
    identity: Mapping[str, object],
    settings: Mapping[str, object],
    rows: Sequence[FittedPrompt],
    run: Callable[[], list[_T | Exception]],
    kind: type[_T],
) -> list[_T | Exception]:
    """Return the outcomes of prompts from a cache, or else run them and store their results.

    Args:
        store: The cache.
        identity: Everything that an outcome depends on besides prompts and settings.
        settings: The settings that an outcome depends on.
        rows: The prompts that run together.
        run: Runs them.
        kind: The type of a result: `Reply`, `Verdict` or `Likelihood`.
    """
    prompts = json.dumps([[row.text, row.continuation] for row in rows])
    # A version of the project with other fields is another call: its results are no damaged ones.
    fields = {name: str(hint) for name, hint in get_type_hints(kind).items()}
    key = json.dumps({**identity, **settings, "fields": fields}, sort_keys=True)
    generations = store.lookup(prompts, key)
    if generations is not None:
        if (results := _restore(generations, rows, settings, kind)) is not None:
            return [*results]
        store.count_damaged()
    outcomes = run()
    stored = [_store(outcome) for outcome in outcomes if not isinstance(outcome, Exception)]
    # An error may not occur again, so a batch with an error is not stored.
    if len(stored) == len(outcomes):
        store.update(prompts, key, stored)
    return outcomes


_NOT_STORED = ("prompt", "cut_tokens", "cached_tokens", "seconds", "cached")
"""Fields of a result that belong to the prompt or to one call."""


def _store(result: Any) -> Generation:
    fields = {name: value for name, value in result.items() if name not in _NOT_STORED}
    return Generation(text=result.get("text", ""), generation_info=fields)


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    """Return the validator of a type; building it takes longer than restoring a batch."""
    return TypeAdapter(kind)


def _restore(
    generations: Sequence[Any],
    rows: Sequence[FittedPrompt],
    settings: Mapping[str, object],
    kind: type[_T],
) -> list[_T] | None:
    """Build the results of these prompts from stored ones; None if a result has impossible numbers."""
    if len(generations) != len(rows):
        return None
    try:
        results: list[_T] = [
            _adapter(cast("Hashable", kind)).validate_python(
                {
                    # A server counts the tokens of a prompt itself.
                    "prompt_tokens": row.tokens,
                    **(generation.generation_info or {}),
                    "prompt": row.text,
                    "cut_tokens": row.cut_tokens,
                    "seconds": 0.0,
                    "cached": True,
                },
                strict=True,
            )
            for generation, row in zip(generations, rows, strict=True)
        ]
    except ValidationError:
        return None
    return results if all(_is_possible(result, settings) for result in results) else None


def _is_possible(result: Any, settings: Mapping[str, object]) -> bool:
    """Tell whether the numbers of a result are in their ranges; NaN is in none."""
    names = ("prompt_tokens", "new_tokens", "halvings", "scored_tokens")
    counts = [result.get(name, 0) for name in names]
    mass, logprob = result.get("mass"), result.get("mean_logprob")
    return (
        min(counts) >= 0
        and (mass is None or 0 <= mass <= 1)
        and (logprob is None or -math.inf < logprob <= _ROUNDING)
        and _are_probabilities(result, settings.get("options"))
    )


def _are_probabilities(result: Any, options: object) -> bool:
    shares = result.get("probabilities")
    if shares is None:
        return True
    return (
        all(0 <= share <= 1 for share in shares.values())
        and abs(math.fsum(shares.values()) - 1) <= _ROUNDING
        and result["choice"] in shares
        and (options is None or [*shares] == [*cast(Sequence[str], options)])
    )


def cache_identity(loaded: LoadedModel) -> dict[str, object]:
    """Return everything that a result depends on besides prompts and settings."""
    spec = loaded.spec
    in_package, folder = spec.weights == "package", Path(spec.model)
    return {
        "engine": resolve_engine(spec),
        "model": spec.model,
        "revision": packaged.revision(spec.model) if in_package else spec.revision,
        # The name of a local folder does not change with its files.
        "files": folder_sha256(folder) if folder.is_dir() and not in_package else None,
        "chat_format": spec.chat_format,
        **loaded.identity,
    }

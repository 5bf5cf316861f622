"""The models of a run: they implement the protocols `TextModel` and `Chooser` of the nodes."""

from dataclasses import dataclass
from typing import Any, cast

from langchain_core.language_models import BaseLanguageModel

from graph.models.batching import BatchedModel, ScoringModel
from graph.models.engines import ENGINES, ScoringEngine
from graph.models.lockstep import Lockstep
from graph.models.machine_defaults import resolve_engine
from graph.models.reply_cache import ReplyCache
from graph.schema import ModelSpec, Profile
from graph.support.errors import ConfigError
from nodes.model import Chooser, TextModel


@dataclass(frozen=True)
class Models:
    """The models of a run; they share one lockstep, which joins the calls of parallel questions."""

    generator: BatchedModel
    judge: BatchedModel
    lockstep: Lockstep


def open_models(
    profile: Profile, *, batch_size: int = 8, seed: int = 0, cache: ReplyCache | None = None
) -> Models:
    """Open the models of a profile; a model's first call loads its weights or contacts its server.

    Args:
        profile: The profile; equal specs of generator and judge share one model.
        batch_size: The largest number of prompts that run together.
        seed: The seed of sampling.
        cache: Results of earlier calls; a call that it holds runs no model.
    """
    lockstep = Lockstep()

    def open_model(spec: ModelSpec) -> BatchedModel:
        engine = ENGINES[resolve_engine(spec)](spec, batch_size=batch_size, seed=seed, cache=cache)
        if isinstance(engine, ScoringEngine):
            return ScoringModel(engine, lockstep)
        return BatchedModel(engine, lockstep)

    generator = open_model(profile.generator)
    same = profile.judge == profile.generator
    return Models(generator, generator if same else open_model(profile.judge), lockstep)


def adapt_writer(model: object, lockstep: Lockstep, window: int | None = None) -> TextModel:
    """Adapt a user's own model for writing: a LangChain model, or an object with `write`.

    Raises:
        ConfigError: The model is neither.
    """
    if isinstance(model, BaseLanguageModel):
        return _adapt_langchain(model, lockstep, window)
    if not hasattr(model, "write"):
        raise _unfit("model", model, "write")
    return cast(TextModel, model)


def adapt_chooser(model: object, lockstep: Lockstep, window: int | None = None) -> Chooser:
    """Adapt a user's own model for choosing: a LangChain model, or an object with `choose`.

    Raises:
        ConfigError: The model is neither.
    """
    if isinstance(model, BaseLanguageModel):
        return _adapt_langchain(model, lockstep, window)
    if not hasattr(model, "choose"):
        raise _unfit("chooser", model, "choose")
    return cast(Chooser, model)


def _adapt_langchain(
    model: BaseLanguageModel[Any], lockstep: Lockstep, window: int | None
) -> BatchedModel:
    from graph.models.engines.langchain_engine import LangChainEngine

    return BatchedModel(LangChainEngine(model, window=window), lockstep)


def _unfit(argument: str, model: object, method: str) -> ConfigError:
    return ConfigError(
        f"{argument} must be a LangChain language model or have a method {method}(); got "
        f"{type(model).__name__}"
    )

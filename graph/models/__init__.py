"""What speaks: models behind the `TextModel` and `Chooser` of the nodes."""

from dataclasses import dataclass
from typing import Any, cast

from langchain_core.caches import BaseCache
from langchain_core.language_models import BaseLanguageModel

from graph.models.batching import BatchedModel, ScoringModel
from graph.models.lockstep import Lockstep
from graph.schema import ModelSpec, Profile
from graph.support.errors import ConfigError
from nodes.model import Chooser, TextModel


@dataclass(frozen=True)
class Models:
    """The models of a run; one lockstep joins what their questions ask."""

    generator: ScoringModel
    judge: BatchedModel
    lockstep: Lockstep


def open_models(
    profile: Profile, *, batch_size: int = 8, seed: int = 0, cache: BaseCache | None = None
) -> Models:
    """Set up a profile's models; weights load when a model is first asked.

    `cache` keeps what they reply, and is asked first.
    """
    from graph.models.engines.huggingface_engine import HuggingFaceEngine

    lockstep = Lockstep()

    def opened(spec: ModelSpec) -> ScoringModel:
        engine = HuggingFaceEngine(spec, batch_size=batch_size, seed=seed, cache=cache)
        return ScoringModel(engine, lockstep)

    generator = opened(profile.generator)
    same = profile.judge == profile.generator
    return Models(generator, generator if same else opened(profile.judge), lockstep)


def adapt_writer(model: object, lockstep: Lockstep) -> TextModel:
    """Take a user's model for writing: a LangChain model, or anything that has `write`.

    Raises:
        ConfigError: it is neither.
    """
    if isinstance(model, BaseLanguageModel):
        return _foreign(model, lockstep)
    if not hasattr(model, "write"):
        raise _unfit(model, "write")
    return cast(TextModel, model)


def adapt_chooser(model: object, lockstep: Lockstep) -> Chooser:
    """Take a user's model for comparing: a LangChain model, or anything that has `choose`.

    Raises:
        ConfigError: it is neither.
    """
    if isinstance(model, BaseLanguageModel):
        return _foreign(model, lockstep)
    if not hasattr(model, "choose"):
        raise _unfit(model, "choose")
    return cast(Chooser, model)


def _foreign(model: BaseLanguageModel[Any], lockstep: Lockstep) -> BatchedModel:
    from graph.models.engines.langchain_engine import LangChainEngine

    return BatchedModel(LangChainEngine(model), lockstep)


def _unfit(model: object, method: str) -> ConfigError:
    return ConfigError(
        f"it must be a LangChain language model or have a method {method}(); got "
        f"{type(model).__name__}"
    )

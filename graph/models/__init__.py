"""What speaks: models behind the `TextModel` and `Chooser` of the nodes."""

from dataclasses import dataclass

from langchain_core.language_models import BaseLanguageModel

from graph.errors import ConfigError
from graph.models.batching import BatchedModel, Engine
from graph.models.lockstep import Lockstep
from graph.schema import ModelSpec, Profile
from nodes.model import Chooser, TextModel


@dataclass(frozen=True)
class Models:
    """The models of a run; one lockstep joins what their questions ask."""

    generator: BatchedModel
    judge: BatchedModel
    lockstep: Lockstep


def open_models(profile: Profile, *, batch_size: int = 8, seed: int = 0) -> Models:
    """Set up a profile's models; weights load when a model is first asked."""
    lockstep = Lockstep()
    generator = BatchedModel(_engine(profile.generator, batch_size, seed), lockstep)
    if profile.judge == profile.generator:
        return Models(generator, generator, lockstep)
    return Models(
        generator, BatchedModel(_engine(profile.judge, batch_size, seed), lockstep), lockstep
    )


def _engine(spec: ModelSpec, batch_size: int, seed: int) -> Engine:
    from graph.models.engine import HuggingFaceEngine

    return HuggingFaceEngine(spec, batch_size=batch_size, seed=seed)


def adapt(model: object, lockstep: Lockstep) -> BatchedModel | TextModel | Chooser:
    """Take a user's model: a LangChain one, or anything that writes or chooses by itself.

    Raises:
        ConfigError: it is neither.
    """
    if isinstance(model, BaseLanguageModel):
        from graph.models.foreign import LangChainEngine

        return BatchedModel(LangChainEngine(model), lockstep)
    if hasattr(model, "write") or hasattr(model, "choose"):
        return model  # type: ignore[return-value]  # structural: the nodes' protocols say the rest
    raise ConfigError(
        f"a model must be a LangChain language model or have write or choose; got {type(model).__name__}"
    )

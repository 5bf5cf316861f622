"""LangChain's chat models: opening one by its name, its window, and its settings."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from langchain_core.language_models import BaseLanguageModel
from langchain_core.language_models.chat_models import BaseChatModel

from graph.models.engines import MAX_RETRIES, WINDOW, ServedModel
from graph.schema import ModelSpec
from graph.support.errors import ConfigError, MissingExtraError
from graph.support.fault_log import without_secrets
from graph.support.logger import log
from graph.support.text import one_line

_FIELDS: dict[str, tuple[str, ...]] = {
    "temperature": ("temperature",),
    "max_new_tokens": ("max_tokens", "max_output_tokens", "num_predict", "max_new_tokens"),
    "stop": ("stop", "stop_sequences"),
    "seed": ("seed", "random_seed"),
}
"""Names of the fields in which the classes of LangChain's providers keep a setting."""


def uncached(model: BaseLanguageModel[Any]) -> BaseLanguageModel[Any]:
    """Return the model without LangChain's cache.

    LangChain does not tell which replies come from a cache, so that their seconds and tokens would
    count as those of calls. It also has one reply for each prompt: all sampled drafts would be the same.
    """
    return model.model_copy(update={"cache": False})


def stated_window(model: BaseLanguageModel[Any]) -> object:
    """Return the largest input that a chat model's profile states; None if it states none."""
    profile = getattr(model, "profile", None)
    return (profile.get("max_input_tokens") or None) if isinstance(profile, Mapping) else None


def own_window(model: BaseLanguageModel[Any], setting: str) -> int:
    """Return the window that a model states, in tokens, or else `WINDOW`; a warning names `setting`."""
    stated = stated_window(model)
    if isinstance(stated, int):
        return stated
    log.warning(
        "%s does not state its window: %d tokens are assumed (%s sets it)",
        *(type(model).__name__, WINDOW, setting),
    )
    return WINDOW


def with_settings(
    model: BaseLanguageModel[Any], settings: Mapping[str, object], fixed: frozenset[str]
) -> BaseLanguageModel[Any]:
    """Return a model with these settings, as far as its class has fields for them.

    Args:
        model: The model.
        settings: Values by the names of `_FIELDS`.
        fixed: Fields that stay as they are.
    """
    fields = type(model).model_fields
    update = {}
    for setting, value in settings.items():
        name = next((name for name in _FIELDS[setting] if name in fields), None)
        if name is not None and name not in fixed:
            update[name] = value
    return model.model_copy(update=update) if update else model


@cache
def open_chat_model(spec: ModelSpec) -> BaseChatModel:
    """Open the chat model that a name means to LangChain's `init_chat_model`.

    Raises:
        ConfigError: There is no such provider, or it lacks a key or an address.
        MissingExtraError: The provider's package is not installed.
    """
    from langchain.chat_models import init_chat_model

    try:
        # The class is known only from an instance, and refuses or warns of foreign arguments.
        kind = type(init_chat_model(spec.model))
        model: BaseChatModel = init_chat_model(spec.model, **_arguments(kind, spec))
        return model
    except ConfigError:
        raise
    except ImportError as error:
        raise MissingExtraError(f"{spec.model}: {one_line(str(error))}") from None
    except Exception as error:
        message = one_line(without_secrets(str(error)))
        raise ConfigError(f"the model {spec.model!r} cannot be opened: {message}") from None


def _arguments(kind: type[BaseChatModel], spec: ModelSpec) -> dict[str, Any]:
    accepted = {*kind.model_fields, *(field.alias for field in kind.model_fields.values())}
    arguments: dict[str, Any] = {"timeout": spec.timeout, "max_retries": MAX_RETRIES}
    if spec.base_url is not None:
        if "base_url" not in accepted:
            raise ConfigError(f"{kind.__name__} takes no base_url: leave it out for {spec.model!r}")
        arguments["base_url"] = spec.base_url
    return {name: value for name, value in arguments.items() if name in accepted}


@cache
def served_model(spec: ModelSpec) -> ServedModel:
    """Describe a chat model by its class and its window; its verdicts are text.

    Raises:
        ConfigError, MissingExtraError: see `open_chat_model`.
    """
    model = open_chat_model(spec)
    window = spec.window or own_window(model, "window")
    return ServedModel({"class": type(model).__name__}, window, "text")

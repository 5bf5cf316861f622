"""LangChain's chat models: opening one by its name, its window, and its settings."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from langchain_core.language_models import BaseLanguageModel
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.prompt_values import StringPromptValue

from graph.models.engines import MAX_RETRIES, WINDOW, ServedModel
from graph.models.engines.request_failures import PLAIN_QUESTION
from graph.schema import ModelSpec
from graph.support.environment import is_of_question
from graph.support.errors import ConfigError, EnvironmentFailure, MissingExtraError
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
_TEMPERATURE = frozenset({"temperature"})
_PLAIN_TOKENS = 256
"""Tokens of the reply to a plain question: some models think before they answer."""


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
    update = {}
    for setting, value in settings.items():
        name = field_of(type(model), setting)
        if name is not None and name not in fixed:
            update[name] = value
    return model.model_copy(update=update) if update else model


def field_of(kind: type[BaseLanguageModel[Any]], setting: str) -> str | None:
    """Return the field in which a class keeps a setting of `_FIELDS`; None if it has none."""
    return next((name for name in _FIELDS[setting] if name in kind.model_fields), None)


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
        arguments = _arguments(kind, spec)
        model: BaseChatModel = init_chat_model(spec.model, **arguments)
    except ConfigError:
        raise
    except ImportError as error:
        raise MissingExtraError(f"{spec.model}: {one_line(str(error))}") from None
    except Exception as error:
        message = one_line(without_secrets(str(error)))
        raise ConfigError(f"the model {spec.model!r} cannot be opened: {message}") from None
    _warn_of_timeout(spec, arguments)
    return model


def _arguments(kind: type[BaseChatModel], spec: ModelSpec) -> dict[str, Any]:
    accepted = {*kind.model_fields, *(field.alias for field in kind.model_fields.values())}
    arguments: dict[str, Any] = {"timeout": spec.timeout, "max_retries": MAX_RETRIES}
    if spec.base_url is not None:
        if "base_url" not in accepted:
            raise ConfigError(f"{kind.__name__} takes no base_url: leave it out for {spec.model!r}")
        arguments["base_url"] = spec.base_url
    if spec.window is not None:
        # Ollama cuts what is longer, and its own default is short.
        arguments["num_ctx"] = spec.window
    if "timeout" not in accepted:
        arguments["client_kwargs"] = {"timeout": spec.timeout}
    return {name: value for name, value in arguments.items() if name in accepted}


def _warn_of_timeout(spec: ModelSpec, arguments: Mapping[str, Any]) -> None:
    """Warn if a timeout was set that the class of the model has no field for."""
    is_set = spec.timeout != ModelSpec.model_fields["timeout"].default
    if is_set and not {"timeout", "client_kwargs"} & arguments.keys():
        log.warning("%s takes no timeout: %g seconds have no effect", spec.model, spec.timeout)


@cache
def served_model(spec: ModelSpec) -> ServedModel:
    """Describe a chat model by its class and its window; its verdicts are text.

    Raises:
        ConfigError, MissingExtraError: see `open_chat_model` and `fixed_fields`.
    """
    model = open_chat_model(spec)
    window = spec.window or own_window(model, "window")
    identity: dict[str, object] = {"class": type(model).__name__}
    if fixed_fields(spec):
        identity["temperature"] = "its own"
    return ServedModel(identity, window, "text")


@cache
def fixed_fields(spec: ModelSpec) -> frozenset[str]:
    """Ask a chat model a short question, and return the fields that keep the value of its class.

    Such a field is the temperature of a model that takes none: its class sets or drops it, or its
    provider refuses it.

    Raises:
        ConfigError: The model does not answer: the key, the model or a setting is wrong.
    """
    fixed = frozenset[str]() if _keeps_temperature(spec) else _TEMPERATURE
    try:
        try:
            ask_plainly(spec, fixed)
        except Exception as error:
            if fixed or not (is_of_question(error) and "temperature" in str(error).lower()):
                raise
            log.warning("%s takes no temperature: it keeps its own", spec.model)
            fixed = _TEMPERATURE
            ask_plainly(spec, fixed)
    except Exception as error:
        message = one_line(without_secrets(f"{type(error).__name__}: {error}"), 300)
        raise ConfigError(f"the model {spec.model!r} refuses a first request: {message}") from None
    return fixed


def _keeps_temperature(spec: ModelSpec) -> bool:
    """Tell whether the class of a model neither sets its temperature itself nor drops another one."""
    from langchain.chat_models import init_chat_model

    model = open_chat_model(spec)
    if "temperature" in model.model_fields_set or not field_of(type(model), "temperature"):
        return False
    try:
        arguments = _arguments(type(model), spec)
        asked = init_chat_model(spec.model, **arguments, temperature=0.0)
    except Exception:
        return False
    return getattr(asked, "temperature", None) == 0.0


def ask_plainly(spec: ModelSpec, fixed: frozenset[str]) -> None:
    """Ask a chat model a short question with the settings of a run.

    Raises:
        Exception: It does not answer.
    """
    settings = {"temperature": 0.0, "max_new_tokens": _PLAIN_TOKENS, "seed": 0}
    model = uncached(with_settings(open_chat_model(spec), settings, fixed))
    model, stop = with_stop(model, spec.stop)
    result = model.generate_prompt([StringPromptValue(text=PLAIN_QUESTION)], stop=stop)
    if not result.generations[0]:
        raise EnvironmentFailure("the reply holds no choice")


def with_stop(
    model: BaseLanguageModel[Any], stop: Sequence[str]
) -> tuple[BaseLanguageModel[Any], list[str] | None]:
    """Return a model with stop strings, and those that its calls pass, since its class keeps none."""
    if not stop:
        return model, None
    if field_of(type(model), "stop"):
        return with_settings(model, {"stop": list(stop)}, frozenset()), None
    return model, list(stop)

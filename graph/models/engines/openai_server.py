"""A server with OpenAI's interface: its client, and what it says of its model before a run.

The server is asked once in a process: which models it has, how long its window is, which settings it
takes, and how it gives verdicts. Whatever is wrong with it is one line before the run.
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

from langchain_core.callbacks import Callbacks
from langchain_core.outputs import Generation
from langchain_core.prompt_values import StringPromptValue

from graph.models.engines import MAX_RETRIES, WINDOW, ServedModel
from graph.models.engines.request_engine import only_generation
from graph.models.engines.server_probe import PROBE, Abilities, probe
from graph.schema import ModelSpec
from graph.support.environment import status_code
from graph.support.errors import ConfigError, MissingExtraError
from graph.support.fault_log import without_secrets
from graph.support.logger import log
from graph.support.server_address import check_address
from graph.support.text import one_line

if TYPE_CHECKING:
    from langchain_openai import ChatOpenAI
    from openai import OpenAI

AUTO = "auto"
"""The model of a server that has only one."""
KEY_VARIABLE = "OPENAI_API_KEY"
_NO_KEY = "none"
"""A server on the own machine needs no key, but the client sends one always."""
_ADDRESS_VARIABLES = ("OPENAI_BASE_URL", "OPENAI_API_BASE")
_LIST_SECONDS = 10.0
"""The longest wait for the list of models."""
_NAMES = 10
"""Models of a server that a message names."""
_STABLE_FIELDS = ("id", "owned_by", "root")
"""Fields of a model in the list that do not change from start to start of a server."""
_STABLE_META = ("vocab_type", "n_vocab", "n_ctx_train", "n_embd", "n_params", "size", "ftype")
"""Those of `meta`, of llama.cpp's server."""
_WINDOW_FIELDS = ("max_model_len", "context_window", "context_length", "max_context_length")
"""Fields in which servers state the window: vLLM, and some APIs."""
_NO_LIST = {404, 405, 501}
"""HTTP: a server without a list of models answers one of these."""
_BUSY = {429, 500, 502, 503, 504}
"""HTTP: a server that may answer later, such as one that loads its model, answers one of these."""
_NO_MODEL = {400, 404, 422}
"""HTTP: a server that does not have the model of a request answers one of these."""


class Completion(NamedTuple):
    """The reply to one request."""

    generation: Generation
    of_call: Mapping[str, Any] | None
    """The report of the server on the call."""
    seconds: float


def complete(
    chat: "ChatOpenAI", text: str, settings: Mapping[str, Any], callbacks: Callbacks = None
) -> Completion:
    """Send one request.

    Args:
        chat: The client, which makes an LLM run of the request.
        text: The prompt.
        settings: The settings of the request.
        callbacks: The callbacks of the node that asks.

    Raises:
        EnvironmentFailure: The reply holds no choice, so that it is no answer.
    """
    start = perf_counter()
    result = chat.generate_prompt(
        [StringPromptValue(text=text)],
        callbacks=callbacks,
        **settings,
    )
    generation = only_generation(result.generations[0])
    return Completion(generation, result.llm_output, perf_counter() - start)


def length(spec: ModelSpec, new_tokens: int) -> dict[str, Any]:
    """Return the setting of the largest number of new tokens.

    OpenAI has renamed it. Some other servers do not know the new name, and would write on without a
    limit.
    """
    if address_of(spec).startswith("https://api.openai.com/"):
        return {"max_tokens": new_tokens}  # the client sends it as max_completion_tokens
    return {"extra_body": {"max_tokens": new_tokens}}


def address_of(spec: ModelSpec) -> str:
    """Return the address of a spec's server.

    Raises:
        ConfigError: A variable of the environment holds none, or one with a password.
    """
    if spec.base_url:
        return spec.base_url
    for variable in _ADDRESS_VARIABLES:
        if address := os.environ.get(variable):
            try:
                check_address(address)
            except ValueError as error:
                raise ConfigError(f"{variable}: {error}") from None
            return address
    return "https://api.openai.com/v1"


@cache
def open_chat(spec: ModelSpec, model: str) -> "ChatOpenAI":
    """Open the client for a model of a spec's server; it sends nothing yet.

    Raises:
        ConfigError: The server needs a key.
        MissingExtraError: langchain-openai is not installed.
    """
    key = _key(spec)
    try:
        from langchain_openai import ChatOpenAI
    except ImportError:
        raise _missing_package() from None
    return ChatOpenAI(
        model=model,
        base_url=address_of(spec),
        api_key=key,  # type: ignore[arg-type]  # the client makes a secret of it
        timeout=spec.timeout,
        max_retries=MAX_RETRIES,
        cache=False,
        # Its other interface has neither log-probabilities nor stop strings.
        use_responses_api=False,
        stream_usage=True,
    )


def _key(spec: ModelSpec) -> str:
    key = os.environ.get(KEY_VARIABLE)
    if not key and address_of(spec).startswith("https://api.openai.com/"):
        raise ConfigError(
            f"engine openai without base_url asks OpenAI: set {KEY_VARIABLE}, or give the address of "
            "a server, as generator.base_url=http://127.0.0.1:8000/v1"
        )
    return key or _NO_KEY


def _missing_package() -> MissingExtraError:
    return MissingExtraError(
        "engine openai needs langchain-openai: pip install 'opencoder[openai]'"
    )


@cache
def served_model(spec: ModelSpec) -> ServedModel:
    """Ask a server for its model: identity, window, the settings it takes, and how it gives verdicts.

    A model that is named need not be listed: the first request shows whether the server has it.

    Raises:
        ConfigError: There is no such server or model, or it refuses requests.
        MissingExtraError: langchain-openai is not installed.
    """
    key = _key(spec)
    try:
        from openai import OpenAI
    except ImportError:
        raise _missing_package() from None
    address = address_of(spec)
    seconds = min(_LIST_SECONDS, spec.timeout)
    unlisted: ConfigError | None = None
    with OpenAI(base_url=address, api_key=key, timeout=seconds, max_retries=0) as client:
        models = _listed_models(spec, client, address)
        try:
            entry = _entry(spec, models, address)
        except ConfigError as error:
            if spec.model == AUTO:
                raise
            entry, unlisted = {"id": spec.model}, error
        window = _window(spec, entry, client)
        identity = _identity(entry, _digest(entry, client))
    return ServedModel(identity, window, *_abilities(spec, str(entry["id"]), unlisted))


def _listed_models(spec: ModelSpec, client: "OpenAI", address: str) -> list[dict[str, Any]]:
    """Return the entries of a server's list of models; without a list, the name of the spec alone.

    Raises:
        ConfigError: The list cannot be read, or there is none and the spec names no model.
    """
    try:
        text = _list_text(client)
    except Exception as error:
        if spec.model != AUTO and status_code(error) in _NO_LIST:
            log.warning(
                "the server at %s has no list of models: a first request shows if it has %s",
                *(address, spec.model),
            )
            return [{"id": spec.model}]
        raise _refusal(error, address, min(_LIST_SECONDS, spec.timeout)) from None
    try:
        entries = json.loads(text)["data"]
        models = [entry for entry in entries if isinstance(entry["id"], str)]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise ConfigError(
            f"{address} is no server with OpenAI's interface: its list of models is not JSON as "
            "expected; correct base_url, which ends in /v1 for most servers"
        ) from None
    return models


def _list_text(client: "OpenAI") -> str:
    try:
        return client.models.with_raw_response.list().text
    except Exception as error:
        # A server that is not there at all is not waited for.
        if status_code(error) not in _BUSY:
            raise
    return client.with_options(max_retries=MAX_RETRIES).models.with_raw_response.list().text


def _entry(spec: ModelSpec, models: Sequence[dict[str, Any]], address: str) -> dict[str, Any]:
    """Return the entry of a spec's model.

    Raises:
        ConfigError: The list does not hold it, or `auto` has the choice.
    """
    if not models:
        raise ConfigError(f"the server at {address} has no model: load one there")
    by_name = {entry["id"]: entry for entry in models}
    if spec.model in by_name:
        return by_name[spec.model]
    if spec.model == AUTO and len(by_name) == 1:
        return models[0]
    names = ", ".join(one_line(name, 100) for name in list(by_name)[:_NAMES])
    more = f" and {len(by_name) - _NAMES} more" if len(by_name) > _NAMES else ""
    problem = "several models" if spec.model == AUTO else f"no model {spec.model!r}"
    raise ConfigError(
        f"the server at {address} has {problem}: name one of its models: {names}{more}"
    )


def _identity(entry: Mapping[str, Any], digest: str | None) -> dict[str, object]:
    meta = entry.get("meta")
    fields: dict[str, object] = {
        name: entry[name] for name in _STABLE_FIELDS if isinstance(entry.get(name), str)
    }
    if isinstance(meta, Mapping):
        fields["meta"] = {
            name: meta[name] for name in _STABLE_META if isinstance(meta.get(name), int | str)
        }
    if digest:
        fields["digest"] = digest
    return fields


def _digest(entry: Mapping[str, Any], client: "OpenAI") -> str | None:
    """Return the digest of a model that Ollama states at its root; None for other servers."""
    names = (entry["id"], f"{entry['id']}:latest")
    try:
        document: Any = client.get(str(client.base_url.join("/api/tags")), cast_to=object)
        digests = [model["digest"] for model in document["models"] if model["name"] in names]
        return next((digest for digest in digests if digest and isinstance(digest, str)), None)
    # Other servers answer anything: a page, an error, nothing.
    except Exception:
        return None


def _window(spec: ModelSpec, entry: Mapping[str, Any], client: "OpenAI") -> int:
    """Return the smaller of the window that the spec sets and the one that the server states."""
    stated = _stated_window(entry, client)
    if spec.window and stated:
        return min(spec.window, stated)
    if not spec.window and not stated:
        log.warning(
            "the server does not state the window of %s: %d tokens are assumed (window sets it)",
            *(entry["id"], WINDOW),
        )
    return spec.window or stated or WINDOW


def _stated_window(entry: Mapping[str, Any], client: "OpenAI") -> int | None:
    meta = entry.get("meta")
    meta = meta if isinstance(meta, Mapping) else {}
    # Not `n_ctx_train`: llama.cpp serves fewer, and /props says how many in one slot.
    sources: list[Callable[[], object]] = [
        *(lambda name=name: entry.get(name) for name in _WINDOW_FIELDS),
        lambda: _slot_window(client),
        lambda: meta.get("n_ctx"),
    ]
    for source in sources:
        tokens = source()
        if isinstance(tokens, int) and not isinstance(tokens, bool) and tokens > 0:
            return tokens
    return None


def _slot_window(client: "OpenAI") -> object:
    """Return the window that llama.cpp's server states at its root; None for other servers."""
    try:
        properties: Any = client.get(str(client.base_url.join("/props")), cast_to=object)
        return properties["default_generation_settings"]["n_ctx"]
    # Other servers answer anything: a page, an error, nothing.
    except Exception:
        return None


def _abilities(spec: ModelSpec, model: str, unlisted: ConfigError | None) -> Abilities:
    """Probe a server for a model.

    Args:
        spec: The model and its server.
        model: The server's name of the model.
        unlisted: The error of a list of models that does not hold it.

    Raises:
        ConfigError: The server refuses a plain request.
    """
    chat = open_chat(spec, model)
    plain = {"stop": list(spec.stop) or None, "run_name": "probe"}

    def send(new_tokens: int, settings: Mapping[str, Any]) -> Generation:
        request = {**plain, **length(spec, new_tokens), **settings}
        return complete(chat, PROBE, request).generation

    try:
        abilities = probe(send)
    except Exception as error:
        if unlisted and status_code(error) in _NO_MODEL:
            raise unlisted from None
        raise _refusal(error, address_of(spec), spec.timeout) from None
    if unlisted:
        log.warning("%s (it answers requests for this name, so that the run starts)", unlisted)
    return abilities


def _refusal(error: Exception, address: str, seconds: float) -> ConfigError:
    """Return the error of a first request as one line that says what to do."""
    code, kind = status_code(error), type(error).__name__
    message = one_line(without_secrets(str(error)), 300)
    if code in (401, 403):
        return ConfigError(
            f"the server at {address} refuses the key: set {KEY_VARIABLE} ({message})"
        )
    if code == 404:
        return ConfigError(
            f"{address} has no such page (404): correct base_url, which ends in /v1 for most servers"
        )
    if code is not None:
        return ConfigError(f"the server at {address} refuses a first request: {message}")
    if "Timeout" in kind:
        return ConfigError(
            f"the server at {address} gave no reply in {seconds:g} seconds: is it still loading?"
        )
    if "Connection" in kind:
        reason = one_line(without_secrets(str(error.__cause__ or error)), 200)
        return ConfigError(
            f"no server answers at {address} ({reason}): start it, or correct base_url"
        )
    return ConfigError(f"the server at {address} gave no usable reply: {message}")

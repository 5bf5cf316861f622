"""The readers of configs and profiles: by name, from a file, with overrides.

Both are YAML files in this package; `schema.py` defines their fields. A config file states only what
differs from the defaults, a packaged profile every field that its engine reads.
"""

import re
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from graph.schema import IN_PROCESS, Config, ModelSpec, Profile, Settings
from graph.support.errors import ConfigError
from graph.support.old_specs import upgrade_spec
from graph.support.storage import read_small_file, with_home
from graph.support.text import suggestion
from graph.support.yaml_values import parse_yaml

_MAX_BYTES = 100_000
"""Largest file of a config or a profile."""
_OLD_KEY = "embedder.engine"
"""The name of `embedder.weights` in older commands."""
NAME = re.compile(r"[a-z0-9_]{1,64}")
_ENGINE_KEYS = ("generator.engine", "judge.engine")
_Model = TypeVar("_Model", bound=BaseModel)


def config_names() -> list[str]:
    """Return the names of the packaged configs, `baseline` first."""
    return sorted(_names("configs"), key=lambda name: (name != "baseline", name))


def profile_names() -> list[str]:
    """Return the names of the profiles, `auto` first."""
    return ["auto", *sorted(_names("profiles"))]


def load_config(name: str | Config | Path = "semantic_cot") -> Config:
    """Return the config of a name or of a YAML file.

    Raises:
        ConfigError: The name or a key is unknown, the file is unreadable, or a value is bad. A
            message about a name or a key suggests the nearest valid one.
    """
    return name if isinstance(name, Config) else parse_model(Config, *_read("configs", name))


def load_profile(name: str | Profile | Path = "auto") -> Profile:
    """Return the profile of a name or of a YAML file.

    Raises:
        ConfigError: As `load_config`.
    """
    if isinstance(name, Profile):
        return name
    if isinstance(name, str):
        name = resolve_profile_name(name)
    return parse_model(Profile, *_read("profiles", name))


def resolve_profile_name(name: str) -> str:
    """Return `gpu` for `auto` if CUDA is available, else `embedded`; return other names unchanged."""
    if name != "auto":
        return name
    import torch

    return "gpu" if torch.cuda.is_available() else "embedded"


def load_settings(config: str | Path, profile: str, overrides: list[str]) -> Settings:
    """Read a config and a profile and apply `KEY=VALUE` overrides to them, in order.

    An engine is applied before the others: another engine runs another model, so that it resets
    the other fields of the profile's model.

    Args:
        config: A name or a file.
        profile: A name, or the path of a YAML file.
        overrides: Fields and their values, as `retrieval.top_k=8`.

    Raises:
        ConfigError: As `load_config`; an override names no field, or its value is bad.
    """
    # The config first: an error in it is reported before profile `auto` imports torch, which is slow.
    stages = load_config(config)
    path = Path(profile) if profile.endswith((".yaml", ".yml")) else None
    profile_name = path.stem if path else resolve_profile_name(profile)
    parts = {
        "config": stages.model_dump(),
        "profile": load_profile(path or profile_name).model_dump(),
    }
    for override in sorted(overrides, key=lambda text: text.split("=")[0] not in _ENGINE_KEYS):
        _apply(parts, override)
    # Validated after all overrides: two of them may be valid only together.
    return Settings(
        config_name=config.stem if isinstance(config, Path) else config,
        profile_name=profile_name,
        config=parse_model(Config, parts["config"], "--set"),
        profile=parse_model(Profile, parts["profile"], "--set"),
    )


def _apply(parts: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals:
        raise ConfigError(f"--set {_quoted(override)}: write KEY=VALUE, as in retrieval.top_k=8")
    sections = {
        f"{section}.{field}": values
        for part in parts.values()
        for section, values in part.items()
        for field in values
    }
    if key not in sections and key != _OLD_KEY:
        hint = suggestion(key, list(sections))
        raise ConfigError(f"--set: there is no field {_quoted(key)}; {hint}")
    try:
        value = parse_yaml(text)
    except ValueError as error:
        raise ConfigError(f"--set {key}: {_quoted(text)} is not a YAML value: {error}") from None
    if key == _OLD_KEY:
        parts["profile"]["embedder"].update(upgrade_spec({"engine": value}, embedder=True))
    elif key in _ENGINE_KEYS:
        _change_engine(sections[key], value)
    else:
        sections[key][key.split(".")[1]] = value


def _change_engine(spec: dict[str, Any], engine: object) -> None:
    """Set the engine of a model; one that takes other fields resets all except the model's name."""
    new = upgrade_spec({"engine": engine})["engine"]
    stays_in_process = new in IN_PROCESS and spec["engine"] in IN_PROCESS
    if new != spec["engine"] and not stays_in_process:
        fields = ModelSpec.model_fields
        spec.update({name: fields[name].default for name in fields if name != "model"})
    spec["engine"] = engine


def _names(folder: str) -> list[str]:
    entries = files("graph").joinpath(folder).iterdir()
    return [entry.name.removesuffix(".yaml") for entry in entries if entry.name.endswith(".yaml")]


def _read(folder: str, name: str | Path) -> tuple[object, str]:
    names = _names(folder)
    if isinstance(name, Path):
        text, source = _read_file(name), repr(str(name))
    elif not NAME.fullmatch(name) or name not in names:
        kind = folder.removesuffix("s")
        raise ConfigError(
            f"unknown {kind} {_quoted(name)}; {suggestion(name, names)}; known: "
            + ", ".join(config_names() if folder == "configs" else profile_names())
        )
    else:
        text = files("graph").joinpath(folder).joinpath(f"{name}.yaml").read_text(encoding="utf-8")
        source = f"{folder}/{name}.yaml"
    try:
        value = parse_yaml(text)
    except ValueError as error:
        raise ConfigError(f"{source} is not YAML: {error}") from None
    return {} if value is None else value, source


def _read_file(path: Path) -> str:
    try:
        return read_small_file(with_home(path), _MAX_BYTES).decode("utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read {str(path)!r}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"cannot read {str(path)!r}: this is not UTF-8 text") from None


def parse_model(model: type[_Model], data: object, source: str) -> _Model:
    """Read the fields of a model.

    Args:
        model: The class of the model.
        data: The fields with their values.
        source: Where they are from, for the message of an error.

    Raises:
        ConfigError: A field is unknown, missing or wrong; one line names it.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        path = [str(part) for part in first["loc"]]
        if first["type"] == "extra_forbidden":
            hint = suggestion(path[-1], _fields(model, path[:-1]))
            raise ConfigError(f"{source}: there is no field {'.'.join(path)}; {hint}") from None
        field = f" {'.'.join(path)}" if path else ""
        message = first["msg"].removeprefix("Value error, ")
        # An address can hold a password.
        is_quotable = path and path[-1] != "base_url" and not isinstance(first["input"], dict)
        value = f" (got {_quoted(first['input'])})" if is_quotable else ""
        raise ConfigError(f"{source}{field}: {message}{value}") from None


def _fields(model: type[BaseModel], path: list[str]) -> list[str]:
    for part in path:
        annotation = model.model_fields[part].annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            model = annotation
    return list(model.model_fields)


def _quoted(value: object) -> str:
    """Quote a value from outside for a message: printable, on one line, at most 80 characters."""
    try:
        text = repr(value)
    except ValueError:  # an int of thousands of digits
        text = "a number of thousands of digits"
    return text if len(text) <= 80 else text[:77] + "..."

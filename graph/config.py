"""Reading configs and profiles: by name, from a file, with overrides.

Both are YAML files in this package, complete and small enough to diff (their fields: `schema.py`).
Unknown keys are errors that name the nearest right one.
"""

import re
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from graph.schema import Config, Profile, Settings
from graph.support.errors import ConfigError

# Some malformed scalars come out of the parser as plain ValueErrors.
_NOT_YAML = (yaml.YAMLError, ValueError, RecursionError)
NAME = re.compile(r"[a-z0-9_]{1,64}")
_Model = TypeVar("_Model", bound=BaseModel)


def config_names() -> list[str]:
    """Return the names of the configs that ship, `baseline` first."""
    return sorted(_names("configs"), key=lambda name: (name != "baseline", name))


def profile_names() -> list[str]:
    """Return the names of the profiles, `auto` first."""
    return ["auto", *sorted(_names("profiles"))]


def load_config(name: str | Config | Path = "semantic_cot") -> Config:
    """Return a config by its name or from a YAML file.

    Raises:
        ConfigError: unknown name, unreadable file, unknown key or bad value.
    """
    return name if isinstance(name, Config) else _parse(Config, *_read("configs", name))


def load_profile(name: str | Profile | Path = "auto") -> Profile:
    """Return a profile by its name; `auto` is `gpu` where CUDA is there, else `embedded`."""
    if isinstance(name, Profile):
        return name
    if isinstance(name, str):
        name = resolve_profile_name(name)
    return _parse(Profile, *_read("profiles", name))


def resolve_profile_name(name: str) -> str:
    """Return `gpu` or `embedded` for `auto`, any other name as it is."""
    if name != "auto":
        return name
    import torch

    return "gpu" if torch.cuda.is_available() else "embedded"


def load_settings(config: str | Path, profile: str, overrides: list[str]) -> Settings:
    """Resolve a config, a profile and `KEY=VALUE` overrides of either.

    Raises:
        ConfigError: as `load_config`; a key that no field has; a value of the wrong type.
    """
    stages = load_config(config)
    profile_name = resolve_profile_name(profile)
    parts = {
        "config": stages.model_dump(),
        "profile": load_profile(profile_name).model_dump(),
    }
    for override in overrides:
        _apply(parts, override)
    return Settings(
        config_name=config.stem if isinstance(config, Path) else config,
        profile_name=profile_name,
        config=_parse(Config, parts["config"], "--set"),
        profile=_parse(Profile, parts["profile"], "--set"),
    )


def _apply(parts: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals:
        raise ConfigError(f"--set {_shown(override)}: write KEY=VALUE, as in retrieval.top_k=8")
    fields = {
        f"{section}.{field}": values
        for part in parts.values()
        for section, values in part.items()
        for field in values
    }
    if key not in fields:
        raise ConfigError(f"--set: there is no field {_shown(key)}; {_nearest(key, list(fields))}")
    try:
        fields[key][key.split(".")[1]] = yaml.safe_load(text)
    except _NOT_YAML:
        raise ConfigError(f"--set {key}: {_shown(text)} is not a YAML value") from None


def _names(folder: str) -> list[str]:
    entries = files("graph").joinpath(folder).iterdir()
    return [entry.name.removesuffix(".yaml") for entry in entries if entry.name.endswith(".yaml")]


def _read(folder: str, name: str | Path) -> tuple[object, str]:
    known = _names(folder)
    if isinstance(name, Path):
        try:
            text, where = name.read_text(encoding="utf-8"), repr(str(name))
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"cannot read {str(name)!r}: {error}") from None
    elif not NAME.fullmatch(name) or name not in known:
        kind = folder.removesuffix("s")
        raise ConfigError(
            f"unknown {kind} {_shown(name)}; {_nearest(name, known)}; known: "
            + ", ".join(config_names() if folder == "configs" else profile_names())
        )
    else:
        text = files("graph").joinpath(folder).joinpath(f"{name}.yaml").read_text(encoding="utf-8")
        where = f"{folder}/{name}.yaml"
    try:
        return yaml.safe_load(text) or {}, where
    except _NOT_YAML as error:
        raise ConfigError(f"{where} is not YAML: {' '.join(str(error).split())}") from None


def _parse(model: type[_Model], data: object, where: str) -> _Model:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        path = [str(part) for part in first["loc"]]
        if first["type"] == "extra_forbidden":
            owner = _fields(model, path[:-1])
            hint = _nearest(path[-1], owner)
            raise ConfigError(f"{where}: there is no field {'.'.join(path)}; {hint}") from None
        at = f" {'.'.join(path)}" if path else ""
        message = first["msg"].removeprefix("Value error, ")
        got = "" if not path else f" (got {_shown(first['input'])})"
        raise ConfigError(f"{where}{at}: {message}{got}") from None


def _fields(model: type[BaseModel], path: list[str]) -> list[str]:
    for part in path:
        annotation = model.model_fields[part].annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            model = annotation
    return list(model.model_fields)


def _nearest(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, n=1, cutoff=0.4)
    return f"did you mean {close[0]}?" if close else "see --help"


def _shown(value: object) -> str:
    """Show a value from outside in a message: printable, on one line, not endless."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."

"""What can be set: a config says which stages run, a profile says which models run them.

Both are YAML files in this package, complete and small enough to diff. Unknown keys are errors
that name the nearest right one.
"""

import re
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from graph.errors import ConfigError

NAME = re.compile(r"[a-z0-9_]{1,64}")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Retrieval(_Strict):
    """How passages are found."""

    kind: Literal["none", "semantic", "keyword"] = "none"
    top_k: int = Field(default=5, ge=1, le=100)
    """Passages given to the model."""
    tag_bonus: float = Field(default=0.0, ge=0.0, le=1.0, allow_inf_nan=False)
    """Added to a score of at most 1, times the share of the post's tags that the question names."""


class Generation(_Strict):
    """How drafts are written."""

    cot: bool = False
    max_new_tokens: int = Field(default=256, ge=1, le=8192)
    temperature: float = Field(default=0.0, ge=0.0, le=5.0, allow_inf_nan=False)
    """0 is greedy decoding; used where a single draft is written."""


class Rerank(_Strict):
    """Where several drafts are written and the best is chosen."""

    initial: bool = False
    refined: bool = False
    drafts: int = Field(default=2, ge=2, le=16)
    temperature: float = Field(default=0.7, gt=0.0, le=5.0, allow_inf_nan=False)
    method: Literal["pairwise"] = "pairwise"


class Critique(_Strict):
    """How the answer is reviewed."""

    max_points: int = Field(default=5, ge=1, le=20)


class Refine(_Strict):
    """How often the answer is rewritten."""

    max_rounds: int = Field(default=1, ge=1, le=10)
    accept: Literal["always"] = "always"


class Config(_Strict):
    """Which stages run. With retrieval kind "none" the graph is generate alone."""

    retrieval: Retrieval = Retrieval()
    generation: Generation = Generation()
    rerank: Rerank = Rerank()
    critique: Critique = Critique()
    refine: Refine = Refine()

    @model_validator(mode="after")
    def _stages_need_retrieval(self) -> "Config":
        rerank = self.rerank.initial or self.rerank.refined
        if self.retrieval.kind == "none" and (self.generation.cot or rerank):
            raise ValueError("chain of thought and reranking need retrieval.kind semantic|keyword")
        return self


class ModelSpec(_Strict):
    """One causal language model."""

    model: str
    """A Hugging Face repository, a local folder, or the name of an embedded model."""
    revision: str | None = None
    """A commit of the repository; None takes the newest and records which it was."""
    engine: Literal["huggingface", "embedded"] = "huggingface"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    chat_format: Literal["template", "phi", "plain"] = "template"
    """The tokenizer's own template, phi-2's Instruct/Output, or the text as it is."""
    stop: tuple[str, ...] = ()
    """Generation ends at the first of these strings, which is cut off."""
    repetition_penalty: float = Field(default=1.0, ge=1.0, le=2.0, allow_inf_nan=False)
    """Divides the logits of tokens that were there already (Keskar et al. 2019); 1 is none."""
    window: int | None = Field(default=None, ge=128)
    """Tokens of prompt and reply together; None takes the model's own window."""

    @model_validator(mode="before")
    @classmethod
    def _lists_are_tuples(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("stop"), list):
            return {**value, "stop": tuple(value["stop"])}
        return value


class EmbedderSpec(_Strict):
    """The sentence encoder of semantic retrieval and of the semantic similarity metric."""

    model: str
    revision: str | None = None
    engine: Literal["huggingface", "embedded"] = "huggingface"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "float32"


class Profile(_Strict):
    """Which models run."""

    generator: ModelSpec
    judge: ModelSpec
    embedder: EmbedderSpec


class Settings(_Strict):
    """A named config and a named profile, resolved."""

    config_name: str
    profile_name: str
    config: Config
    profile: Profile


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
    profile_name = resolve_profile_name(profile)
    parts = {
        "config": load_config(config).model_dump(),
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
    except yaml.YAMLError:
        raise ConfigError(f"--set {key}: {_shown(text)} is not a YAML value") from None


def _names(folder: str) -> list[str]:
    entries = files("graph").joinpath(folder).iterdir()
    return [entry.name.removesuffix(".yaml") for entry in entries if entry.name.endswith(".yaml")]


def _read(folder: str, name: str | Path) -> tuple[object, str]:
    known = _names(folder)
    if isinstance(name, Path):
        try:
            text, where = name.read_text(encoding="utf-8"), _shown(name)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"cannot read {_shown(name)}: {error}") from None
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
    except yaml.YAMLError as error:
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
    text = repr(value if not isinstance(value, Path) else str(value))
    return text if len(text) <= 80 else text[:77] + "..."

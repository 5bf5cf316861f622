"""What the configuration of a sentence encoder says of its vectors: prompts, pooling, normalisation."""

import json
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from graph.models.quiet_loading import quiet_loading
from graph.support.logger import log

_PROMPTS_FILE = "config_sentence_transformers.json"
_MODULES_FILE = "modules.json"
_TRANSFORMER_FILE = "sentence_bert_config.json"
_DOCUMENT_NAMES = ("document", "passage", "corpus")


class EncoderPrompts(NamedTuple):
    """The text before each document and before each query; "" for none."""

    document: str
    query: str


@cache
def read_prompts(source: str, revision: str | None) -> EncoderPrompts:
    """Return the prompts of an encoder's configuration; no weights are loaded.

    As in `encode_document` and `encode_query` of sentence-transformers, the prompt of a document is
    `document`, else `passage`, else `corpus`. `default_prompt_name` is not used: it does not say what
    kind of text it is for.

    Args:
        source: A folder or a repository.
        revision: The commit of a repository.

    Raises:
        ConfigError: the configuration cannot be read.
    """
    with quiet_loading(f"the prompts of the encoder {source!r}"):
        config = _read_json(source, revision, _PROMPTS_FILE, {})
        if not isinstance(config, dict) or not isinstance(config.get("prompts", {}), dict):
            raise ValueError(f"{_PROMPTS_FILE} holds no table of prompts")
    prompts: dict[str, object] = config.get("prompts", {})
    document = next(filter(None, map(prompts.get, _DOCUMENT_NAMES)), "")
    return EncoderPrompts(document=str(document), query=str(prompts.get("query") or ""))


@cache
def read_modules(source: str, revision: str | None) -> list[dict[str, object]]:
    """Return the modules of an encoder, in order, with their settings; no weights are loaded.

    They say how tokens become a vector: the longest text, the pooling, dense layers, normalisation.
    A transformer without modules of sentence-transformers has none: the library takes the mean.

    Args:
        source: A folder or a repository.
        revision: The commit of a repository.

    Raises:
        ConfigError: the configuration cannot be read.
    """
    with quiet_loading(f"the modules of the encoder {source!r}"):
        modules = _read_json(source, revision, _MODULES_FILE, [])
        if not isinstance(modules, list):
            raise ValueError(f"{_MODULES_FILE} holds no list of modules")
        return [_module(source, revision, module) for module in modules]


def weights_identity(source: str, revision: str | None) -> object:
    """Return the identity of the weights of an encoder; None if its commit cannot be known.

    It is the commit of a repository, also for a branch or no revision, and the names, sizes and times of
    the files in a folder.

    Raises:
        ConfigError: the repository or the folder cannot be read.
    """
    with quiet_loading(f"the weights of the encoder {source!r}"):
        folder = Path(source)
        if folder.is_dir():
            stats = {
                path.relative_to(folder).as_posix(): path.stat()
                for path in sorted(folder.rglob("*"))
                if path.is_file()
            }
            return [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats.items()]
        paths = (_find_file(source, revision, name) for name in (_MODULES_FILE, "config.json"))
        # The cache of the hub keeps a file in `snapshots/<commit>/`.
        return next((path.parent.name for path in paths if path), None)


def _module(source: str, revision: str | None, module: Any) -> dict[str, object]:
    if not isinstance(module, dict):
        raise ValueError(f"{_MODULES_FILE} holds a module that is no table")
    # Versions of the library name the same class by other paths.
    name = str(module.get("type", "")).rpartition(".")[2]
    path = str(module.get("path", ""))
    # The config.json beside a transformer is that of its weights.
    file = _TRANSFORMER_FILE if not path or name == "Transformer" else "config.json"
    settings = _read_json(source, revision, f"{path}/{file}" if path else file, {})
    if not isinstance(settings, dict):
        raise ValueError(f"{file} holds no table of settings")
    return {"type": name, **settings}


def _read_json(source: str, revision: str | None, name: str, default: Any) -> Any:
    """Return the content of a file of an encoder's configuration, or the default if it has none."""
    file = _find_file(source, revision, name)
    return json.loads(file.read_text(encoding="utf-8")) if file else default


def _find_file(source: str, revision: str | None, name: str) -> Path | None:
    """Return the path of a file of an encoder's configuration; None if there is no such file."""
    folder = Path(source)
    if folder.is_dir():
        return folder / name if (folder / name).is_file() else None
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        HFValidationError,
        LocalEntryNotFoundError,
    )

    try:
        return Path(hf_hub_download(source, name, revision=revision))
    except LocalEntryNotFoundError:
        # An encoder that is not there either is reported when it is loaded.
        if name == _PROMPTS_FILE:
            log.warning(
                "%s: %s cannot be read without a network: the encoder is used without prompts",
                *(source, name),
            )
        return None
    except (EntryNotFoundError, HFValidationError):
        return None

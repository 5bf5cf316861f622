"""The prompts of a sentence encoder: texts that its configuration puts before documents and queries."""

import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

from graph.models.quiet_loading import quiet_loading
from graph.support.logger import log

_FILE = "config_sentence_transformers.json"
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
        file = _configuration_file(source, revision)
        config = json.loads(file.read_text(encoding="utf-8")) if file else {}
        if not isinstance(config, dict) or not isinstance(config.get("prompts", {}), dict):
            raise ValueError(f"{_FILE} holds no table of prompts")
    prompts: dict[str, object] = config.get("prompts", {})
    document = next(filter(None, map(prompts.get, _DOCUMENT_NAMES)), "")
    return EncoderPrompts(document=str(document), query=str(prompts.get("query") or ""))


def _configuration_file(source: str, revision: str | None) -> Path | None:
    """Return the path of the encoder's configuration; None if it has none."""
    folder = Path(source)
    if folder.is_dir():
        return folder / _FILE if (folder / _FILE).is_file() else None
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        HFValidationError,
        LocalEntryNotFoundError,
    )

    try:
        return Path(hf_hub_download(source, _FILE, revision=revision))
    except LocalEntryNotFoundError:
        # An encoder that is not there either is reported when it is loaded.
        log.warning(
            "%s: %s cannot be read without a network: the encoder is used without prompts",
            source,
            _FILE,
        )
        return None
    except (EntryNotFoundError, HFValidationError):
        return None

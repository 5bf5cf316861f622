"""The prompts of a sentence encoder: texts that its configuration puts before documents and queries."""

import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

from graph.models import packaged
from graph.models.quiet_loading import quiet_loading
from graph.schema import EmbedderSpec

_FILE = "config_sentence_transformers.json"
_DOCUMENT_NAMES = ("document", "passage", "corpus")


class EncoderPrompts(NamedTuple):
    """The text before each document and before each query; "" for none."""

    document: str
    query: str


@cache
def encoder_prompts(spec: EmbedderSpec) -> EncoderPrompts:
    """Return the prompts of an encoder's configuration; no weights are loaded.

    As `encode_document` and `encode_query` of sentence-transformers, this does not use
    `default_prompt_name`, which does not say what kind of text it is for. Unlike these, it also reads
    the prompt of a document from `passage` or `corpus` where there is no `document`.

    Raises:
        ConfigError: the configuration cannot be read.
        MissingExtraError: the package with the encoder's weights is not installed.
    """
    with quiet_loading(f"the prompts of the encoder {spec.model!r}"):
        file = _configuration_file(spec)
        config = json.loads(file.read_text(encoding="utf-8")) if file else {}
        if not isinstance(config, dict) or not isinstance(config.get("prompts", {}), dict):
            raise ValueError(f"{_FILE} holds no table of prompts")
    prompts: dict[str, object] = config.get("prompts", {})
    document = next(filter(None, map(prompts.get, _DOCUMENT_NAMES)), "")
    return EncoderPrompts(document=str(document), query=str(prompts.get("query") or ""))


def _configuration_file(spec: EmbedderSpec) -> Path | None:
    """Return the path of the encoder's configuration; None if it has none."""
    folder = packaged.model_folder(spec.model) if spec.weights == "package" else Path(spec.model)
    if folder.is_dir():
        return folder / _FILE if (folder / _FILE).is_file() else None
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        HFValidationError,
        LocalEntryNotFoundError,
    )

    try:
        return Path(hf_hub_download(spec.model, _FILE, revision=spec.revision))
    except (EntryNotFoundError, HFValidationError, LocalEntryNotFoundError):
        # Without a network, an encoder that is not there either is reported when it is loaded.
        return None

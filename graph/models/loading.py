"""Every Hugging Face causal model, from a hub repository, a folder or a package: one path for all."""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graph.models import packaged as embedded
from graph.schema import ModelSpec
from graph.support.errors import ConfigError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from graph.models.pipeline import BatchedPipeline

_DEFAULT_WINDOW = 2048


@dataclass(frozen=True)
class LoadedModel:
    """A model in memory, with its way of writing prompts."""

    spec: ModelSpec
    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"
    pipeline: "BatchedPipeline"
    window: int
    """Tokens of prompt and reply together."""
    control_tokens: tuple[str, ...]

    def encode(self, text: str) -> list[int]:
        """Return the tokens that the model reads for a chat-formatted text."""
        special = adds_special(self.spec)
        return list(self.tokenizer.encode(text, add_special_tokens=special))

    def wrap(self, text: str) -> str:
        """Put a prompt into the model's chat format, open for its answer."""
        if self.spec.chat_format == "phi":
            return f"Instruct: {text}\nOutput:"
        if self.spec.chat_format == "plain":
            return text
        message = [{"role": "user", "content": text}]
        return str(
            self.tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True)
        )

    def protect(self, value: str) -> str:
        """Make a value from outside harmless: a control token in it becomes plain characters."""
        value = value.encode("utf-8", "replace").decode("utf-8")
        for token in self.control_tokens:
            value = value.replace(token, f"{token[:1]} {token[1:]}")
        return value

    def continued(self, text: str, option: str) -> str:
        """Return a prompt with an option as the model would write it."""
        return text + option if self.spec.chat_format == "template" else f"{text} {option}"


def adds_special(spec: ModelSpec) -> bool:
    """Whether the tokenizer adds its own BOS; a chat template has it already."""
    return spec.chat_format != "template"


def resolve_dtype(dtype: str) -> str:
    """Return the dtype that `auto` means on this machine.

    bfloat16 where the GPU or the CPU computes in it, else float16 on a GPU, float32 on a CPU.
    """
    if dtype != "auto":
        return dtype
    import torch

    if torch.cuda.is_available():
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
    try:
        native = bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    except (AttributeError, RuntimeError):
        native = False
    return "bfloat16" if native else "float32"


def load_model(spec: ModelSpec) -> LoadedModel:
    """Load weights and tokenizer: safetensors only, never code from a repository.

    Raises:
        ConfigError: there is no such model, or it has no safetensors or no chat template.
        MissingExtraError: an embedded model's package is not installed.
    """
    from graph.models.pipeline import BatchedPipeline

    model, tokenizer = _read(spec)
    model.eval()
    tokenizer.padding_side = "left"
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    if spec.chat_format == "template" and not tokenizer.chat_template:
        raise ConfigError(f"{spec.model!r} has no chat template: set its chat_format to plain")
    eos = _eos(model, tokenizer)
    return LoadedModel(
        spec,
        model,
        tokenizer,
        BatchedPipeline.of(model, tokenizer, eos, adds_special=adds_special(spec)),
        _window(spec, model),
        _control_tokens(tokenizer),
    )


def _read(spec: ModelSpec) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging as noise

    noise.set_verbosity_error()
    noise.disable_progress_bar()
    is_embedded = spec.engine == "embedded"
    source = str(embedded.model_folder(spec.model)) if is_embedded else spec.model
    pinned = None if is_embedded else spec.revision
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, revision=pinned)
        model = AutoModelForCausalLM.from_pretrained(
            source,
            revision=pinned,
            dtype=getattr(torch, resolve_dtype(spec.dtype)),
            device_map="auto" if torch.cuda.is_available() else None,
            use_safetensors=True,
        )
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ConfigError(f"cannot load the model {spec.model!r}: {reason}") from None
    return model, tokenizer


def _window(spec: ModelSpec, model: "PreTrainedModel") -> int:
    own = getattr(model.config, "max_position_embeddings", None) or _DEFAULT_WINDOW
    return min(spec.window or own, own)


def _eos(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> frozenset[int]:
    configured = model.generation_config.eos_token_id if model.generation_config else None
    ids = configured if isinstance(configured, list) else [configured]
    return frozenset(token for token in [*ids, tokenizer.eos_token_id] if token is not None)


def _control_tokens(tokenizer: "PreTrainedTokenizerBase") -> tuple[str, ...]:
    added = {str(t) for t in tokenizer.added_tokens_decoder.values() if t.special}
    named = set(tokenizer.all_special_tokens)
    return tuple(sorted(token for token in added | named if len(token) > 1))

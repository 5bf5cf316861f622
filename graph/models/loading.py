"""The loader of Hugging Face causal models: from a hub repository, a local folder or a package."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graph.models import packaged
from graph.models.dtypes import resolve_dtype
from graph.models.memory_fields import check_memory_fields, memory_arguments
from graph.models.quiet_loading import quiet_loading
from graph.schema import ModelSpec
from graph.support.errors import ConfigError
from graph.support.logger import log
from graph.support.text import without_surrogates

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from graph.models.pipeline import BatchedPipeline

_DEFAULT_WINDOW = 2048


@dataclass(frozen=True)
class LoadedModel:
    """A model in memory with its tokenizer and its chat format."""

    spec: ModelSpec
    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"
    pipeline: "BatchedPipeline"
    window: int
    """Tokens of prompt and reply together."""
    control_tokens: tuple[str, ...]

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a text in the model's chat format."""
        special = adds_special(self.spec)
        return list(self.tokenizer.encode(text, add_special_tokens=special))

    def pad(self, rows: Sequence[Sequence[int]]) -> "tuple[Tensor, Tensor]":
        """Return token ids and attention mask on the model's device, padded on the left.

        Both have the shape (rows, length of the longest row); the mask is 1 on tokens of a row.
        """
        import torch

        width, pad = max(len(row) for row in rows), self.tokenizer.pad_token_id
        ids = torch.tensor([[pad] * (width - len(row)) + list(row) for row in rows])
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
        return ids.to(self.model.device), mask.to(self.model.device)

    def wrap(self, text: str) -> str:
        """Put a prompt into the model's chat format, up to where its reply begins."""
        if self.spec.chat_format == "phi":
            return f"Instruct: {text}\nOutput:"
        if self.spec.chat_format == "plain":
            return text
        message = [{"role": "user", "content": text}]
        return str(
            self.tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True)
        )

    def protect(self, value: str) -> str:
        """Make a value from outside harmless: each control token in it becomes plain text."""
        value = without_surrogates(value)
        for token in self.control_tokens:
            value = value.replace(token, f"{token[:1]} {token[1:]}")
        return value

    def join(self, prompt: str, continuation: str) -> str:
        """Append a continuation to a wrapped prompt the way the model would write it."""
        between = "" if self.spec.chat_format == "template" else " "
        return prompt + between + continuation


def adds_special(spec: ModelSpec) -> bool:
    """Tell whether the tokenizer adds its own start token; a chat template contains one already."""
    return spec.chat_format != "template"


def load_model(spec: ModelSpec) -> LoadedModel:
    """Load weights and tokenizer: safetensors only, never code from a repository.

    Raises:
        ConfigError: There is no such model, or it has no safetensors or no chat template.
        MissingExtraError: The package of the weights is not installed.
    """
    from graph.models.pipeline import BatchedPipeline

    model, tokenizer = _load_weights(spec)
    model.eval()
    # Replies begin at the end of the longest prompt, so that shorter ones are padded on the left.
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


def _load_weights(spec: ModelSpec) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    in_package = spec.weights == "package"
    revision = None if in_package else spec.revision
    # Outside the block: a full disk during the conversion is not a missing model.
    source = str(packaged.model_folder(spec.model)) if in_package else spec.model
    log.info("loading the model %r", spec.model)
    check_memory_fields(spec)
    with quiet_loading(f"the model {spec.model!r}"):
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(source, revision=revision)
        model = AutoModelForCausalLM.from_pretrained(
            source,
            revision=revision,
            dtype=getattr(torch, resolve_dtype(spec.dtype)),
            use_safetensors=True,
            **memory_arguments(spec),
        )
    return model, tokenizer


def _window(spec: ModelSpec, model: "PreTrainedModel") -> int:
    own = getattr(model.config, "max_position_embeddings", None) or _DEFAULT_WINDOW
    return min(spec.window or own, own)


def _eos(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> frozenset[int]:
    # A chat model may end a reply with another token than its tokenizer ends a text.
    configured = model.generation_config.eos_token_id if model.generation_config else None
    ids = configured if isinstance(configured, list) else [configured]
    return frozenset(token for token in [*ids, tokenizer.eos_token_id] if token is not None)


def _control_tokens(tokenizer: "PreTrainedTokenizerBase") -> tuple[str, ...]:
    added = {str(t) for t in tokenizer.added_tokens_decoder.values() if t.special}
    special = set(tokenizer.all_special_tokens)
    # A single character is ordinary text too, and cannot be split.
    return tuple(sorted(token for token in added | special if len(token) > 1))

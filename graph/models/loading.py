"""The loader of Hugging Face causal models: from a hub repository, a local folder or a package."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from graph.models import packaged
from graph.models.loaded_model import (
    LoadedModel,
    adds_special,
    check_chat_template,
    control_tokens,
    end_tokens,
)
from graph.models.machine_defaults import resolve_dtype
from graph.models.memory_fields import check_memory_fields, memory_arguments, memory_identity
from graph.models.quiet_loading import quiet_loading
from graph.models.verdict import ScoredToken
from graph.schema import ModelSpec
from graph.support.logger import log

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from graph.models.pipeline import BatchedPipeline

_DEFAULT_WINDOW = 2048
_TOKENS_AT_ONCE = 256
"""Tokens that are normalised together: 50 MB of 32-bit numbers for a vocabulary of 50,000."""


@dataclass(frozen=True)
class TorchModel(LoadedModel):
    """A model of transformers in memory."""

    model: "PreTrainedModel"
    pipeline: "BatchedPipeline"

    @property
    def identity(self) -> dict[str, object]:
        """The commit, the precision and the device, and the versions of torch and transformers."""
        return {
            "commit": self.commit,
            "dtype": str(self.model.dtype),
            "device": self.model.device.type,
            **memory_identity(self.spec),
            **{name: version(name) for name in ("torch", "transformers")},
        }

    @property
    def commit(self) -> str | None:
        """The commit of the loaded repository; None for local models."""
        commit = getattr(self.model.config, "_commit_hash", None)
        return str(commit) if commit else None

    def pad(self, rows: Sequence[Sequence[int]]) -> "tuple[Tensor, Tensor]":
        """Return token ids and attention mask on the model's device, padded on the left.

        Both have the shape (rows, length of the longest row); the mask is 1 on tokens of a row.
        """
        import torch

        width, pad = max(len(row) for row in rows), self.tokenizer.pad_token_id
        ids = torch.tensor([[pad] * (width - len(row)) + list(row) for row in rows])
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
        return ids.to(self.model.device), mask.to(self.model.device)

    def token_logprobs(
        self, rows: Sequence[tuple[int, ...]], tokens: Sequence[ScoredToken]
    ) -> list[float]:
        """Read all rows in one forward pass; return the log-probability of each token."""
        import torch

        ids, mask = self.pad(rows)
        # Rows are padded on the left: counted from the end, a position does not depend on the padding.
        from_end = [len(rows[token.row]) - token.position + 1 for token in tokens]
        keep = max(from_end)
        with torch.inference_mode():
            logits = self.model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=(mask.cumsum(-1) - 1).clamp(min=0),
                # Logits of all positions of a long prompt would fill the memory.
                logits_to_keep=keep,
                use_cache=False,
            ).logits
        values: list[float] = []
        for start in range(0, len(tokens), _TOKENS_AT_ONCE):
            part = tokens[start : start + _TOKENS_AT_ONCE]
            ends = from_end[start : start + _TOKENS_AT_ONCE]
            picked = torch.stack(
                [logits[token.row, keep - end] for token, end in zip(part, ends, strict=True)]
            )
            scores = torch.log_softmax(picked.float(), dim=-1)
            values += [float(scores[index, token.token]) for index, token in enumerate(part)]
        return values


def load_model(spec: ModelSpec) -> TorchModel:
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
    check_chat_template(spec, tokenizer)
    generation = model.generation_config
    eos = end_tokens(generation.eos_token_id if generation else None, tokenizer)
    return TorchModel(
        spec,
        tokenizer,
        _window(spec, model),
        control_tokens(tokenizer),
        model,
        BatchedPipeline.of(model, tokenizer, eos, adds_special=adds_special(spec)),
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

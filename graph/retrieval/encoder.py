"""The sentence encoder: texts to normalised vectors."""

import os
from collections.abc import Sequence
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from graph.models import packaged as embedded
from graph.retrieval.quantised import PREFIX, QuantisedEncoder, resolve_encoder_dtype
from graph.schema import EmbedderSpec
from graph.support.errors import ConfigError
from graph.support.progress import Progress

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from torch import Tensor

    from graph.retrieval.vector_chunks import Chunks

CHUNK = 512
"""Texts between two signs of life, and between two savings to disk."""
_BATCH_TOKENS = 1024
"""Tokens in one forward pass: its activations then stay in a core's cache."""


@cache
def open_encoder(spec: EmbedderSpec) -> "Encoder":
    """Return the encoder of a spec: one for retrieval and metrics, so that it loads once."""
    return Encoder(spec)


class Encoder:
    """A sentence-transformers model, loaded at the first use."""

    def __init__(self, spec: EmbedderSpec) -> None:
        self.spec = spec
        self._model: SentenceTransformer | None = None
        self._quantised: QuantisedEncoder | None = None
        # Fast tokenizers refuse to be used by two threads at once ("Already borrowed").
        self._lock = Lock()

    def encode(
        self,
        texts: Sequence[str],
        progress: Progress | None = None,
        kept: "Chunks | None" = None,
    ) -> NDArray[np.float32]:
        """Return vectors of length 1, shape [texts, dimension].

        Texts are encoded in chunks of like length, which follow from the texts alone; with `kept`,
        finished chunks are kept on disk, and those that are there are not encoded again.
        """
        order = sorted(range(len(texts)), key=lambda i: (-len(texts[i]), i))
        cleaned = [clean(texts[i]) for i in order]
        parts = []
        for start in range(0, len(texts), CHUNK):
            chunk = cleaned[start : start + CHUNK]
            vectors = kept.read(chunk) if kept else None
            if vectors is None:
                with self._lock:
                    vectors = self._encode_chunk(self._load(), chunk)
                if kept:
                    kept.write(chunk, vectors)
            parts.append(vectors)
            if progress:
                progress.advance(len(chunk))
        if not parts:
            return np.empty((0, 0), dtype=np.float32)
        found = np.empty((len(texts), parts[0].shape[1]), dtype=np.float32)
        found[order] = np.concatenate(parts)
        return found

    def _encode_chunk(
        self, model: "SentenceTransformer", texts: Sequence[str]
    ) -> NDArray[np.float32]:
        import torch

        tokenizer = model.tokenizer
        tokens = tokenizer(list(texts), truncation=True, max_length=model.max_seq_length)
        lengths = [len(ids) for ids in tokens["input_ids"]]
        plan = _batches(lengths)
        batches = (
            dict(
                tokenizer.pad(
                    {name: [values[row] for row in rows] for name, values in tokens.items()},
                    return_tensors="pt",
                )
            )
            for rows in plan
        )
        with torch.inference_mode():
            if self._quantised:
                parts = self._quantised.forward(batches)
            else:
                parts = [self._forward(model, batch) for batch in batches]
        vectors = torch.nn.functional.normalize(torch.from_numpy(np.concatenate(parts)), dim=1)
        found = np.empty(vectors.shape, dtype=np.float32)
        found[[row for rows in plan for row in rows]] = vectors.numpy()
        return found

    @staticmethod
    def _forward(model: "SentenceTransformer", batch: "dict[str, Tensor]") -> NDArray[np.float32]:
        """Run the transformer in its own precision, and pooling and the rest in 32 bits."""
        transformer, *rest = model
        features = transformer({name: ids.to(model.device) for name, ids in batch.items()})
        features["token_embeddings"] = features["token_embeddings"].float()
        for module in rest:
            features = module.float()(features)
        found: NDArray[np.float32] = features["sentence_embedding"].cpu().numpy()
        return found

    def _load(self) -> "SentenceTransformer":
        if self._model is None:
            os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
            import torch
            from sentence_transformers import SentenceTransformer
            from transformers.utils import logging as noise

            noise.set_verbosity_error()
            noise.disable_progress_bar()
            dtype = resolve_encoder_dtype(self.spec.dtype)
            quantised = dtype.startswith(PREFIX)
            local = self.spec.engine == "embedded"
            source = str(embedded.model_folder(self.spec.model)) if local else self.spec.model
            try:
                self._model = SentenceTransformer(
                    source,
                    revision=None if local else self.spec.revision,
                    local_files_only=local,
                    device="cpu" if quantised else None,
                    model_kwargs={
                        "dtype": torch.float32 if quantised else getattr(torch, dtype),
                        "use_safetensors": True,
                    },
                )
            except (OSError, ValueError) as error:
                reason = " ".join(str(error).split())[:300]
                raise ConfigError(f"cannot load the encoder {source!r}: {reason}") from None
            if quantised:
                self._quantised = QuantisedEncoder(self._model, dtype)
        return self._model


def clean(text: str) -> str:
    """Replace lone surrogates, which no tokenizer takes."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _batches(lengths: Sequence[int]) -> list[list[int]]:
    """Put texts of like length together, the longest first: a batch then pads little."""
    order = sorted(range(len(lengths)), key=lambda row: (-lengths[row], row))
    found: list[list[int]] = []
    while order:
        size = max(1, _BATCH_TOKENS // max(1, lengths[order[0]]))
        found.append(order[:size])
        order = order[size:]
    return found

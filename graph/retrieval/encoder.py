"""The sentence encoder: texts to normalised vectors."""

import os
from collections.abc import Sequence
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING

from graph.errors import ConfigError
from graph.models import embedded
from graph.models.huggingface import resolve_dtype
from graph.progress import Progress
from graph.schema import EmbedderSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from sentence_transformers import SentenceTransformer

CHUNK = 512
"""Texts between two signs of life."""


@cache
def open_encoder(spec: EmbedderSpec) -> "Encoder":
    """Return the encoder of a spec: one for retrieval and metrics, so that it loads once."""
    return Encoder(spec)


class Encoder:
    """A sentence-transformers model, loaded at the first use."""

    def __init__(self, spec: EmbedderSpec) -> None:
        self.spec = spec
        self._model: SentenceTransformer | None = None
        # Fast tokenizers refuse to be used by two threads at once ("Already borrowed").
        self._lock = Lock()

    def encode(
        self, texts: Sequence[str], progress: Progress | None = None
    ) -> "NDArray[np.float32]":
        """Return vectors of length 1, shape [texts, dimension]."""
        import numpy as np

        with self._lock:
            model = self._load()
            # Longest first, over all texts: a batch then pads little.
            order = sorted(range(len(texts)), key=lambda i: (-len(texts[i]), i))
            parts = []
            for start in range(0, len(texts), CHUNK):
                chunk = [_clean(texts[i]) for i in order[start : start + CHUNK]]
                parts.append(
                    model.encode(
                        chunk,
                        batch_size=32,
                        normalize_embeddings=True,
                        convert_to_numpy=True,
                        show_progress_bar=False,
                    ).astype(np.float32)
                )
                if progress:
                    progress.advance(len(chunk))
            dimension = model.get_embedding_dimension() or 0
            vectors = np.empty((len(texts), dimension), dtype=np.float32)
            if parts:
                vectors[order] = np.concatenate(parts)
            return vectors

    def _load(self) -> "SentenceTransformer":
        if self._model is None:
            os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
            import torch
            from sentence_transformers import SentenceTransformer
            from transformers.utils import logging as noise

            noise.set_verbosity_error()
            noise.disable_progress_bar()
            local = self.spec.engine == "embedded"
            source = str(embedded.model_folder(self.spec.model)) if local else self.spec.model
            try:
                self._model = SentenceTransformer(
                    source,
                    revision=None if local else self.spec.revision,
                    local_files_only=local,
                    model_kwargs={
                        "dtype": getattr(torch, resolve_dtype(self.spec.dtype)),
                        "use_safetensors": True,
                    },
                )
            except (OSError, ValueError) as error:
                reason = " ".join(str(error).split())[:300]
                raise ConfigError(f"cannot load the encoder {source!r}: {reason}") from None
        return self._model


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")

"""The sentence encoder: texts to normalised vectors."""

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from graph.models import packaged
from graph.models.dtypes import resolve_dtype
from graph.models.quiet_loading import quiet_loading
from graph.retrieval.quantised import PREFIX, QuantisedEncoder
from graph.schema import EmbedderSpec
from graph.support.progress import Progress
from graph.support.text import without_surrogates

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from torch import Tensor

    from graph.retrieval.vector_chunks import Chunks

CHUNK = 512
"""Texts that are encoded between two steps of the progress, and saved together."""
_BATCH_TOKENS = 1024
"""Tokens in one forward pass: its activations then stay in a core's cache."""


@cache
def open_encoder(spec: EmbedderSpec) -> "Encoder":
    """Return the encoder of a spec: the same for retrieval and metrics, so that it loads once."""
    return Encoder(spec)


def encoder_identity(spec: EmbedderSpec) -> dict[str, object]:
    """Return the fields of an index's manifest that say which encoder its vectors are from.

    Raises:
        MissingExtraError: the package with the encoder's weights is not installed.
    """
    return {
        "encoder": spec.model,
        "encoder_revision": (
            packaged.revision(spec.model) if spec.weights == "package" else spec.revision
        ),
        "encoder_dtype": resolve_encoder_dtype(spec.dtype),
    }


def resolve_encoder_dtype(dtype: str) -> str:
    """Return the dtype that `auto` means for an encoder on this machine.

    8 bits if OpenVINO is installed, the CPU multiplies 8-bit integers (AVX512-VNNI) and there is
    no GPU; else the dtype of `resolve_dtype`.
    """
    resolved = resolve_dtype(dtype)
    return PREFIX + resolved if dtype == "auto" and _is_faster_in_8_bits() else resolved


def _is_faster_in_8_bits() -> bool:
    import torch

    if torch.cuda.is_available() or find_spec("openvino") is None:
        return False
    return bool(torch.cpu.get_capabilities().get("avx512_vnni"))


class Encoder:
    """A sentence-transformers model, loaded at the first use."""

    def __init__(self, spec: EmbedderSpec) -> None:
        self.spec = spec
        self._model: SentenceTransformer | None = None
        self._quantised: QuantisedEncoder | None = None
        # A fast tokenizer that two threads use at once raises "Already borrowed".
        self._lock = Lock()

    def encode(
        self,
        texts: Sequence[str],
        progress: Progress | None = None,
        chunks: "Chunks | None" = None,
    ) -> NDArray[np.float32]:
        """Return vectors of length 1, shape (texts, dimension).

        Texts are encoded in chunks of similar length, which depend on the texts alone.

        Args:
            texts: Any texts; a lone surrogate is encoded as a question mark.
            progress: Advanced by the number of texts after each chunk.
            chunks: Finished chunks on disk: they are read instead of encoded, others are added.
        """
        order = sorted(range(len(texts)), key=lambda i: (-len(texts[i]), i))
        cleaned = [without_surrogates(texts[i]) for i in order]
        encoded = []
        for start in range(0, len(texts), CHUNK):
            chunk = cleaned[start : start + CHUNK]
            vectors = chunks.read(chunk) if chunks else None
            if vectors is None:
                with self._lock:
                    vectors = self._encode_chunk(self._load(), chunk)
                if chunks:
                    chunks.write(chunk, vectors)
            encoded.append(vectors)
            if progress:
                progress.advance(len(chunk))
        if not encoded:
            return np.empty((0, 0), dtype=np.float32)
        in_order = np.empty((len(texts), encoded[0].shape[1]), dtype=np.float32)
        in_order[order] = np.concatenate(encoded)
        return in_order

    def _encode_chunk(
        self, model: "SentenceTransformer", texts: Sequence[str]
    ) -> NDArray[np.float32]:
        import torch

        tokenizer = model.tokenizer
        tokens = tokenizer(list(texts), truncation=True, max_length=model.max_seq_length)
        batch_rows = _batches([len(ids) for ids in tokens["input_ids"]])
        batches = (
            dict(
                tokenizer.pad(
                    {name: [values[row] for row in rows] for name, values in tokens.items()},
                    return_tensors="pt",
                )
            )
            for rows in batch_rows
        )
        with torch.inference_mode():
            if self._quantised:
                outputs = self._quantised.forward(batches)
            else:
                outputs = [self._forward(model, batch) for batch in batches]
        vectors = torch.nn.functional.normalize(torch.from_numpy(np.concatenate(outputs)), dim=1)
        in_order = np.empty(vectors.shape, dtype=np.float32)
        in_order[[row for rows in batch_rows for row in rows]] = vectors.numpy()
        return in_order

    @staticmethod
    def _forward(model: "SentenceTransformer", batch: "dict[str, Tensor]") -> NDArray[np.float32]:
        """Run the transformer in its own precision, and pooling and the rest in 32 bits."""
        transformer, *rest = model
        features = transformer({name: ids.to(model.device) for name, ids in batch.items()})
        features["token_embeddings"] = features["token_embeddings"].float()
        for module in rest:
            features = module.float()(features)
        vectors: NDArray[np.float32] = features["sentence_embedding"].cpu().numpy()
        return vectors

    def _load(self) -> "SentenceTransformer":
        if self._model is not None:
            return self._model
        import torch

        dtype = resolve_encoder_dtype(self.spec.dtype)
        is_quantised = dtype.startswith(PREFIX)
        is_local = self.spec.weights == "package"
        source = str(packaged.model_folder(self.spec.model)) if is_local else self.spec.model
        with quiet_loading(f"the encoder {source!r}"):
            from sentence_transformers import SentenceTransformer

            model = SentenceTransformer(
                source,
                revision=None if is_local else self.spec.revision,
                local_files_only=is_local,
                device="cpu" if is_quantised else None,
                model_kwargs={
                    "dtype": torch.float32 if is_quantised else getattr(torch, dtype),
                    "use_safetensors": True,
                },
            )
        if is_quantised:
            self._quantised = QuantisedEncoder(model, dtype)
        self._model = model
        return model


def _batches(lengths: Sequence[int]) -> list[list[int]]:
    """Group the rows of texts of similar length, the longest first, so that a batch pads little."""
    order = sorted(range(len(lengths)), key=lambda row: (-lengths[row], row))
    batches: list[list[int]] = []
    while order:
        size = max(1, _BATCH_TOKENS // max(1, lengths[order[0]]))
        batches.append(order[:size])
        order = order[size:]
    return batches

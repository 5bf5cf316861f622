"""The sentence encoder: texts to normalised vectors."""

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graph.models import packaged
from graph.models.machine_defaults import resolve_dtype
from graph.models.quiet_loading import quiet_loading
from graph.retrieval.encoder_prompts import EncoderPrompts, read_prompts
from graph.retrieval.quantised import PREFIX, QuantisedEncoder
from graph.schema import EmbedderSpec
from graph.support.errors import ConfigError
from graph.support.progress import Progress
from graph.support.text import without_surrogates

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

    from graph.retrieval.vector_chunks import Chunks

CHUNK = 512
"""Texts that are encoded between two steps of the progress, and saved together."""
PARTS_VERSION = 1
"""Count up when `Encoder.split` cuts a text elsewhere: similarities of long texts then change."""
_BATCH_TOKENS = 1024
"""Tokens in one forward pass: its activations then stay in a core's cache."""
_opening = Lock()


class TextPart(NamedTuple):
    """A part of a text that the encoder reads whole."""

    text: str
    tokens: int
    """At least 1."""


def open_encoder(spec: EmbedderSpec) -> "Encoder":
    """Return the encoder of a spec: the same for retrieval and metrics, so that it loads once."""
    # Without the lock, two threads could each make an encoder.
    with _opening:
        return _encoder(spec)


@cache
def _encoder(spec: EmbedderSpec) -> "Encoder":
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


def encoder_prompts(spec: EmbedderSpec) -> EncoderPrompts:
    """Return the prompts of an encoder's own configuration.

    Raises:
        ConfigError: the configuration cannot be read.
        MissingExtraError: the package with the encoder's weights is not installed.
    """
    return read_prompts(_source(spec), spec.revision)


def _source(spec: EmbedderSpec) -> str:
    """Return the folder or the repository with the weights of an encoder."""
    return str(packaged.model_folder(spec.model)) if spec.weights == "package" else spec.model


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
        self._has_transformer = True
        # A fast tokenizer that two threads use at once raises "Already borrowed".
        self._lock = Lock()

    def encode(
        self,
        texts: Sequence[str],
        progress: Progress | None = None,
        chunks: "Chunks | None" = None,
    ) -> NDArray[np.float32]:
        """Return vectors of documents, of length 1, shape (texts, dimension).

        The encoder's own prompt for documents is put before each text. Texts are encoded in chunks of similar length, which depend on the texts alone.

        Args:
            texts: Any texts; a lone surrogate is encoded as a question mark.
            progress: Advanced by the number of texts after each chunk.
            chunks: Finished chunks on disk: they are read instead of encoded, others are added.
        """
        return self._encode(encoder_prompts(self.spec).document, texts, progress, chunks)

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return vectors of queries, with the encoder's own prompt for queries; see `encode`."""
        return self._encode(encoder_prompts(self.spec).query, texts)

    def _encode(
        self,
        prompt: str,
        texts: Sequence[str],
        progress: Progress | None = None,
        chunks: "Chunks | None" = None,
    ) -> NDArray[np.float32]:
        order = sorted(range(len(texts)), key=lambda i: (-len(texts[i]), i))
        cleaned = [without_surrogates(prompt + texts[i]) for i in order]
        encoded = []
        for start in range(0, len(texts), CHUNK):
            chunk = cleaned[start : start + CHUNK]
            vectors = chunks.read(chunk) if chunks else None
            if vectors is None:
                with self._lock:
                    vectors = self._encode_chunk(self._load(), chunk, prompt)
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

    def split(self, texts: Sequence[str]) -> list[list[TextPart]]:
        """Split each text into parts of at most the encoder's window, in order, between words.

        A text that fits is its only part. A word that is longer than the window is split too. A model
        without a transformer has no window.
        """
        with self._lock:
            model = self._load()
            if not self._has_transformer or model.max_seq_length is None:
                return [[TextPart(text, 1)] for text in texts]
            prompt = encoder_prompts(self.spec).document
            # What stands in the window of every text: the prompt, and tokens around the text.
            window = model.max_seq_length - len(model.tokenizer(prompt)["input_ids"])
            return [_parts(model.tokenizer, without_surrogates(text), window) for text in texts]

    def _encode_chunk(
        self, model: "SentenceTransformer", texts: Sequence[str], prompt: str
    ) -> NDArray[np.float32]:
        import torch

        if not self._has_transformer:
            # Such models, of static vectors for example, read texts in ways of their own.
            vectors = model.encode(list(texts), prompt="", show_progress_bar=False)
            return _normalised(torch.from_numpy(vectors))
        tokenizer = model.tokenizer
        tokens = tokenizer(list(texts), truncation=True, max_length=model.max_seq_length)
        batch_rows = _batches([len(ids) for ids in tokens["input_ids"]])
        pooled_from = _prompt_tokens(tokenizer, prompt) if _leaves_out_prompt(model) else 0
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
                outputs = [self._forward(model, batch, pooled_from) for batch in batches]
        normalised = _normalised(torch.from_numpy(np.concatenate(outputs)))
        in_order = np.empty_like(normalised)
        in_order[[row for rows in batch_rows for row in rows]] = normalised
        return in_order

    @staticmethod
    def _forward(
        model: "SentenceTransformer", batch: "dict[str, Tensor]", pooled_from: int
    ) -> NDArray[np.float32]:
        """Run the transformer in its own precision, and pooling and the rest in 32 bits."""
        transformer, *rest = model
        features = transformer({name: ids.to(model.device) for name, ids in batch.items()})
        features["token_embeddings"] = features["token_embeddings"].float()
        if pooled_from:
            features["prompt_length"] = pooled_from
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
        source = _source(self.spec)
        with quiet_loading(f"the encoder {source!r}"):
            from sentence_transformers import SentenceTransformer
            from sentence_transformers.base.modules import Transformer

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
        self._has_transformer = isinstance(model[0], Transformer)
        if is_quantised and _leaves_out_prompt(model) and any(encoder_prompts(self.spec)):
            raise ConfigError(
                f"the encoder {source!r} excludes its prompt from the vector; 8-bit models cannot do "
                "this: set its dtype to float32"
            )
        if is_quantised and self._has_transformer:
            self._quantised = QuantisedEncoder(model, dtype)
        self._model = model
        return model


def _normalised(vectors: "Tensor") -> NDArray[np.float32]:
    from torch.nn.functional import normalize

    normalised: NDArray[np.float32] = normalize(vectors.float(), dim=1).numpy()
    return normalised


def _leaves_out_prompt(model: "SentenceTransformer") -> bool:
    """Tell whether the pooling of a model skips the tokens of the prompt, as that of Instructor does."""
    return any(getattr(module, "include_prompt", True) is False for module in model)


def _prompt_tokens(tokenizer: "PreTrainedTokenizerBase", prompt: str) -> int:
    """Return the number of tokens of the prompt, without a special token at its end."""
    if not prompt:
        return 0
    ids = tokenizer(prompt)["input_ids"]
    return len(ids) - (ids[-1] in tokenizer.all_special_ids)


def _parts(tokenizer: "PreTrainedTokenizerBase", text: str, window: int) -> list[TextPart]:
    tokens = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)[
        "offset_mapping"
    ]
    parts, start = [], 0
    while len(tokens) - start > window:
        end = start + window
        # A token that touches the one before it does not begin a word.
        while end > start and tokens[end][0] <= tokens[end - 1][1]:
            end -= 1
        end = end if end > start else start + window
        parts.append(TextPart(text[tokens[start][0] : tokens[end][0]], end - start))
        start = end
    first = tokens[start][0] if parts else 0
    return [*parts, TextPart(text[first:], max(1, len(tokens) - start))]


def _batches(lengths: Sequence[int]) -> list[list[int]]:
    """Group the rows of texts of similar length, the longest first, so that a batch pads little."""
    order = sorted(range(len(lengths)), key=lambda row: (-lengths[row], row))
    batches: list[list[int]] = []
    while order:
        size = max(1, _BATCH_TOKENS // max(1, lengths[order[0]]))
        batches.append(order[:size])
        order = order[size:]
    return batches

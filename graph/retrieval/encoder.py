"""The sentence encoder: texts to normalised vectors."""

import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from importlib.metadata import version
from importlib.util import find_spec
from math import ceil, inf
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graph.models import packaged
from graph.models.machine_defaults import resolve_dtype
from graph.models.quiet_loading import quiet_loading
from graph.retrieval.encoder_configuration import (
    EncoderPrompts,
    read_modules,
    read_prompts,
    weights_identity,
)
from graph.retrieval.quantised import PREFIX, QuantisedEncoder
from graph.schema import EmbedderSpec
from graph.support.errors import ConfigError
from graph.support.text import without_surrogates

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

    from graph.support.worker_pool import WorkerPool

PARTS_VERSION = 1
"""Count up when `Encoder.split` cuts a text elsewhere: similarities of long texts then change."""
VECTORS_VERSION = 1
"""Count up when the same encoder gives other vectors: stored ones are then not used again."""
_PACKAGES = ("openvino", "sentence-transformers", "tokenizers", "torch", "transformers")
"""Packages that compute vectors: another version can give others."""
_BLOCK = 512
"""Texts that are tokenized together."""
_STEP = 8
"""Lengths of passes are multiples of this number of tokens."""
_CPU_TOKENS = 256
"""Tokens in one pass: more are hardly faster, and a pass of a single short query takes longer."""
_GPU_TOKENS = 1024
_opening = Lock()


class TextPart(NamedTuple):
    """A part of a text that the encoder reads whole."""

    text: str
    tokens: int
    """At least 1."""


class _Pass(NamedTuple):
    """One pass through the model: some texts of a block, and its shape."""

    rows: list[int]
    """The texts, at most `size`."""
    size: int
    length: int
    """Tokens of each row."""


def open_encoder(spec: EmbedderSpec) -> "Encoder":
    """Return the encoder of a spec: the same for retrieval and metrics, so that it loads once."""
    # Without the lock, two threads could each make an encoder.
    with _opening:
        return _encoder(spec)


@cache
def _encoder(spec: EmbedderSpec) -> "Encoder":
    return Encoder(spec)


def encoder_identity(spec: EmbedderSpec) -> dict[str, object]:
    """Return the fields of an index's manifest that say which encoder its vectors are from, and how.

    Raises:
        ConfigError: the encoder's configuration cannot be read.
        MissingExtraError: the package with the encoder's weights is not installed.
    """
    return {
        "encoder": spec.model,
        "encoder_revision": (
            packaged.revision(spec.model) if spec.weights == "package" else spec.revision
        ),
        "encoder_dtype": resolve_encoder_dtype(spec.dtype),
        "encoder_prompts": encoder_prompts(spec)._asdict(),
        "encoder_modules": encoder_modules(spec),
        "encoder_vectors": VECTORS_VERSION,
    }


def vectors_identity(spec: EmbedderSpec) -> dict[str, object] | None:
    """Return the identity of the vectors of documents; None if nothing identifies the weights.

    Raises:
        ConfigError, MissingExtraError: see `encoder_identity`.
    """
    identity = encoder_identity(spec)
    weights = identity["encoder_revision"]
    if spec.weights != "package":
        weights = weights_identity(spec.model, spec.revision)
        if weights is None:
            return None
    return {
        **identity,
        # The prompt of queries changes no document.
        "encoder_prompts": encoder_prompts(spec).document,
        "encoder_weights": weights,
        "packages": {
            name: version(name) for name in _PACKAGES if find_spec(name.replace("-", "_"))
        },
    }


def encoder_prompts(spec: EmbedderSpec) -> EncoderPrompts:
    """Return the prompts of an encoder's own configuration.

    Raises:
        ConfigError: the configuration cannot be read.
        MissingExtraError: the package with the encoder's weights is not installed.
    """
    return read_prompts(_source(spec), spec.revision)


def encoder_modules(spec: EmbedderSpec) -> list[dict[str, object]]:
    """Return the modules of an encoder's own configuration, in order, with their settings.

    Raises:
        ConfigError, MissingExtraError: see `encoder_prompts`.
    """
    return read_modules(_source(spec), spec.revision)


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
        self.pool: WorkerPool | None = None
        """Workers that encode the documents of an index."""
        # A fast tokenizer that two threads use at once raises "Already borrowed".
        self._lock = Lock()

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return vectors of documents, of length 1, shape (texts, dimension).

        The encoder's own prompt for documents is put before each text. The vector of a transformer does not
        depend on the texts beside it: every pass has one of a few shapes (`_passes`). Other models, such
        as a router, may differ in the last bits.

        Args:
            texts: Any texts; a lone surrogate is encoded as a question mark.
        """
        return self._encode(texts, encoder_prompts(self.spec).document, "document")

    def encode_blocks(self, blocks: Iterator[list[str]]) -> Iterator[NDArray[np.float32]]:
        """Yield the vectors of documents of each block, from the workers of `pool` if there are some."""
        if self.pool is None:
            return map(self.encode, blocks)
        labelled = ((f"block {number}", block) for number, block in enumerate(blocks, 1))
        open_work = partial(_open_in_worker, self.spec, encoder_identity(self.spec))
        return self.pool.map(open_work, labelled, lambda _: None)

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return vectors of queries, with the encoder's own prompt for queries; see `encode`.

        A query is mostly encoded alone, so each has a pass of its own, without further rows.
        """
        return self._encode(texts, encoder_prompts(self.spec).query, "query")

    def _encode(
        self, texts: Sequence[str], prompt: str, task: Literal["document", "query"]
    ) -> NDArray[np.float32]:
        rows_by_length = sorted(range(len(texts)), key=lambda row: (-len(texts[row]), row))
        encoded = []
        for start in range(0, len(texts), _BLOCK):
            block = [without_surrogates(texts[i]) for i in rows_by_length[start : start + _BLOCK]]
            with self._lock:
                encoded.append(self._encode_block(self._load(), block, prompt, task))
        if not encoded:
            return np.empty((0, 0), dtype=np.float32)
        vectors = np.empty((len(texts), encoded[0].shape[1]), dtype=np.float32)
        vectors[rows_by_length] = np.concatenate(encoded)
        return vectors

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

    def _encode_block(
        self, model: "SentenceTransformer", texts: list[str], prompt: str, task: str
    ) -> NDArray[np.float32]:
        import torch

        if not self._has_transformer:
            # Such models, of static vectors for example, read texts in ways of their own.
            vectors = model.encode(texts, prompt=prompt, task=task, show_progress_bar=False)
            return _normalised(torch.from_numpy(vectors))
        with torch.inference_mode():
            features = model.preprocess(texts, prompt=prompt, task=task)
            lengths = features["attention_mask"].sum(dim=1).tolist()
            tokens = _CPU_TOKENS if model.device.type == "cpu" else _GPU_TOKENS
            passes = _passes(lengths, model.max_seq_length, 1 if task == "query" else tokens)
            inputs = (_inputs(features, one, model.tokenizer) for one in passes)
            if self._quantised:
                outputs = self._quantised.forward(inputs)
            else:
                outputs = [self._forward(model, batch) for batch in inputs]
        raw = np.concatenate(
            [out[: len(one.rows)] for out, one in zip(outputs, passes, strict=True)]
        )
        normalised = _normalised(torch.from_numpy(raw[:, : model.truncate_dim]))
        vectors = np.empty_like(normalised)
        vectors[[row for one in passes for row in one.rows]] = normalised
        return vectors

    @staticmethod
    def _forward(model: "SentenceTransformer", features: dict[str, Any]) -> NDArray[np.float32]:
        """Run the transformer in its own precision, and pooling and the rest in 32 bits."""
        from sentence_transformers.util import batch_to_device

        transformer, *rest = model
        features = transformer(batch_to_device(features, model.device))
        for name in ("token_embeddings", "sentence_embedding"):
            if name in features:
                features[name] = features[name].float()
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


def _open_in_worker(
    spec: EmbedderSpec, identity: dict[str, object]
) -> Callable[[list[str]], NDArray[np.float32]]:
    """Open an encoder in a worker; return the function that encodes a block.

    Raises:
        ConfigError: The vectors of the worker would not be those of the command.
    """
    if encoder_identity(spec) != identity:
        raise ConfigError(
            f"the encoder on {platform.node()} is not that of the command: each machine needs the same "
            "packages and kind of processor or GPU"
        )
    return open_encoder(spec).encode


def _normalised(vectors: "Tensor") -> NDArray[np.float32]:
    from torch.nn.functional import normalize

    normalised: NDArray[np.float32] = normalize(vectors.float(), dim=1).numpy()
    return normalised


def _leaves_out_prompt(model: "SentenceTransformer") -> bool:
    """Tell whether the pooling of a model skips the tokens of the prompt, as that of Instructor does."""
    return any(getattr(module, "include_prompt", True) is False for module in model)


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


def _passes(lengths: Sequence[int], window: float | None, tokens: int) -> list[_Pass]:
    """Group the rows of texts of similar length, the longest first.

    A pass has about this number of tokens, and at least one row.

    A kernel chooses the order of its sums by the shape of its input, and so the last bits of the
    vectors. So the padded length is a multiple of `_STEP`, and the number of rows depends on it alone.
    """
    grouped: dict[int, list[int]] = {}
    for row, length in sorted(enumerate(lengths), key=lambda pair: (-pair[1], pair[0])):
        # A model may have no position behind its window.
        padded = int(min(_STEP * ceil(max(1, length) / _STEP), window or inf))
        grouped.setdefault(padded, []).append(row)
    return [
        _Pass(rows[start : start + size], size, padded)
        for padded, rows in grouped.items()
        for size in (max(1, tokens // padded),)
        for start in range(0, len(rows), size)
    ]


def _inputs(
    features: Mapping[str, Any], one: _Pass, tokenizer: "PreTrainedTokenizerBase"
) -> dict[str, Any]:
    """Return the features of a pass; its first text fills the rows that no other text needs."""
    from torch.nn.functional import pad

    rows = one.rows + one.rows[:1] * (one.size - len(one.rows))
    shape = features["input_ids"].shape
    missing = max(0, one.length - shape[1])
    is_left = tokenizer.padding_side == "left"
    columns = slice(-one.length, None) if is_left else slice(one.length)
    sides = (missing, 0) if is_left else (0, missing)

    def cut(name: str, values: Any) -> Any:
        if getattr(values, "shape", None) != shape:
            return values
        filler = (tokenizer.pad_token_id or 0) if name == "input_ids" else 0
        return pad(values[:, columns][rows], sides, value=filler)

    return {name: cut(name, values) for name, values in features.items()}

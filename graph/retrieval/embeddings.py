"""Sentence encoders and LangChain's embeddings: each in the place of the other.

The encoder is imported inside functions: at the top it would lengthen the longest chain of imports.
"""

import json
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from langchain_core.embeddings import Embeddings
from numpy.typing import NDArray

from graph.retrieval.query import Query
from graph.retrieval.text_vectors import TextVectors
from graph.schema import EmbedderSpec
from graph.support.cache_names import VECTORS
from graph.support.environment import failure_of, is_environment
from graph.support.errors import (
    ConfigError,
    IndexMismatchError,
    OpenCoderError,
    QuestionError,
)
from graph.support.storage import cache_folder
from graph.support.text import one_line, plural, without_surrogates

if TYPE_CHECKING:
    from graph.retrieval.encoder import Encoder

_BATCH = 256
"""Documents of one call."""
_LARGEST_DRIFT = 0.15
"""The largest distance of two vectors of one text (a cosine of .989): servers do not always give the same."""


class EncoderEmbeddings(Embeddings):
    """The sentence encoder of a profile as LangChain's embeddings; the vectors have length 1."""

    def __init__(self, embedder: EmbedderSpec) -> None:
        self._embedder = embedder

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return the vector of each text; the first call loads the encoder."""
        vectors: list[list[float]] = open_embedder(self._embedder).encode(texts).tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        """Return the vector of a query, which differs from a document's if the encoder has prompts."""
        [vector] = open_embedder(self._embedder).encode_queries([text]).tolist()
        return [*vector]


class PostEmbeddings(EncoderEmbeddings):
    """The embeddings of texts in Markdown, prepared as retrieval prepares posts and queries."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return the vector of the plain text of each document."""
        return super().embed_documents([Query.of(text).plain_text for text in texts])

    def embed_query(self, text: str) -> list[float]:
        """Return the vector of the plain text of a query."""
        return super().embed_query(Query.of(text).plain_text)


class OwnEmbeddings:
    """LangChain's embeddings of the user's own as a sentence encoder, one thread at a time.

    No class tells which vectors its objects give, so the user names them. Without a name nothing
    that depends on the vectors outlives the process.
    """

    def __init__(self, embeddings: Embeddings, name: str | None = None) -> None:
        """Check the arguments.

        Raises:
            ConfigError: the object is no `Embeddings`, or the name is empty or no text.
        """
        if not isinstance(embeddings, Embeddings):
            raise ConfigError(
                f"embeddings must be a LangChain Embeddings, not {type(embeddings).__name__}"
            )
        if name is not None and (not isinstance(name, str) or not name.strip()):
            raise ConfigError(f"embeddings_name={name!r} must be a text that is not empty")
        self._embeddings = embeddings
        self.name = name
        self._label = f"embeddings {name or type(embeddings).__name__!r}"
        self._dimension: int | None = None
        # HuggingFaceEmbeddings, for one, raises "Already borrowed" if two threads use it at once.
        self._lock = Lock()

    @property
    def identity(self) -> dict[str, object]:
        """The fields of an index's manifest that say which vectors it has."""
        return {
            "encoder": f"embeddings:{self.name}",
            "encoder_revision": None,
            "encoder_dtype": None,
        }

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return vectors of documents, of length 1, shape (texts, dimension).

        Raises:
            ConfigError: the embeddings fail, or their vectors cannot be used.
            EnvironmentFailure: a network, a server or the memory fails.
        """
        encoded = []
        for start in range(0, len(texts), _BATCH):
            batch = [without_surrogates(text) for text in texts[start : start + _BATCH]]
            rows = self._call(self._embeddings.embed_documents, batch, ConfigError)
            vectors = self._normalised(rows, len(batch))
            self._check_dimension(vectors)
            encoded.append(vectors)
        return np.concatenate(encoded) if encoded else np.empty((0, 0), dtype=np.float32)

    def check_stored(self, texts: Sequence[str], stored: NDArray[np.float32], where: Path) -> None:
        """Check that texts get their stored vectors again: a name can be used for two models.

        Args:
            texts: Documents.
            stored: Their vectors, shape (texts, dimension).
            where: The folder that they are stored in.

        Raises:
            IndexMismatchError: a vector differs by more than servers differ from call to call.
            ConfigError, EnvironmentFailure: see `encode`.
        """
        vectors = self.encode(texts)
        if vectors.shape != stored.shape or (
            np.linalg.norm(vectors - stored, axis=1).max(initial=0) > _LARGEST_DRIFT
        ):
            raise IndexMismatchError(
                f"{where}: the {self._label} give another vector than the one stored under this name; "
                "give other embeddings another name"
            )

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return vectors of queries, of length 1, shape (texts, dimension).

        Raises:
            ConfigError: the vectors cannot be used.
            EnvironmentFailure: a network, a server or the memory fails.
            QuestionError: the embeddings fail at a query.
        """
        queries = map(without_surrogates, texts)
        rows = [self._call(self._embeddings.embed_query, text, QuestionError) for text in queries]
        vectors = self._normalised(rows, len(texts))
        self._check_dimension(vectors)
        return vectors

    def _call(
        self, embed: Callable[[Any], object], argument: object, failure: type[OpenCoderError]
    ) -> object:
        try:
            with self._lock:
                return embed(argument)
        except Exception as error:
            if is_environment(error):
                raise failure_of(error) from error
            reason = f"{type(error).__name__}: {one_line(error)}"
            raise failure(f"{self._label} failed: {reason}") from error

    def _normalised(self, rows: object, count: int) -> NDArray[np.float32]:
        try:
            vectors = np.array(rows, dtype=np.float64)
        except (TypeError, ValueError):
            vectors = np.empty(0)
        if vectors.ndim != 2 or len(vectors) != count or not vectors.size:
            raise ConfigError(
                f"{self._label}: {count} {plural(count, 'text')} must give as many vectors of numbers, "
                "all of one length"
            )
        with np.errstate(over="ignore"):
            lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.isfinite(lengths).all():
            raise ConfigError(f"{self._label}: a vector has numbers that are not finite")
        # A vector of zeros has no direction: its cosine with every other is 0.
        normalised: NDArray[np.float32] = (vectors / np.where(lengths, lengths, 1)).astype("f4")
        return normalised

    def _check_dimension(self, vectors: NDArray[np.float32]) -> None:
        dimension = vectors.shape[1]
        if self._dimension not in (None, dimension):
            raise ConfigError(
                f"{self._label}: the vectors have {dimension} numbers, others of the same "
                f"embeddings {self._dimension}"
            )
        self._dimension = dimension


Embedder = EmbedderSpec | OwnEmbeddings
"""What encodes posts and queries: an encoder of a profile, or embeddings of the user's own."""


def is_unnamed(embedder: Embedder) -> bool:
    """Tell whether nothing identifies the vectors, so that no file of them may be used again."""
    return isinstance(embedder, OwnEmbeddings) and embedder.name is None


def open_embedder(embedder: Embedder) -> "Encoder | OwnEmbeddings":
    """Return the encoder of a spec; embeddings are their own."""
    from graph.retrieval.encoder import open_encoder

    return embedder if isinstance(embedder, OwnEmbeddings) else open_encoder(embedder)


def embedder_identity(embedder: Embedder) -> dict[str, object]:
    """Return the fields of an index's manifest that say which vectors it has.

    Raises:
        ConfigError: the configuration of an encoder cannot be read.
        MissingExtraError: the package with an encoder's weights is not installed.
    """
    if isinstance(embedder, OwnEmbeddings):
        return {**embedder.identity, "encoder_prompts": None}
    from graph.retrieval.encoder import encoder_identity

    return encoder_identity(embedder)


def stored_vectors(embedder: Embedder) -> TextVectors | None:
    """Return the vectors of documents in the cache that this encoder gave; None if nothing identifies it.

    Raises:
        ConfigError, MissingExtraError: see `embedder_identity`.
    """
    from graph.retrieval.encoder import vectors_identity

    if isinstance(embedder, OwnEmbeddings):
        identity = embedder.identity if embedder.name else None
    else:
        identity = vectors_identity(embedder)
    if identity is None:
        return None
    digest = sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    return TextVectors(cache_folder() / VECTORS / digest[:12])

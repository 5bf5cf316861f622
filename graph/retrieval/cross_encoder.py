"""The cross-encoder: reads query and post together, which is slower and more precise than vectors."""

from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from graph.models.quiet_loading import quiet_loading
from graph.retrieval.candidates import Candidates
from graph.retrieval.posts import StoredPosts
from graph.retrieval.query import Query
from graph.support.errors import ConfigError
from graph.support.text import without_surrogates

if TYPE_CHECKING:
    import sentence_transformers

_MAX_CHARS = 20_000
"""Characters of a text that the tokenizer gets. The model reads far fewer; the time to truncate a pair
grows with the product of its two lengths."""


class CrossEncoder:
    """A sentence-transformers cross-encoder, loaded at the first use."""

    def __init__(self, model: str) -> None:
        self._name = model
        self._model: sentence_transformers.CrossEncoder | None = None
        self._lock = Lock()

    def reorder(self, candidates: Candidates, query: Query, posts: StoredPosts) -> Candidates:
        """Rank candidates by the model's scores; of equal scores the better candidate stays first.

        A sigmoid maps the scores to [0, 1], the range of the other scores of posts.

        Raises:
            ConfigError: there is no such model, or it does not give one finite score a pair.
        """
        from torch.nn import Sigmoid

        if not len(candidates.rows):
            return candidates
        query_text = without_surrogates(query.text[:_MAX_CHARS])
        post_texts = (posts.read(int(row)).full_text[:_MAX_CHARS] for row in candidates.rows)
        pairs = [(query_text, without_surrogates(text)) for text in post_texts]
        model = self.load()
        with self._lock:
            scores = model.predict(pairs, show_progress_bar=False, activation_fn=Sigmoid())
        scores = np.asarray(scores)
        if scores.shape != (len(pairs),) or not np.isfinite(scores).all():
            raise ConfigError(
                f"retrieval.cross_encoder {self._name!r} must give one finite score a pair: "
                "set another model"
            )
        order = np.argsort(-scores, kind="stable")
        return candidates._replace(scores=scores.astype(np.float64)).at(order)

    def load(self) -> "sentence_transformers.CrossEncoder":
        """Return the model, which the first call loads.

        Raises:
            ConfigError: there is no such model.
        """
        with self._lock:
            if self._model is None:
                self._model = self._read()
            return self._model

    def _read(self) -> "sentence_transformers.CrossEncoder":
        with quiet_loading(f"retrieval.cross_encoder {self._name!r}"):
            from sentence_transformers import CrossEncoder as Model

            model: sentence_transformers.CrossEncoder
            model = Model(self._name, model_kwargs={"use_safetensors": True})
        return model

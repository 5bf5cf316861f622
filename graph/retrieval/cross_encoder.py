"""A cross-encoder reads question and post together: slower, and better at telling near from right."""

import os
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from graph.retrieval.encoder import clean
from graph.retrieval.posts import Posts
from graph.retrieval.query import Query
from graph.retrieval.searching import Candidates
from graph.support.errors import ConfigError

if TYPE_CHECKING:
    import sentence_transformers

_CHARS = 20_000
"""Of a text that it gets: it reads far less, and the time to cut two long ones is their product."""


class CrossEncoder:
    """A sentence-transformers cross-encoder, loaded at the first use."""

    def __init__(self, model: str) -> None:
        self._name = model
        self._model: sentence_transformers.CrossEncoder | None = None
        self._lock = Lock()

    def reorder(self, found: Candidates, question: Query, posts: Posts) -> Candidates:
        """Order candidates by the model's scores; of equal ones the better candidate stays first.

        A sigmoid brings the scores into [0, 1], where those of the other parts are.

        Raises:
            ConfigError: there is no such model, or it does not give one finite score a pair.
        """
        from torch.nn import Sigmoid

        if not len(found.rows):
            return found
        asked = clean(question.text[:_CHARS])
        texts = (posts.read(int(row)).full_text[:_CHARS] for row in found.rows)
        pairs = [(asked, clean(text)) for text in texts]
        model = self.load()
        with self._lock:
            scores = model.predict(pairs, show_progress_bar=False, activation_fn=Sigmoid())
        scores = np.asarray(scores)
        if scores.shape != (len(pairs),) or not np.isfinite(scores).all():
            raise ConfigError(
                f"retrieval.cross_encoder {self._name!r}: it must give one finite score a pair"
            )
        order = np.argsort(-scores, kind="stable")
        return Candidates(found.rows[order], scores[order].astype(np.float64))

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
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
        from sentence_transformers import CrossEncoder as Model
        from transformers.utils import logging as noise

        noise.set_verbosity_error()
        noise.disable_progress_bar()
        model: sentence_transformers.CrossEncoder
        try:
            model = Model(self._name, model_kwargs={"use_safetensors": True})
        except (OSError, ValueError) as error:
            reason = " ".join(str(error).split())[:300]
            raise ConfigError(
                f"cannot load retrieval.cross_encoder {self._name!r}: {reason}"
            ) from None
        return model

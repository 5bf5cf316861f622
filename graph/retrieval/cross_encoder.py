"""A cross-encoder reads question and post together: slower, and better at telling near from right."""

import os
from threading import Lock
from typing import TYPE_CHECKING

from graph.errors import ConfigError
from graph.retrieval.posts import Posts
from graph.retrieval.question import Question
from graph.retrieval.searching import Candidates

if TYPE_CHECKING:
    import sentence_transformers


class CrossEncoder:
    """A sentence-transformers cross-encoder, loaded at the first use."""

    def __init__(self, model: str) -> None:
        self._name = model
        self._model: sentence_transformers.CrossEncoder | None = None
        self._lock = Lock()

    def reorder(self, found: Candidates, question: Question, posts: Posts) -> Candidates:
        """Order candidates by the model's scores; of equal ones the better candidate stays first."""
        import numpy as np

        if not len(found.rows):
            return found
        pairs = [(question.text, posts.read(int(row)).full_text) for row in found.rows]
        with self._lock:
            scores = np.asarray(self._load().predict(pairs, show_progress_bar=False))
        if scores.shape != (len(pairs),) or not np.isfinite(scores).all():
            raise ConfigError(
                f"retrieval.cross_encoder {self._name!r}: it must give one finite score a pair"
            )
        order = np.argsort(-scores, kind="stable")
        return Candidates(found.rows[order], scores[order].astype(np.float64))

    def _load(self) -> "sentence_transformers.CrossEncoder":
        if self._model is None:
            os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
            from sentence_transformers import CrossEncoder as Model

            try:
                self._model = Model(self._name, model_kwargs={"use_safetensors": True})
            except (OSError, ValueError) as error:
                reason = " ".join(str(error).split())[:300]
                raise ConfigError(
                    f"cannot load retrieval.cross_encoder {self._name!r}: {reason}"
                ) from None
        return self._model

"""The retriever of both kinds: scores from an index, a bounded bonus for tags, the best posts."""

from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import PrivateAttr

from graph.retrieval.documents import Post
from graph.retrieval.index import build_or_verify, open_search, read_posts
from graph.retrieval.keyword import KeywordIndex, tokenize
from graph.schema import EmbedderSpec

if TYPE_CHECKING:
    from graph.retrieval.semantic import SemanticIndex

_CANDIDATES = 10
"""The tag bonus reorders this many times `top_k` posts."""


class _Open(NamedTuple):
    search: "KeywordIndex | SemanticIndex"
    posts: list[bytes]


class PostRetriever(BaseRetriever):
    """Finds posts by meaning (`semantic`) or by words (`keyword`)."""

    kind: str
    top_k: int
    tag_bonus: float
    corpus: Path
    folder: Path | None
    embedder: EmbedderSpec
    _open: _Open | None = PrivateAttr(None)
    _lock: Lock = PrivateAttr(default_factory=Lock)

    def open(self) -> int:
        """Build or open the index now; return how many posts it holds."""
        return len(self._opened().posts)

    def _opened(self) -> _Open:
        with self._lock:
            if self._open is None:
                folder = build_or_verify(self.kind, self.corpus, self.embedder, self.folder)
                search = open_search(self.kind, folder, self.embedder)
                self._open = _Open(search, read_posts(folder))
            return self._open

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        import numpy as np

        opened = self._opened()
        scores = opened.search.scores(query)
        if self.kind == "keyword" and self.tag_bonus and scores.max() > 0:
            # The bonus is measured against a best score of 1; a cosine is that already.
            scores = scores / scores.max()
        count = self.top_k * (_CANDIDATES if self.tag_bonus else 1)
        # Stable: of equal scores the earlier row comes first, on every run.
        rows = np.argsort(-scores, kind="stable")[:count]
        found = [(float(scores[row]), Post.from_json(opened.posts[row])) for row in rows]
        if self.kind == "keyword":
            found = [(score, post) for score, post in found if score > 0]
        if self.tag_bonus:
            terms = set(tokenize(query))
            found = [(s + self.tag_bonus * tag_share(post, terms), post) for s, post in found]
            found.sort(key=lambda pair: -pair[0])
        return [post.to_document(score) for score, post in found[: self.top_k]]


def tag_share(post: Post, terms: set[str]) -> float:
    """Return the share of a post's tags, in [0, 1], that a query names as whole terms."""
    named = [bool(parts) and parts <= terms for parts in (set(tokenize(tag)) for tag in post.tags)]
    return sum(named) / len(named) if named else 0.0

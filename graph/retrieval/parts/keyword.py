"""Keyword retrieval: the Okapi scores of rank_bm25, frozen at build into a sparse matrix."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from graph.retrieval import terms
from graph.retrieval.documents import Post
from graph.retrieval.query import Query
from graph.retrieval.terms import tokenize

if TYPE_CHECKING:
    from scipy.sparse import csr_array

TITLE, QUESTION, ANSWER = 10, 2, 1
"""How often a term of each field counts in a post; tags count as the title."""
QUERY_TITLE, QUERY_BODY = 3, 1
"""How often a term counts in a query: once for standing in a field, however often it stands there."""
K1, B, EPSILON = 5.0, 0.75, 0.25
"""Okapi's parameters. k1 is of the size of the field weights, by which all frequencies are scaled."""

PARAMETERS: dict[str, object] = {
    "k1": K1,
    "b": B,
    "epsilon": EPSILON,
    "terms": terms.VERSION,
    "fields": {"title": TITLE, "question": QUESTION, "answer": ANSWER},
}
"""Part of an index's identity."""

_ARRAYS = ("data", "indices", "indptr")
FILES = (*(f"{name}.npy" for name in _ARRAYS), "vocabulary.json")


def document_terms(post: Post) -> list[str]:
    """Return the terms of a post, each as often as its fields weigh: a BM25F with one length norm."""
    title = tokenize(" ".join((post.title, *post.tags)))
    return title * TITLE + tokenize(post.question) * QUESTION + tokenize(post.answer) * ANSWER


def query_terms(question: Query) -> list[str]:
    """Return the terms of a query; a long body counts each of its terms once."""
    title = list(dict.fromkeys(tokenize(question.title)))
    body = list(dict.fromkeys(tokenize(question.body)))
    return title * QUERY_TITLE + body * QUERY_BODY


class KeywordIndex:
    """Scores of every (term, document) pair: row t, column d."""

    def __init__(self, scores: "csr_array", vocabulary: dict[str, int]) -> None:
        self._scores = scores
        self._vocabulary = vocabulary

    @classmethod
    def build(cls, documents: Sequence[Sequence[str]]) -> "KeywordIndex":
        """Freeze the scores that `rank_bm25.BM25Okapi` computes for each term of each document.

        The score of a term t in a document d of length |d| (Robertson et al. 1994):
        idf(t) f (k1 + 1) / (f + k1 (1 - b + b |d| / mean length)), where f is how often t is in d.
        """
        from rank_bm25 import BM25Okapi
        from scipy.sparse import coo_array

        bm25 = BM25Okapi([terms or [""] for terms in documents], k1=K1, b=B, epsilon=EPSILON)
        vocabulary = {term: row for row, term in enumerate(bm25.idf)}
        sizes = [len(frequencies) for frequencies in bm25.doc_freqs]
        columns = np.repeat(np.arange(len(sizes)), sizes)
        rows = np.array([vocabulary[t] for counts in bm25.doc_freqs for t in counts], dtype=int)
        frequency = np.array([f for counts in bm25.doc_freqs for f in counts.values()], dtype=float)
        idf = np.array(list(bm25.idf.values()))[rows]
        lengths = np.array(bm25.doc_len)[columns]
        norm = K1 * (1 - B + B * lengths / bm25.avgdl)
        values = idf * frequency * (K1 + 1) / (frequency + norm)
        matrix = coo_array((values, (rows, columns)), shape=(len(vocabulary), len(sizes)))
        return cls(matrix.tocsr(), vocabulary)

    def scores(self, queries: Sequence[Sequence[str]]) -> NDArray[np.float64]:
        """Return the score of each document for each query, shape [queries, documents].

        A term that a query repeats counts as often.
        """
        from scipy.sparse import csr_array

        known = [[self._vocabulary[t] for t in terms if t in self._vocabulary] for terms in queries]
        ends = np.cumsum([0, *map(len, known)])
        columns = np.array([column for row in known for column in row], dtype=int)
        shape = (len(queries), len(self._vocabulary))
        asked = csr_array((np.ones(len(columns)), columns, ends), shape=shape)
        asked.sum_duplicates()
        found: NDArray[np.float64] = (asked @ self._scores).toarray()
        return found

    def save(self, folder: Path) -> None:
        """Write raw arrays and the vocabulary."""
        for name in _ARRAYS:
            np.save(folder / f"{name}.npy", getattr(self._scores, name), allow_pickle=False)
        stored = {"documents": self._scores.shape[1], "terms": list(self._vocabulary)}
        (folder / "vocabulary.json").write_text(json.dumps(stored), encoding="utf-8")

    @classmethod
    def open(cls, folder: Path) -> "KeywordIndex":
        """Read what `save` wrote; the arrays stay on disk until they are touched."""
        from scipy.sparse import csr_array

        stored = json.loads((folder / "vocabulary.json").read_text(encoding="utf-8"))
        vocabulary = {term: row for row, term in enumerate(stored["terms"])}
        data, indices, indptr = (
            np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in _ARRAYS
        )
        shape = (len(vocabulary), stored["documents"])
        return cls(csr_array((data, indices, indptr), shape=shape), vocabulary)

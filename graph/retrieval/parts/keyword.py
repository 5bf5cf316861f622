"""The keyword part: the Okapi scores of rank_bm25, frozen at build into a sparse matrix."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from graph.retrieval import terms
from graph.retrieval.array_files import open_array
from graph.retrieval.parts.part import SCORE_DECIMALS, EncodeTexts, Parameters, Part, QueryBatch
from graph.retrieval.posts import Post
from graph.retrieval.query import Query
from graph.retrieval.terms import joined_stop_words, stop_words, tokenize

if TYPE_CHECKING:
    from scipy.sparse import csr_array

TITLE, QUESTION, ANSWER = 10, 2, 1
"""The weight of each field: how often one of its terms counts in a post. Tags count as the title."""
QUERY_TITLE, QUERY_BODY = 3, 1
"""How often a term counts in a query, once for each field that has it, however often."""
K1, B, EPSILON = 5.0, 0.75, 0.25
"""Okapi's parameters. k1 is as large as a field weight, since those multiply all frequencies."""

PARAMETERS: Parameters = {
    "k1": K1,
    "b": B,
    "epsilon": EPSILON,
    "scores": 2,
    "terms": terms.VERSION,
    "fields": {"title": TITLE, "question": QUESTION, "answer": ANSWER},
}
"""Part of an index's identity; count `scores` up when `from_terms` gives other scores."""

_ARRAYS = ("data", "indices", "indptr")
FILES = frozenset({*(f"{name}.npy" for name in _ARRAYS), "vocabulary.json"})

Split = Callable[[str], list[str]]
"""Splits a text into terms: `tokenize` or `stop_words`."""


def document_terms(post: Post, split: Split = tokenize) -> list[str]:
    """Return the terms of a post, each as often as its fields weigh: a BM25F with one length norm."""
    title = split(" ".join((post.title, *post.tags)))
    return title * TITLE + split(post.question) * QUESTION + split(post.answer) * ANSWER


def query_terms(query: Query) -> list[str]:
    """Return the terms of a query; a long body counts each of its terms once.

    A query of stop words alone, such as "if else" or "if-else", keeps them.
    """
    title, body = dict.fromkeys(tokenize(query.title)), dict.fromkeys(tokenize(query.body))
    counted = [*title] * QUERY_TITLE + [*body] * QUERY_BODY
    if joined_stop_words(query.text).issuperset(counted):
        counted += stop_words(query.title) * QUERY_TITLE + stop_words(query.body) * QUERY_BODY
    return counted


class KeywordPart(Part):
    """The scores of every pair of a term (row) and a post (column)."""

    section = "keyword"
    encodes = False
    only_matches = True
    vectors = None

    def __init__(self, scores: "csr_array", vocabulary: dict[str, int]) -> None:
        self._scores = scores
        self._vocabulary = vocabulary

    @classmethod
    def parameters(cls, names: Sequence[str]) -> Parameters:
        """Return the parameters of Okapi, of the fields and of the terms."""
        return PARAMETERS

    @classmethod
    def files(cls, name: str) -> frozenset[str]:
        """Return the files of the matrix and of the vocabulary."""
        return FILES

    @classmethod
    def build(cls, name: str, posts: Sequence[Post], encode: EncodeTexts) -> "KeywordPart":
        """Score the terms of all posts, and their stop words apart."""
        return cls.from_terms(
            [document_terms(post) for post in posts],
            [document_terms(post, stop_words) for post in posts],
        )

    @classmethod
    def from_terms(cls, *documents: Sequence[Sequence[str]]) -> "KeywordPart":
        """Freeze the Okapi scores of each term of each document (see `_okapi`).

        Args:
            documents: The terms of each document; more than once for kinds of terms that have no
                term in common and are scored apart.
        """
        from scipy.sparse import vstack

        matrices: list[csr_array] = []
        names: list[str] = []
        for number, terms_of_documents in enumerate(documents):
            # BM25Okapi divides by the mean length, which must not be 0. No text has a term of spaces, and
            # each kind of terms has its own: all terms of the vocabulary are different.
            no_terms = [" " * number]
            matrix, terms_of_rows = _okapi([terms or no_terms for terms in terms_of_documents])
            matrices.append(matrix)
            names += terms_of_rows
        return cls(vstack(matrices, format="csr"), {name: row for row, name in enumerate(names)})

    def scores(self, queries: Sequence[Sequence[str]]) -> NDArray[np.float64]:
        """Return the score of each document for each query, shape (queries, documents).

        A query is its terms; a term that it repeats counts as often.
        """
        from scipy.sparse import csr_array

        columns_of = [
            [self._vocabulary[t] for t in terms if t in self._vocabulary] for terms in queries
        ]
        ends = np.cumsum([0, *map(len, columns_of)])
        columns = np.array([column for row in columns_of for column in row], dtype=int)
        shape = (len(queries), len(self._vocabulary))
        counts = csr_array((np.ones(len(columns)), columns, ends), shape=shape)
        counts.sum_duplicates()
        scores: NDArray[np.float64] = (counts @ self._scores).toarray()
        return scores

    def nominate(self, batch: QueryBatch, pool: int) -> list[NDArray[np.int64]]:
        """Return the best posts that share a term with a query; equal ones at the end all count."""
        return [_best(scores, pool) for scores in self._batch_scores(batch)]

    def score(
        self, batch: QueryBatch, position: int, rows: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return Okapi's scores; where other parts are weighed too, over the best of the query."""
        scores: NDArray[np.float64] = self._batch_scores(batch)[position]
        best = float(scores.max(initial=0.0)) if batch.is_fused else 1.0
        return scores[rows] / (best or 1.0)

    def _batch_scores(self, batch: QueryBatch) -> NDArray[np.float64]:
        """Return the score of each post for each query, 0 for excluded posts."""
        if self not in batch.scores:
            scores = self.scores([query_terms(query) for query in batch.queries])
            # An excluded post must not set the best score, by which all others are divided.
            scores[:, list(batch.excluded)] = 0.0
            batch.scores[self] = scores
        return batch.scores[self]

    def save(self, folder: Path) -> None:
        """Write raw arrays and the vocabulary."""
        for name in _ARRAYS:
            np.save(folder / f"{name}.npy", getattr(self._scores, name), allow_pickle=False)
        stored = {"documents": self._scores.shape[1], "terms": list(self._vocabulary)}
        (folder / "vocabulary.json").write_text(json.dumps(stored), encoding="utf-8")

    @classmethod
    def open(cls, folder: Path, name: str = "keyword") -> "KeywordPart":
        """Open the files of `save`; the arrays stay on disk until they are read."""
        from scipy.sparse import csr_array

        stored = json.loads((folder / "vocabulary.json").read_text(encoding="utf-8"))
        vocabulary = {term: row for row, term in enumerate(stored["terms"])}
        data, indices, indptr = (open_array(folder / f"{array}.npy") for array in _ARRAYS)
        shape = (len(vocabulary), stored["documents"])
        return cls(csr_array((data, indices, indptr), shape=shape), vocabulary)


def _best(scores: NDArray[np.float64], pool: int) -> NDArray[np.int64]:
    """Return the rows of the best scores above 0; of equal ones the first rows."""
    if pool < len(scores):
        least = np.partition(scores, -pool)[-pool]
        # Equal sums can differ in their last bits: all that may be among the best are nominated.
        rows = np.flatnonzero(scores >= least - 10.0**-SCORE_DECIMALS)
    else:
        rows = np.arange(len(scores))
    return rows[scores[rows] > 0]


def _okapi(documents: Sequence[Sequence[str]]) -> "tuple[csr_array, list[str]]":
    """Return the scores of `rank_bm25.BM25Okapi`, shape (terms, documents), and the terms.

    The score of a term t in a document d of length |d| (Robertson et al. 1994):
    idf(t) f (k1 + 1) / (f + k1 (1 - b + b |d| / mean length)), f the frequency of t in d.
    """
    from rank_bm25 import BM25Okapi
    from scipy.sparse import coo_array

    bm25 = BM25Okapi(documents, k1=K1, b=B, epsilon=EPSILON)
    vocabulary = {term: row for row, term in enumerate(bm25.idf)}
    sizes = [len(frequencies) for frequencies in bm25.doc_freqs]
    columns = np.repeat(np.arange(len(sizes)), sizes)
    rows = np.array([vocabulary[t] for counts in bm25.doc_freqs for t in counts], dtype=int)
    frequency = np.array([f for counts in bm25.doc_freqs for f in counts.values()], dtype=float)
    idf = _positive(np.array(list(bm25.idf.values())), np.bincount(rows), len(sizes))[rows]
    lengths = np.array(bm25.doc_len)[columns]
    norm = K1 * (1 - B + B * lengths / bm25.avgdl)
    values = idf * frequency * (K1 + 1) / (frequency + norm)
    matrix = coo_array((values, (rows, columns)), shape=(len(vocabulary), len(sizes)))
    return matrix.tocsr(), list(vocabulary)


def _positive(
    idf: NDArray[np.float64], counts: NDArray[np.int64], documents: int
) -> NDArray[np.float64]:
    """Replace each idf that is not above 0 by Lucene's, which always is.

    `rank_bm25` gives 0 to a term of exactly half of the documents, and less where most terms are in
    most documents: no query would find a corpus of one or two posts. No replaced idf exceeds those
    that stay: a term of half of the documents tells less than a rarer one.
    """
    positive = idf > 0
    lucene = np.log(1 + (documents - counts + 0.5) / (counts + 0.5))
    return np.where(positive, idf, np.minimum(lucene, idf[positive].min(initial=np.inf)))

"""Keyword retrieval: the Okapi scores of rank_bm25, frozen at build into a sparse matrix."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from scipy.sparse import csc_array

K1, B, EPSILON = 1.5, 0.75, 0.25
PARAMETERS: dict[str, object] = {"k1": K1, "b": B, "epsilon": EPSILON, "tokenizer": 1}
"""Part of an index's identity; count `tokenizer` up when `tokenize` changes."""

_ARRAYS = ("data", "indices", "indptr")
FILES = (*(f"{name}.npy" for name in _ARRAYS), "vocabulary.json")
_WORD = re.compile(r"[a-z0-9_]+(?:\.[a-z0-9_]+)*[+#]*")


def tokenize(text: str) -> list[str]:
    """Split text and code into lower-case terms: words, `c++`, `c#`; dotted names whole and in parts."""
    terms = []
    for word in _WORD.findall(text.lower()):
        terms.append(word)
        if "." in word:
            terms.extend(word.split("."))
    return terms


class KeywordIndex:
    """Scores of every (term, document) pair: column t, row d."""

    def __init__(self, scores: "csc_array", vocabulary: dict[str, int]) -> None:
        self._scores = scores
        self._vocabulary = vocabulary

    @classmethod
    def build(cls, texts: Sequence[str]) -> "KeywordIndex":
        """Freeze the scores that `rank_bm25.BM25Okapi` would compute for each query term."""
        import numpy as np
        from rank_bm25 import BM25Okapi
        from scipy.sparse import coo_array

        tokens = [tokenize(text) or [""] for text in texts]
        bm25 = BM25Okapi(tokens, k1=K1, b=B, epsilon=EPSILON)
        vocabulary = {term: column for column, term in enumerate(bm25.idf)}
        rows, columns, values = [], [], []
        for row, (frequencies, length) in enumerate(zip(bm25.doc_freqs, bm25.doc_len, strict=True)):
            norm = K1 * (1 - B + B * length / bm25.avgdl)
            for term, frequency in frequencies.items():
                rows.append(row)
                columns.append(vocabulary[term])
                values.append(bm25.idf[term] * frequency * (K1 + 1) / (frequency + norm))
        shape = (len(texts), len(vocabulary))
        matrix = coo_array((np.array(values, dtype=np.float64), (rows, columns)), shape=shape)
        return cls(matrix.tocsc(), vocabulary)

    def scores(self, query: str) -> "NDArray[np.float64]":
        """Return the score of each document, shape [documents]; a repeated term counts twice."""
        import numpy as np

        columns = [self._vocabulary[t] for t in tokenize(query) if t in self._vocabulary]
        total = np.zeros(self._scores.shape[0])
        indptr, indices, data = self._scores.indptr, self._scores.indices, self._scores.data
        for column in columns:
            part = slice(indptr[column], indptr[column + 1])
            total[indices[part]] += data[part]
        return total

    def save(self, folder: Path) -> None:
        """Write raw arrays and the vocabulary."""
        import numpy as np

        for name in _ARRAYS:
            np.save(folder / f"{name}.npy", getattr(self._scores, name), allow_pickle=False)
        vocabulary = json.dumps({"rows": self._scores.shape[0], "terms": list(self._vocabulary)})
        (folder / "vocabulary.json").write_text(vocabulary, encoding="utf-8")

    @classmethod
    def open(cls, folder: Path) -> "KeywordIndex":
        """Read what `save` wrote; the arrays stay on disk until they are touched."""
        import numpy as np
        from scipy.sparse import csc_array

        stored = json.loads((folder / "vocabulary.json").read_text(encoding="utf-8"))
        vocabulary = {term: column for column, term in enumerate(stored["terms"])}
        data, indices, indptr = (
            np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in _ARRAYS
        )
        shape = (stored["rows"], len(vocabulary))
        return cls(csc_array((data, indices, indptr), shape=shape), vocabulary)

"""Frozen keyword scores against rank_bm25: python -m bench.keyword_speed --corpus --queries.

Both sides score the same documents for the same queries, in terms made beforehand, in turn in one
process: `rank_bm25.BM25Okapi.get_scores`, and the frozen matrix. Their ten best are compared, ties by
row. It also says how much faster an index on disk is opened again than it is built.
"""

import argparse
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from rank_bm25 import BM25Okapi

from evaluation.ranking.judged_queries import read_queries
from graph.config import load_settings
from graph.retrieval.documents import read_corpus
from graph.retrieval.index import build_or_verify
from graph.retrieval.parts import keyword
from graph.retrieval.parts.keyword import KeywordIndex
from graph.retrieval.query import Query
from graph.retrieval.searching import OpenIndex

BATCH = 100


def main() -> None:
    """Measure and print."""
    arguments = _arguments()
    posts = list(read_corpus(arguments.corpus))
    documents = [keyword.document_terms(post) for post in posts]
    questions = [Query.of(text) for text, _ in read_queries(arguments.queries).values()]
    step = max(1, len(questions) // arguments.sample)
    asked = [keyword.query_terms(question) for question in questions[::step]][: arguments.sample]
    okapi = BM25Okapi(documents, k1=keyword.K1, b=keyword.B, epsilon=keyword.EPSILON)
    frozen = KeywordIndex.build(documents)

    slow = fast = 0.0
    same, worst = 0, 0.0
    for start in range(0, len(asked), BATCH):
        batch = asked[start : start + BATCH]
        begun = perf_counter()
        ours = frozen.scores(batch)
        fast += perf_counter() - begun
        begun = perf_counter()
        theirs = [okapi.get_scores(terms) for terms in batch]
        slow += perf_counter() - begun
        for mine, other in zip(ours, theirs, strict=True):
            same += _best(mine) == _best(other)
            worst = max(worst, float(np.abs(mine - other).max()))
    print(
        f"{len(posts)} posts, {len(asked)} queries, {np.mean([len(a) for a in asked]):.0f} terms each"
    )
    print(
        f"rank_bm25: {len(asked) / slow:.1f} queries/s; frozen: {len(asked) / fast:.0f} queries/s"
    )
    print(
        f"ratio: {slow / fast:.0f}; same ten best: {same} of {len(asked)}; largest difference {worst:.1e}"
    )
    _reopening(arguments.corpus)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--queries", type=Path, required=True)
    parser.add_argument("--sample", type=int, default=300)
    return parser.parse_args()


def _best(scores: NDArray[np.float64]) -> list[int]:
    rounded = scores.round(9)
    return [int(row) for row in np.argsort(-rounded, kind="stable")[:10]]


def _reopening(corpus: Path) -> None:
    settings = load_settings("keyword", "embedded", [])
    retrieval, embedder = settings.config.retrieval, settings.profile.embedder
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "index"
        begun = perf_counter()
        build_or_verify(retrieval, corpus, embedder, folder)
        built = perf_counter() - begun
        begun = perf_counter()
        OpenIndex.open(retrieval, build_or_verify(retrieval, corpus, embedder, folder), embedder)
        opened = perf_counter() - begun
    print(
        f"keyword index: built in {built:.1f} s, opened in {opened:.2f} s, {built / opened:.0f} times"
    )


if __name__ == "__main__":
    main()

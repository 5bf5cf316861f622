"""The speed of the keyword index beside rank_bm25.

Run `python -m bench.keyword_speed --corpus PATH --queries PATH [--sample N]`.

Both sides score the same posts for the same queries, alternately in one process, from terms that are
computed beforehand: `rank_bm25.BM25Okapi.get_scores`, and the matrix of scores of the keyword index.

Prints queries per second of both sides and their ratio, the number of queries with the same ten best
posts (ties by row), the largest difference of a score, and the seconds to build an index and to open
it again.
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
from graph.retrieval.corpus import read_corpus
from graph.retrieval.index import build_or_verify
from graph.retrieval.parts import keyword
from graph.retrieval.parts.keyword import KeywordPart
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
    queries = [keyword.query_terms(question) for question in questions[::step]][: arguments.sample]
    okapi = BM25Okapi(documents, k1=keyword.K1, b=keyword.B, epsilon=keyword.EPSILON)
    index = KeywordPart.from_terms(documents)

    slow = fast = 0.0
    same, worst = 0, 0.0
    for first in range(0, len(queries), BATCH):
        batch = queries[first : first + BATCH]
        start = perf_counter()
        index_scores = index.scores(batch)
        fast += perf_counter() - start
        start = perf_counter()
        okapi_scores = [okapi.get_scores(terms) for terms in batch]
        slow += perf_counter() - start
        for ours, theirs in zip(index_scores, okapi_scores, strict=True):
            same += _best(ours) == _best(theirs)
            worst = max(worst, float(np.abs(ours - theirs).max()))
    count = len(queries)
    terms = sum(map(len, queries)) / count
    print(f"{len(posts)} posts, {count} queries, {terms:.0f} terms each")
    print(f"rank_bm25: {count / slow:.1f} queries/s; keyword index: {count / fast:.0f} queries/s")
    print(
        f"ratio: {slow / fast:.0f}; same ten best: {same} of {count}; "
        f"largest difference {worst:.1e}"
    )
    _print_reopening(arguments.corpus)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--queries", type=Path, required=True)
    parser.add_argument("--sample", type=int, default=300)
    return parser.parse_args()


def _best(scores: NDArray[np.float64]) -> list[int]:
    # Rounded, because the two sides add the same terms in another order.
    rounded = scores.round(9)
    return [int(row) for row in np.argsort(-rounded, kind="stable")[:10]]


def _print_reopening(corpus: Path) -> None:
    settings = load_settings("keyword", "embedded", [])
    retrieval, embedder = settings.config.retrieval, settings.profile.embedder
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "index"
        start = perf_counter()
        build_or_verify(retrieval, corpus, embedder, folder)
        build_seconds = perf_counter() - start
        start = perf_counter()
        OpenIndex.open(retrieval, build_or_verify(retrieval, corpus, embedder, folder), embedder)
        open_seconds = perf_counter() - start
    print(
        f"keyword index: built in {build_seconds:.1f} s, opened in {open_seconds:.2f} s, "
        f"{build_seconds / open_seconds:.0f} times"
    )


if __name__ == "__main__":
    main()

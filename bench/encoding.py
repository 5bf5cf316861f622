"""The speed of the sentence encoder beside `SentenceTransformer.encode`, and its effect on nDCG@10.

Run `python -m bench.encoding --corpus PATH --queries PATH --qrels PATH [--documents N] [--parts N]`.

Both sides encode the same posts in the same process: `SentenceTransformer.encode(batch_size=64)` in
float32, and our encoder in the precision of the profile. The posts are split into parts, and the side
that goes first alternates by part, since the speed of a shared machine changes from minute to minute.

Prints posts per second and their ratio, the lowest cosine between both vectors of a post, and nDCG@10
over the queries whose relevant posts are all among the encoded ones.
"""

import argparse
import statistics
from collections.abc import Callable, Sequence
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from bench.judged_posts import judged_parser, sample_judged
from evaluation.ranking.config_means import differences, means
from evaluation.ranking.judged_queries import JudgedQuery
from evaluation.ranking.rank_measures import DEPTH, QueryScores, score_rankings
from graph.config import load_profile
from graph.models import packaged
from graph.retrieval.encoder import Encoder
from graph.retrieval.parts.vectors import VectorPart
from graph.retrieval.posts import Post
from graph.retrieval.query import Query
from graph.retrieval.retriever import RankedQuestion

Encode = Callable[[Sequence[str]], NDArray[np.float32]]
OURS = "ours"
STOCK = "SentenceTransformer, float32, batch 64"


def main() -> None:
    """Measure and print."""
    arguments = _arguments()
    posts, queries = sample_judged(arguments)
    texts = [post.field_text("question") for post in posts]
    sides = _sides()
    for encode in sides.values():
        # Loads the weights before anything is timed.
        encode(texts[:8])

    vectors, seconds = _timed(sides, texts, arguments.parts)
    for name, times in seconds.items():
        print(f"{name}: {len(texts) / sum(times):.1f} posts/s, {sum(times):.0f} s")
    ratios = [b / a for a, b in zip(seconds[OURS], seconds[STOCK], strict=True)]
    print(
        f"ratio: {sum(seconds[STOCK]) / sum(seconds[OURS]):.2f} over all, median of parts "
        f"{statistics.median(ratios):.2f}, range {min(ratios):.2f} to {max(ratios):.2f}, "
        f"n={len(ratios)} parts of {len(texts) // len(ratios)} posts"
    )
    cosines = (vectors[OURS] * vectors[STOCK]).sum(axis=1)
    print(f"cosine of both vectors of a post: least {cosines.min():.5f}")
    scores = {name: _scores(sides[name], vectors[name], posts, queries) for name in (STOCK, OURS)}
    for name, values in scores.items():
        estimate = means(queries, values)["all"]["nDCG@10"]
        print(f"{name}: nDCG@10 {estimate['mean']:.4f}, n={estimate['n']} queries")
    for difference in differences(queries, scores):
        if difference["kind"] == "all" and difference["metric"] == "nDCG@10":
            print(f"difference {difference['mean']:+.4f}, 95 % {difference['ci95']}")


def _arguments() -> argparse.Namespace:
    parser = judged_parser(__doc__)
    parser.add_argument("--documents", type=int, default=2000)
    parser.add_argument("--parts", type=int, default=8)
    return parser.parse_args()


def _sides() -> dict[str, Encode]:
    from sentence_transformers import SentenceTransformer

    spec = load_profile("embedded").embedder
    folder = str(packaged.model_folder(spec.model))
    stock = SentenceTransformer(folder, local_files_only=True).float()

    def encode_stock(texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = stock.encode(list(texts), batch_size=64, normalize_embeddings=True)
        return np.asarray(vectors, dtype=np.float32)

    return {OURS: Encoder(spec).encode, STOCK: encode_stock}


def _timed(
    sides: dict[str, Encode], texts: Sequence[str], parts: int
) -> tuple[dict[str, NDArray[np.float32]], dict[str, list[float]]]:
    """Return the vectors of all texts, shape (texts, dimension), and the seconds of each part."""
    vectors: dict[str, list[NDArray[np.float32]]] = {name: [] for name in sides}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    step = -(-len(texts) // parts)
    for number in range(parts):
        part = texts[number * step : (number + 1) * step]
        for name in sorted(sides, reverse=number % 2 == 1):
            start = perf_counter()
            vectors[name].append(sides[name](part))
            seconds[name].append(perf_counter() - start)
    return {name: np.concatenate(arrays) for name, arrays in vectors.items()}, seconds


def _scores(
    encode: Encode,
    vectors: NDArray[np.float32],
    posts: Sequence[Post],
    queries: Sequence[JudgedQuery],
) -> QueryScores:
    query_vectors = encode([Query.of(query.text).plain_text for query in queries])
    nearest = VectorPart.from_vectors("question", vectors).search(query_vectors, DEPTH)
    rankings = [
        [
            RankedQuestion(posts[row].question_id, float(cosine))
            for row, cosine in zip(rows, cosines, strict=True)
        ]
        for rows, cosines in zip(nearest.rows, nearest.scores, strict=True)
    ]
    return score_rankings(rankings, [query.relevant for query in queries])


if __name__ == "__main__":
    main()

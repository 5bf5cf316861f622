"""How fast posts are encoded, and what that costs: python -m bench.encoding --corpus --queries --qrels.

Both sides encode the same posts in the same process: `SentenceTransformer.encode(batch_size=64)` in
float32, and our encoder in the precision of the profile. The posts are dealt into parts, and the
sides take turns at going first in each part, since a shared machine changes its speed from minute
to minute. nDCG@10 is that of the queries whose relevant posts are among the encoded ones.
"""

import argparse
import random
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from evaluation.ranking.config_means import differences, means
from evaluation.ranking.judged_queries import JudgedQuery, load_judged
from evaluation.ranking.rank_measures import QueryScores, score_rankings
from graph.config import load_profile
from graph.models import packaged as embedded
from graph.retrieval.documents import Post, read_corpus
from graph.retrieval.encoder import Encoder
from graph.retrieval.parts.vectors import VectorIndex
from graph.retrieval.query import Query
from graph.retrieval.retriever import RankedQuestion

Encode = Callable[[Sequence[str]], NDArray[np.float32]]
DEPTH = 100
"""Posts of a ranking that are looked at."""


def main() -> None:
    """Measure and print."""
    arguments = _arguments()
    judged = load_judged(arguments.queries, arguments.qrels, arguments.corpus)
    posts = sample(arguments.corpus, judged.queries, arguments.documents)
    ids = {post.question_id for post in posts}
    queries = [query for query in judged.queries if set(query.relevant) <= ids]
    texts = [post.field_text("question") for post in posts]
    sides = _sides()
    for encode in sides.values():
        encode(texts[:8])

    vectors, seconds = _timed(sides, texts, arguments.parts)
    ours, stock = seconds
    ratios = [b / a for a, b in zip(seconds[ours], seconds[stock], strict=True)]
    for name, spent in seconds.items():
        print(f"{name}: {len(texts) / sum(spent):.1f} posts/s, {sum(spent):.0f} s")
    print(
        f"ratio: {sum(seconds[stock]) / sum(seconds[ours]):.2f} over all, median of parts "
        f"{statistics.median(ratios):.2f}, range {min(ratios):.2f} to {max(ratios):.2f}, "
        f"n={len(ratios)} parts of {len(texts) // len(ratios)} posts"
    )
    cosines = (vectors[ours] * vectors[stock]).sum(axis=1)
    print(f"cosine of both vectors of a post: least {cosines.min():.5f}")
    scores = {name: _scores(sides[name], vectors[name], posts, queries) for name in (stock, ours)}
    for name, values in scores.items():
        found = means(queries, values)["all"]["nDCG@10"]
        print(f"{name}: nDCG@10 {found['mean']:.4f}, n={found['n']} queries")
    for found in differences(queries, scores):
        if found["kind"] == "all" and found["metric"] == "nDCG@10":
            print(f"difference {found['mean']:+.4f}, 95 % {found['ci95']}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("corpus", "queries", "qrels"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--documents", type=int, default=2000)
    parser.add_argument("--parts", type=int, default=8)
    return parser.parse_args()


def sample(corpus: Path, queries: Sequence[JudgedQuery], count: int) -> list[Post]:
    """Return posts that some query is for, half of them at most, and others at random."""
    draw = random.Random(0)
    posts = list(read_corpus(corpus))
    wanted = {name for query in queries for name in query.relevant}
    draw.shuffle(posts)
    relevant = [post for post in posts if post.question_id in wanted][: count // 2]
    others = [post for post in posts if post.question_id not in wanted]
    sample = (relevant + others)[:count]
    draw.shuffle(sample)
    return sample


def _sides() -> dict[str, Encode]:
    from sentence_transformers import SentenceTransformer

    spec = load_profile("embedded").embedder
    encoder = Encoder(spec)
    stock = SentenceTransformer(
        str(embedded.model_folder(spec.model)), local_files_only=True
    ).float()

    def encode_stock(texts: Sequence[str]) -> NDArray[np.float32]:
        found = stock.encode(list(texts), batch_size=64, normalize_embeddings=True)
        return np.asarray(found, dtype=np.float32)

    return {"ours": encoder.encode, "SentenceTransformer, float32, batch 64": encode_stock}


def _timed(
    sides: dict[str, Encode], texts: Sequence[str], parts: int
) -> tuple[dict[str, NDArray[np.float32]], dict[str, list[float]]]:
    made: dict[str, list[NDArray[np.float32]]] = {name: [] for name in sides}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    step = -(-len(texts) // parts)
    for number in range(parts):
        part = texts[number * step : (number + 1) * step]
        for name in sorted(sides, reverse=number % 2 == 1):
            start = perf_counter()
            made[name].append(sides[name](part))
            seconds[name].append(perf_counter() - start)
    return {name: np.concatenate(arrays) for name, arrays in made.items()}, seconds


def _scores(
    encode: Encode,
    vectors: NDArray[np.float32],
    posts: Sequence[Post],
    queries: Sequence[JudgedQuery],
) -> QueryScores:
    asked = encode([Query.of(query.text).plain_text for query in queries])
    found = VectorIndex.build(vectors).search(asked, DEPTH)
    rankings = [
        [
            RankedQuestion(posts[row].question_id, float(value))
            for row, value in zip(*each, strict=True)
        ]
        for each in zip(found.rows, found.scores, strict=True)
    ]
    return score_rankings(rankings, [query.relevant for query in queries])


if __name__ == "__main__":
    main()

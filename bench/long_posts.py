"""The gain in nDCG@10 of ways to encode posts that are longer than the 256 tokens MiniLM reads.

Run `python -m bench.long_posts --corpus PATH --queries PATH --qrels PATH [--documents N]`.

Compares on some thousand posts, over the queries whose relevant posts are all among them: the text in
its original order; prose before code, as the index encodes it; and prose before code with a second vector
for the words that do not fit into the first, with the better or the mean of both cosines.

Prints the share of posts that are too long, nDCG@10 of each way by kind of query, and the differences
from prose before code.
"""

import argparse
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bench.judged_posts import format_difference, judged_parser, sample_judged
from evaluation.ranking.config_means import differences, means
from evaluation.ranking.judged_queries import JudgedQuery
from evaluation.ranking.rank_measures import DEPTH, QueryScores, score_rankings
from graph.config import load_profile
from graph.retrieval.encoder import Encoder
from graph.retrieval.query import Query
from graph.retrieval.retriever import RankedQuestion

WORDS = 170
"""Words that fill about 256 tokens; texts are cut after so many words."""


def main() -> None:
    """Measure and print."""
    arguments = _arguments()
    posts, queries = sample_judged(arguments)
    encoder = Encoder(load_profile("embedded").embedder)
    plain = [post.field_text("question") for post in posts]
    rest = [" ".join(text.split()[WORDS:]) for text in plain]
    long = np.array([bool(text) for text in rest])
    print(
        f"{len(posts)} posts, {long.mean():.0%} of them over {WORDS} words; {len(queries)} queries"
    )

    questions = [Query.of(query.text) for query in queries]
    original = encoder.encode([f"{post.title}\n{post.question}" for post in posts])
    original_queries = encoder.encode([question.text for question in questions])
    query_vectors = encoder.encode([question.plain_text for question in questions])
    first = query_vectors @ encoder.encode(plain).T
    second = query_vectors @ encoder.encode(rest).T
    cosines = {
        "original order": original_queries @ original.T,
        "prose first": first,
        "better of two": np.where(long, np.maximum(first, second), first),
        "mean of two": np.where(long, (first + second) / 2, first),
    }
    ids = [post.question_id for post in posts]
    _print(queries, {name: _scores(values, ids, queries) for name, values in cosines.items()})


def _arguments() -> argparse.Namespace:
    parser = judged_parser(__doc__)
    parser.add_argument("--documents", type=int, default=3000)
    return parser.parse_args()


def _scores(
    cosines: NDArray[np.float32], ids: Sequence[str], queries: Sequence[JudgedQuery]
) -> QueryScores:
    """Return the scores of each query's ranking; cosines have the shape (queries, posts)."""
    rankings = [
        [
            RankedQuestion(ids[row], float(values[row]))
            for row in np.argsort(-values, kind="stable")[:DEPTH]
        ]
        for values in cosines
    ]
    return score_rankings(rankings, [query.relevant for query in queries])


def _print(queries: Sequence[JudgedQuery], scores: dict[str, QueryScores]) -> None:
    for name, values in scores.items():
        by_kind = {
            kind: f"{row['nDCG@10']['mean']:.3f}" for kind, row in means(queries, values).items()
        }
        print(f"{name:<14} nDCG@10 {by_kind}")
    for difference in differences(queries, scores):
        a, b = difference["a"], difference["b"]
        if difference["metric"] == "nDCG@10" and "prose first" in (a, b):
            text = format_difference(difference["mean"], difference["ci95"])
            print(f"{a} - {b}, {difference['kind']}: {text}")


if __name__ == "__main__":
    main()

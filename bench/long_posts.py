"""What of a post that is too long for the encoder: python -m bench.long_posts --corpus --queries --qrels.

MiniLM reads 256 tokens. Compared on some thousand real posts, all queries whose relevant posts are
among them: the text in its own order, prose before code (what the index does), and prose before
code with a second vector for what the first does not read, taking the better or the mean of both
cosines. It also says how many posts are too long.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.encoding import DEPTH, sample
from evaluation.ranking.config_means import differences, means
from evaluation.ranking.judged_queries import JudgedQuery, load_judged
from evaluation.ranking.rank_measures import QueryScores, score_rankings
from graph.config import load_profile
from graph.retrieval.encoder import Encoder
from graph.retrieval.query import Query
from graph.retrieval.retriever import RankedQuestion

WORDS = 170
"""Words that fill 256 tokens, about: a text is cut between words, by their number."""


def main() -> None:
    """Measure and print."""
    arguments = _arguments()
    judged = load_judged(arguments.queries, arguments.qrels, arguments.corpus)
    posts = sample(arguments.corpus, judged.queries, arguments.documents)
    names = [post.question_id for post in posts]
    queries = [query for query in judged.queries if set(query.relevant) <= set(names)]
    encoder = Encoder(load_profile("embedded").embedder)
    questions = [Query.of(query.text) for query in queries]
    plain = [post.field_text("question") for post in posts]
    rest = [" ".join(text.split()[WORDS:]) for text in plain]
    long = np.array([bool(text) for text in rest])
    print(
        f"{len(posts)} posts, {long.mean():.0%} of them over {WORDS} words; {len(queries)} queries"
    )

    as_it_stands = encoder.encode([f"{post.title}\n{post.question}" for post in posts])
    asked_as_it_stands = encoder.encode([question.text for question in questions])
    asked = encoder.encode([question.plain_text for question in questions])
    first = asked @ encoder.encode(plain).T
    second = asked @ encoder.encode(rest).T
    cosines = {
        "as it stands": asked_as_it_stands @ as_it_stands.T,
        "prose first": first,
        "better of two": np.where(long, np.maximum(first, second), first),
        "mean of two": np.where(long, (first + second) / 2, first),
    }
    _print(queries, {name: _scores(values, names, queries) for name, values in cosines.items()})


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("corpus", "queries", "qrels"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--documents", type=int, default=3000)
    return parser.parse_args()


def _scores(
    cosines: NDArray[np.float32], names: Sequence[str], queries: Sequence[JudgedQuery]
) -> QueryScores:
    rankings = [
        [
            RankedQuestion(names[row], float(values[row]))
            for row in np.argsort(-values, kind="stable")
        ]
        for values in cosines
    ]
    first = [ranking[:DEPTH] for ranking in rankings]
    return score_rankings(first, [query.relevant for query in queries])


def _print(queries: Sequence[JudgedQuery], scores: dict[str, QueryScores]) -> None:
    for name, values in scores.items():
        shown = {
            kind: f"{row['nDCG@10']['mean']:.3f}" for kind, row in means(queries, values).items()
        }
        print(f"{name:<14} nDCG@10 {shown}")
    for found in differences(queries, scores):
        if found["metric"] == "nDCG@10" and "prose first" in (found["a"], found["b"]):
            low, high = found["ci95"] or (float("nan"), float("nan"))
            print(
                f"{found['a']} - {found['b']}, {found['kind']}: {found['mean']:+.3f}, "
                f"95 % {low:+.3f} to {high:+.3f}"
            )


if __name__ == "__main__":
    main()

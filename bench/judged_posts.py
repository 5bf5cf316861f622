"""The judged queries and posts that several measurements rank: options, a sample, intervals."""

import argparse
import random
from collections.abc import Sequence
from pathlib import Path

from evaluation.ranking.judged_queries import JudgedQuery, load_judged
from graph.retrieval.corpus import read_corpus
from graph.retrieval.posts import Post


def judged_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser with the required options --corpus, --queries and --qrels."""
    parser = argparse.ArgumentParser(description=description)
    for name in ("corpus", "queries", "qrels"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    return parser


def sample_judged(arguments: argparse.Namespace) -> tuple[list[Post], list[JudgedQuery]]:
    """Return `--documents` posts, and the queries whose relevant posts are all among them.

    At most half of the posts are relevant to a query; the others are drawn at random. The seed is
    fixed.
    """
    judged = load_judged(arguments.queries, arguments.qrels, arguments.corpus)
    rng = random.Random(0)
    corpus = list(read_corpus(arguments.corpus))
    relevant_ids = {name for query in judged.queries for name in query.relevant}
    rng.shuffle(corpus)
    relevant = [post for post in corpus if post.question_id in relevant_ids]
    unrelated = [post for post in corpus if post.question_id not in relevant_ids]
    posts = (relevant[: arguments.documents // 2] + unrelated)[: arguments.documents]
    rng.shuffle(posts)
    ids = {post.question_id for post in posts}
    return posts, [query for query in judged.queries if set(query.relevant) <= ids]


def format_difference(mean: float, ends: Sequence[float] | None) -> str:
    """Return a mean difference with its 95 % interval; None means that there is no interval."""
    interval = "none" if ends is None else f"{ends[0]:+.3f} to {ends[1]:+.3f}"
    return f"{mean:+.3f}, 95 % {interval}"

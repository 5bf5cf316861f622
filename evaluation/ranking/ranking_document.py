"""The document of a retrieval measurement: means of each config, their differences, and speed."""

from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import NamedTuple, TypedDict

from evaluation.ranking.config_means import Means, RankingDifference, differences, means
from evaluation.ranking.judged_queries import JudgedQueries
from evaluation.ranking.rank_measures import (
    DEPTH,
    HasQuestionId,
    QueryScores,
    Ranker,
    score_rankings,
)
from graph.support.progress import progress

BATCH = 256
"""Queries ranked at once: enough for batched encoding, few enough to show progress."""

NOTES = {
    "mean": "by query; n queries with at least one relevant question in the corpus",
    "by_document": "queries that share a relevant question, directly or through others, are one "
    "group and count once; n groups",
    "ci95": "95 % percentile bootstrap over those groups; Wilson's interval where each group scores 0 "
    "or 1; null below two groups, and where all groups score the same",
    "differences": "mean of a - b over the same queries: positive where a is better",
    "MRR": f"over the first {DEPTH} questions",
    "queries_per_second": f"ranking the first {DEPTH} questions alone, {BATCH} queries in a batch, "
    "index open and encoder warm",
}


class RankingDocument(TypedDict):
    """The JSON document of `retrieval --json`."""

    configs: dict[str, Means]
    differences: list[RankingDifference]
    queries_per_second: dict[str, float]
    queries: int
    corpus_questions: int
    left_out: dict[str, int]
    corpus: str
    profile: str
    notes: dict[str, str]


class TimedRankings(NamedTuple):
    """The ranking of each query, and the time that ranking took."""

    rankings: list[Sequence[HasQuestionId]]
    seconds: float


def ranking_document(
    judged: JudgedQueries,
    rankers: Mapping[str, Callable[[], Ranker]],
    *,
    corpus: str,
    profile: str,
) -> RankingDocument:
    """Rank the queries with each config and compute its scores and speed.

    Args:
        judged: The queries.
        rankers: The function that opens each config's ranker, by config; one is open at a time.
        corpus: The corpus, as the document names it.
        profile: Name of the profile.
    """
    relevant = [query.relevant for query in judged.queries]
    texts = [query.text for query in judged.queries]
    scores: dict[str, QueryScores] = {}
    rates: dict[str, float] = {}
    for name, open_ranker in rankers.items():
        rankings, seconds = rank_queries(open_ranker(), texts, name)
        scores[name] = score_rankings(rankings, relevant)
        rates[name] = len(rankings) / max(seconds, 1e-9)
    return {
        "configs": {name: means(judged.queries, values) for name, values in scores.items()},
        "differences": differences(judged.queries, scores),
        "queries_per_second": rates,
        "queries": len(judged.queries),
        "corpus_questions": judged.questions,
        "left_out": judged.left_out.counts(),
        "corpus": corpus,
        "profile": profile,
        "notes": NOTES,
    }


def rank_queries(ranker: Ranker, texts: Sequence[str], name: str) -> TimedRankings:
    """Rank all queries in batches, and time the ranking alone."""
    # Opens the index and loads the encoder before the clock starts.
    ranker.rank(texts[:1], DEPTH)
    rankings: list[Sequence[HasQuestionId]] = []
    seconds = 0.0
    with progress(f"ranking with {name}", len(texts), unit="queries") as bar:
        for start in range(0, len(texts), BATCH):
            batch = texts[start : start + BATCH]
            begun = perf_counter()
            ranked = ranker.rank(batch, DEPTH)
            seconds += perf_counter() - begun
            rankings.extend(ranked)
            bar.advance(len(batch))
    return TimedRankings(rankings, seconds)

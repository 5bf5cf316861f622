"""Metrics of rankings, computed by ir_measures (which runs trec_eval's own code)."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from graph.support.errors import MissingExtraError

if TYPE_CHECKING:
    from ir_measures import Measure

RANK_METRICS = ("nDCG@10", "R@1", "R@5", "R@10", "R@100", "MRR")
DEPTH = 100
"""Questions ranked per query: what stands lower counts as not found, for MRR too."""

QueryScores = dict[str, list[float]]
"""From metric to one value per query, in the order of the queries, each in [0, 1]."""


class Ranked(Protocol):
    """A question at its place in a ranking."""

    @property
    def question_id(self) -> str:
        """Its id in the corpus."""
        ...


class Ranker(Protocol):
    """What is measured."""

    def rank(self, queries: Sequence[str], depth: int) -> Sequence[Sequence[Ranked]]:
        """Return for each query at most `depth` questions, best first, none of them twice."""
        ...


def score_rankings(
    rankings: Sequence[Sequence[Ranked]], relevant: Sequence[Mapping[str, int]]
) -> QueryScores:
    """Return the value of each metric for each query.

    R@k is the share of a query's relevant questions among the first k; nDCG@10 (Jarvelin and
    Kekalainen 2002) takes the relevance itself as the gain and log2(rank + 1) as the discount; MRR
    is 1 / rank of the first relevant question, 0 where none is found. Questions without a
    judgment count as not relevant. The order is the one given: equal scores change nothing.

    Raises:
        ValueError: a ranking names a question twice.
        MissingExtraError: ir-measures is not installed.
    """
    measures = library_measures()
    import ir_measures

    qrels = {str(number): dict(judged) for number, judged in enumerate(relevant)}
    run = {str(number): _by_rank(ranking) for number, ranking in enumerate(rankings)}
    if len(run) != len(qrels):
        raise ValueError(f"{len(run)} rankings of {len(qrels)} queries")
    values = {
        (str(found.query_id), found.measure): float(found.value)
        for found in ir_measures.pytrec_eval.iter_calc(list(measures.values()), qrels, run)
    }
    return {
        name: [values[number, measure] for number in qrels] for name, measure in measures.items()
    }


def library_measures() -> dict[str, "Measure"]:
    """Return the library's measure for each metric.

    Raises:
        MissingExtraError: ir-measures is not installed.
    """
    try:
        from ir_measures import RR, R, nDCG
    except ImportError:
        raise MissingExtraError(
            "measuring retrieval needs ir-measures: pip install 'opencoder[measure]'"
        ) from None
    found = (nDCG @ 10, R @ 1, R @ 5, R @ 10, R @ 100, RR)
    return dict(zip(RANK_METRICS, found, strict=True))


def _by_rank(ranking: Sequence[Ranked]) -> dict[str, float]:
    """Return scores that say nothing but the order: trec_eval breaks ties by id, backwards."""
    scores = {ranked.question_id: float(-rank) for rank, ranked in enumerate(ranking, 1)}
    if len(scores) != len(ranking):
        raise ValueError("a ranking names a question twice")
    return scores

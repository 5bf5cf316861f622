"""Metrics of rankings: computed by ir_measures, which runs the code of trec_eval."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from graph.support.errors import MissingExtraError

if TYPE_CHECKING:
    from ir_measures import Measure

RANK_METRICS = ("nDCG@10", "R@1", "R@5", "R@10", "R@100", "MRR")
DEPTH = 100
"""Questions ranked for a query; a relevant one below it counts as not found, for MRR too."""

QueryScores = dict[str, list[float]]
"""By metric: one score in [0, 1] for each query, in the order of the queries."""


class HasQuestionId(Protocol):
    """A question of the corpus in a ranking."""

    @property
    def question_id(self) -> str:
        """The id in the corpus."""
        ...


class Ranker(Protocol):
    """A retriever that ranks questions of the corpus."""

    def rank(self, queries: Sequence[str], depth: int) -> Sequence[Sequence[HasQuestionId]]:
        """Return for each query at most `depth` different questions, best first."""
        ...


def score_rankings(
    rankings: Sequence[Sequence[HasQuestionId]], relevant: Sequence[Mapping[str, int]]
) -> QueryScores:
    """Compute each metric for each query.

    - R@k: share of a query's relevant questions among the first k.
    - nDCG@10 (Järvelin and Kekäläinen 2002): gain is the relevance, discount log2(rank + 1).
    - MRR: 1 / rank of the first relevant question; 0 if the ranking holds none.

    Questions without a judgment count as not relevant. Only the order of a ranking matters, not
    the scores behind it.

    Args:
        rankings: The questions of each query, best first.
        relevant: The relevance of questions by id, for each query.

    Raises:
        ValueError: A ranking holds a question twice, or there are not as many rankings as queries.
        MissingExtraError: ir-measures is not installed.
    """
    measures = library_measures()
    import ir_measures

    qrels = {str(number): dict(judged) for number, judged in enumerate(relevant)}
    run = {str(number): _scores_by_rank(ranking) for number, ranking in enumerate(rankings)}
    if len(run) != len(qrels):
        raise ValueError(f"{len(run)} rankings of {len(qrels)} queries")
    values = {
        (str(result.query_id), result.measure): float(result.value)
        for result in ir_measures.pytrec_eval.iter_calc(list(measures.values()), qrels, run)
    }
    return {
        name: [values[number, measure] for number in qrels] for name, measure in measures.items()
    }


def library_measures() -> dict[str, "Measure"]:
    """Return the measure of ir_measures for each metric.

    Raises:
        MissingExtraError: ir-measures is not installed.
    """
    try:
        from ir_measures import RR, R, nDCG
    except ImportError:
        raise MissingExtraError(
            "measuring retrieval needs ir-measures: pip install 'opencoder[measure]'"
        ) from None
    measures = (nDCG @ 10, R @ 1, R @ 5, R @ 10, R @ 100, RR)
    return dict(zip(RANK_METRICS, measures, strict=True))


def _scores_by_rank(ranking: Sequence[HasQuestionId]) -> dict[str, float]:
    """Return scores that fall with the rank: trec_eval sorts by score and breaks ties by id."""
    scores = {question.question_id: float(-rank) for rank, question in enumerate(ranking, 1)}
    if len(scores) != len(ranking):
        raise ValueError("a ranking names a question twice")
    return scores

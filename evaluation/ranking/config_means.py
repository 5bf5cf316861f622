"""Mean ranking metrics of configs on the same queries, and paired differences between configs."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy import float64
from numpy.typing import NDArray

from evaluation.ranking.judged_queries import ALL, JudgedQuery
from evaluation.ranking.rank_measures import RANK_METRICS, QueryScores
from evaluation.statistics.cluster_means import ClusterMeans, cluster_means

Means = dict[str, dict[str, ClusterMeans]]
"""The means of one config by kind of query (`all` is first) and metric."""


class RankingDifference(ClusterMeans):
    """The mean over queries of a - b, paired by query: positive where config `a` is better."""

    a: str
    b: str
    kind: str
    metric: str
    distinguishable: bool
    """Whether the interval of the mean by query excludes 0."""


class _KindSlice(NamedTuple):
    """The queries of one kind: their rows and their groups."""

    kind: str
    rows: list[int]
    groups: list[int]


def means(queries: Sequence[JudgedQuery], scores: QueryScores) -> Means:
    """Return the means of one config over all queries and over those of each kind."""
    values = _score_table(scores)
    return {
        kind: dict(zip(RANK_METRICS, cluster_means(values[:, rows], groups), strict=True))
        for kind, rows, groups in _kind_slices(queries)
    }


def differences(
    queries: Sequence[JudgedQuery], scores: Mapping[str, QueryScores]
) -> list[RankingDifference]:
    """Return the difference a - b for every pair of configs, kind and metric.

    Args:
        queries: The queries, in the order of the scores.
        scores: By config; of each pair, `b` is the earlier one.
    """
    results: list[RankingDifference] = []
    for b, a in combinations(scores, 2):
        gains = _score_table(scores[a]) - _score_table(scores[b])
        for kind, rows, groups in _kind_slices(queries):
            estimates = cluster_means(gains[:, rows], groups, bounded=False)
            for metric, estimate in zip(RANK_METRICS, estimates, strict=True):
                ends = estimate["ci95"]
                results.append(
                    {
                        "a": a,
                        "b": b,
                        "kind": kind,
                        "metric": metric,
                        "distinguishable": ends is not None and (ends[0] > 0 or ends[1] < 0),
                        **estimate,
                    }
                )
    return results


def _score_table(scores: QueryScores) -> NDArray[float64]:
    """Return the scores, shape (metrics, queries)."""
    return np.array([scores[name] for name in RANK_METRICS])


def _kind_slices(queries: Sequence[JudgedQuery]) -> list[_KindSlice]:
    rows_of_kind: dict[str, list[int]] = {ALL: list(range(len(queries)))}
    for row, query in enumerate(queries):
        rows_of_kind.setdefault(query.kind, []).append(row)
    return [
        _KindSlice(kind, rows, [queries[row].group for row in rows])
        for kind, rows in rows_of_kind.items()
    ]

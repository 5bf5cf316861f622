"""What configs reach on the same queries, and how they differ query by query."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy import float64
from numpy.typing import NDArray

from evaluation.ranking.judged_queries import ALL, JudgedQuery
from evaluation.ranking.rank_measures import RANK_METRICS, QueryScores
from evaluation.statistics.cluster_means import ClusterMeans, cluster_means

Means = dict[str, dict[str, ClusterMeans]]
"""From kind to metric to its means; the kind `all` is first."""


class RankingDifference(ClusterMeans):
    """The mean of a - b over the queries, paired: positive where `a` is better."""

    a: str
    b: str
    kind: str
    metric: str
    distinguishable: bool
    """The interval of the mean by query does not hold 0."""


def means(queries: Sequence[JudgedQuery], scores: QueryScores) -> Means:
    """Return the means of one config, for all queries and by kind."""
    values = _table(scores)
    return {
        kind: dict(zip(RANK_METRICS, cluster_means(values[:, rows], groups), strict=True))
        for kind, rows, groups in _slices(queries)
    }


def differences(
    queries: Sequence[JudgedQuery], scores: Mapping[str, QueryScores]
) -> list[RankingDifference]:
    """Return a - b for every pair of configs, kind and metric; `b` is the one named first."""
    found: list[RankingDifference] = []
    for b, a in combinations(scores, 2):
        gains = _table(scores[a]) - _table(scores[b])
        for kind, rows, groups in _slices(queries):
            for metric, estimate in zip(
                RANK_METRICS, cluster_means(gains[:, rows], groups), strict=True
            ):
                ends = estimate["ci95"]
                apart = ends is not None and (ends[0] > 0 or ends[1] < 0)
                made: RankingDifference = {
                    "a": a,
                    "b": b,
                    "kind": kind,
                    "metric": metric,
                    "distinguishable": apart,
                    **estimate,
                }
                found.append(made)
    return found


def _table(scores: QueryScores) -> NDArray[float64]:
    """Return the scores as (metrics, queries)."""
    return np.array([scores[name] for name in RANK_METRICS])


def _slices(queries: Sequence[JudgedQuery]) -> list[tuple[str, list[int], list[int]]]:
    """Return (kind, places of its queries, their groups), `all` first."""
    kinds = dict.fromkeys(query.kind for query in queries)
    rows = {ALL: list(range(len(queries)))} | {
        kind: [row for row, query in enumerate(queries) if query.kind == kind] for kind in kinds
    }
    return [(kind, places, [queries[row].group for row in places]) for kind, places in rows.items()]

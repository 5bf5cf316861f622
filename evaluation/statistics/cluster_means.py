"""Means over queries that share documents, with intervals over groups of queries."""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from numpy import float64, int64
from numpy.typing import NDArray

from evaluation.statistics.intervals import cluster_intervals


class ClusterMean(TypedDict):
    """A mean with its interval."""

    mean: float
    n: int
    """Queries, or groups of queries."""
    ci95: list[float] | None
    """See `intervals.cluster_intervals`."""


class ClusterMeans(ClusterMean):
    """The mean over queries, and the mean over documents beside it."""

    by_document: ClusterMean
    """The mean over groups of queries: each counts once, with its mean."""


def cluster_means(
    values: NDArray[float64], groups: Sequence[int], *, bounded: bool = True
) -> list[ClusterMeans]:
    """Return the mean of each row of `values`, by query and by group.

    Both intervals come from a cluster bootstrap (Cameron, Gelbach and Miller 2008): whole groups of
    queries are drawn with replacement, since queries that share a relevant question are not
    independent. If every group is one query, this is the usual bootstrap over queries. Percentile
    intervals, fixed seed: equal values give equal intervals, and all metrics of a call use the same
    draws. For groups whose means are all 0 or 1, see `intervals.cluster_intervals`.

    Args:
        values: The metrics of each query, shape (metrics, queries).
        groups: A number for each query, shape (queries,), equal within a group.
        bounded: Whether the values are scores in [0, 1]; differences are not.
    """
    _, group_of_query = np.unique(np.asarray(groups), return_inverse=True)
    sizes = np.bincount(group_of_query)
    sums = np.zeros((len(sizes), len(values)))
    np.add.at(sums, group_of_query, values.T)
    by_query = _ratios(sums.T, sizes, bounded=bounded)
    by_document = _ratios(sums.T / sizes, np.ones_like(sizes), bounded=bounded)
    return [
        {**query, "by_document": document}
        for query, document in zip(by_query, by_document, strict=True)
    ]


def _ratios(sums: NDArray[float64], sizes: NDArray[int64], *, bounded: bool) -> list[ClusterMean]:
    """Return sum(sums) / sum(sizes) of each row of `sums`, shape (metrics, groups)."""
    n = int(sizes.sum())
    means = sums.sum(axis=1) / n
    ends = cluster_intervals(sums, sizes, bounded=bounded)
    return [
        {"mean": float(mean), "n": n, "ci95": end} for mean, end in zip(means, ends, strict=True)
    ]

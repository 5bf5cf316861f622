"""Means over queries that are not independent, with intervals that know it."""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from numpy import float64, int64
from numpy.typing import NDArray

from evaluation.statistics.intervals import cluster_interval


class ClusterMean(TypedDict):
    """A mean and what it rests on."""

    mean: float
    n: int
    ci95: list[float] | None
    """None where there is only one group to draw from."""


class ClusterMeans(ClusterMean):
    """The mean by query (`n` queries), and beside it the mean by document."""

    by_document: ClusterMean
    """Each group of queries counts once, with its mean; `n` groups."""


def cluster_means(values: NDArray[float64], groups: Sequence[int]) -> list[ClusterMeans]:
    """Return the means of the rows of `values`, shape (metrics, queries).

    Both intervals come from a cluster bootstrap (Cameron, Gelbach and Miller 2008): whole groups of
    queries are drawn with replacement, since a query that shares its relevant question with others
    is no independent observation. Where every group is one query this is the usual bootstrap over
    queries. Percentile intervals, fixed seed: equal values give equal intervals, and all metrics of
    a call are seen on the same draws.
    """
    _, place = np.unique(np.asarray(groups), return_inverse=True)
    sizes = np.bincount(place)
    sums = np.zeros((len(sizes), len(values)))
    np.add.at(sums, place, values.T)
    by_query = _ratios(sums.T, sizes)
    by_document = _ratios(sums.T / sizes, np.ones_like(sizes))
    return [
        {**query, "by_document": document}
        for query, document in zip(by_query, by_document, strict=True)
    ]


def _ratios(sums: NDArray[float64], sizes: NDArray[int64]) -> list[ClusterMean]:
    """Return sum(sums) / sum(sizes) for each row of `sums`, shape (metrics, groups)."""
    n = int(sizes.sum())
    means = sums.sum(axis=1) / n
    ends = [None] * len(sums) if len(sizes) < 2 else cluster_interval(sums, sizes)
    return [
        {"mean": float(mean), "n": n, "ci95": end} for mean, end in zip(means, ends, strict=True)
    ]

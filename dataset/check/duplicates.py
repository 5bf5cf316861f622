"""The duplicates in a file: rows with the same ids, the same text, or nearly the same text.

All near-duplicates are found, without sampling. Two sets with a Jaccard similarity of at least t
share at least the fraction t of the larger set. Let the elements of all sets have one order, rare
elements first. Then two such sets have a common element among the first
`size - ceil(t * size) + 1` of each ("prefix filtering", Chaudhuri, Ganti and Kaushik 2006). Only
sets with such a common element are compared.
"""

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from math import ceil
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dataset.check.findings import Example, Findings
from dataset.leaks.words import runs

SHINGLE = 5
"""Words of a shingle (a run of words); a shorter text has no near-duplicates."""
JACCARD = 0.7
"""The lowest Jaccard similarity of the shingles of two near-duplicates."""
_ROUNDING = 1e-9
"""An allowance for floating-point products: without it, 0.7 * 10 is rounded up to 8."""


class Origin(NamedTuple):
    """The row that an id or a text comes from."""

    row: int
    id: str


class Ids:
    """The ids of a file."""

    def __init__(self, column: str) -> None:
        self._column = column
        self._first_rows: dict[str, int] = {}

    def add(self, origin: Origin, findings: Findings) -> None:
        """Add an id, and a finding if an earlier row has the same one."""
        first_row = self._first_rows.setdefault(origin.id, origin.row)
        if first_row != origin.row:
            example = Example(origin.row, origin.id, first_row, origin.id)
            findings.add("duplicate id", self._column, example)


class Texts:
    """The texts of a column as digests and hashed shingles."""

    def __init__(self, column: str, *, near: bool, problem: bool) -> None:
        """Start without texts.

        Args:
            column: The name of the column in findings.
            near: Whether to look for near-duplicates.
            problem: Whether a duplicate is a problem or a hint.
        """
        self._column, self._near, self._problem = column, near, problem
        self._origins_by_digest: dict[bytes, Origin] = {}
        self._first_by_id: dict[str, tuple[bytes, int]] = {}
        self._origins: list[Origin] = []
        self._shingles: list[NDArray[np.int64]] = []

    def add(self, origin: Origin, words: Sequence[str], findings: Findings) -> None:
        """Add a text, and a finding if another id has the same text or its id another text."""
        if not words:
            return
        digest = blake2b(" ".join(words).encode("utf-8", "replace"), digest_size=16).digest()
        first_digest, first_row = self._first_by_id.setdefault(origin.id, (digest, origin.row))
        if first_row != origin.row:
            if first_digest != digest:
                example = Example(origin.row, origin.id, first_row, origin.id)
                findings.add("conflicting text", self._column, example)
            return
        first = self._origins_by_digest.setdefault(digest, origin)
        if first is not origin:
            example = Example(origin.row, origin.id, first.row, first.id)
            findings.add("exact duplicate", self._column, example, problem=self._problem)
        elif self._near:
            shingles = np.unique(np.array(runs(words, SHINGLE), dtype=np.int64))
            if len(shingles):
                self._origins.append(origin)
                self._shingles.append(shingles)

    def finish(self, findings: Findings) -> None:
        """Add the near-duplicates among all texts: a finding for all but the first of a group."""
        for first_index, *later_indices in near_groups(self._shingles, JACCARD):
            first = self._origins[first_index]
            for index in later_indices:
                origin = self._origins[index]
                similarity = round(jaccard(self._shingles[first_index], self._shingles[index]), 3)
                example = Example(origin.row, origin.id, first.row, first.id, similarity)
                findings.add("near-duplicate", self._column, example, problem=self._problem)


def near_groups(sets: Sequence[NDArray[np.int64]], threshold: float) -> list[list[int]]:
    """Return the groups of sets that are linked by a Jaccard similarity of at least `threshold`.

    Args:
        sets: Sorted arrays without repetitions, none of them empty.
        threshold: The similarity, in (0, 1].

    Returns:
        The ascending indices of the sets of each group of two or more.
    """
    groups = _Groups(len(sets))
    dissimilar_pairs: set[tuple[int, int]] = set()
    for candidates in _candidates(sets, threshold):
        if groups.are_one(candidates):
            continue
        for pair in _pairs(candidates, sets, threshold):
            if pair in dissimilar_pairs or groups.are_one(pair):
                continue
            if jaccard(sets[pair[0]], sets[pair[1]]) >= threshold:
                groups.join(*pair)
            else:
                dissimilar_pairs.add(pair)
    return groups.larger_than_one()


class _Groups:
    """A union-find over the numbers from 0; the head of a group is its least number."""

    def __init__(self, count: int) -> None:
        self._parents = list(range(count))

    def _head(self, number: int) -> int:
        parents = self._parents
        while parents[number] != number:
            # Path halving: later searches from here are shorter.
            parents[number] = parents[parents[number]]
            number = parents[number]
        return number

    def are_one(self, numbers: Sequence[int]) -> bool:
        head = self._head(numbers[0])
        return all(self._head(number) == head for number in numbers)

    def join(self, first: int, second: int) -> None:
        least, head = sorted((self._head(first), self._head(second)))
        self._parents[head] = least

    def larger_than_one(self) -> list[list[int]]:
        members: dict[int, list[int]] = {}
        for number in range(len(self._parents)):
            members.setdefault(self._head(number), []).append(number)
        return [group for group in members.values() if len(group) > 1]


def jaccard(first: NDArray[np.int64], second: NDArray[np.int64]) -> float:
    """Return the size of the intersection over the size of the union."""
    common = len(np.intersect1d(first, second, assume_unique=True))
    return common / (len(first) + len(second) - common)


def _candidates(sets: Sequence[NDArray[np.int64]], threshold: float) -> Iterator[list[int]]:
    """Yield the indices of the sets that share one of their rarest elements, small sets first."""
    if len(sets) < 2:
        return
    sizes = np.array([len(elements) for elements in sets])
    owners = np.repeat(np.arange(len(sets)), sizes)
    _, elements, counts = np.unique(
        np.concatenate(list(sets)), return_inverse=True, return_counts=True
    )
    # The elements of each set by frequency, rare ones first.
    order = np.lexsort((elements, counts[elements], owners))
    owners, elements = owners[order], elements[order]
    ranks = np.arange(len(owners)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    prefix_sizes = np.array(
        [size - ceil(threshold * size - _ROUNDING) + 1 for size in sizes.tolist()]
    )
    is_candidate = (ranks < prefix_sizes[owners]) & (counts[elements] > 1)
    owners, elements = owners[is_candidate], elements[is_candidate]
    order = np.lexsort((sizes[owners], elements))
    owners, elements = owners[order], elements[order]
    for group in np.split(owners, np.flatnonzero(np.diff(elements)) + 1):
        if len(group) > 1:
            yield group.tolist()


def _pairs(
    candidates: Sequence[int], sets: Sequence[NDArray[np.int64]], threshold: float
) -> Iterator[tuple[int, int]]:
    """Yield the pairs whose sizes allow the similarity; candidates are ordered by size."""
    for start, smaller in enumerate(candidates):
        for larger in candidates[start + 1 :]:
            if len(sets[smaller]) < threshold * len(sets[larger]) - _ROUNDING:
                break
            yield (smaller, larger) if smaller < larger else (larger, smaller)

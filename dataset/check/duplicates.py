"""Rows that stand in a file twice: the same ids, the same text, or nearly the same text.

Near-duplicates are found exactly, without sampling. Two sets whose Jaccard similarity is at least t
share at least t of the larger one; so, with the elements of every set in one fixed order, rare ones
first, they share one among the first `size - ceil(t * size) + 1` of each ("prefix filtering",
Chaudhuri, Ganti and Kaushik 2006). Only sets that share such an element are compared.
"""

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from dataset.check.findings import Example, Findings
from dataset.check.words import runs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SHINGLE = 5
"""Words of a shingle; a shorter text has no near-duplicates."""
JACCARD = 0.7
"""Shared shingles over all shingles of two texts, from which they are near-duplicates."""


class Place(NamedTuple):
    """Where a text stands."""

    row: int
    id: str


class Ids:
    """The ids of a file."""

    def __init__(self, column: str) -> None:
        self._column = column
        self._seen: dict[str, int] = {}

    def add(self, place: Place, findings: Findings) -> None:
        """Add a finding if an earlier row has the same id."""
        earlier = self._seen.setdefault(place.id, place.row)
        if earlier != place.row:
            example = Example(place.row, place.id, earlier, place.id)
            findings.add("duplicate id", self._column, example)


class Texts:
    """The texts of a column, of which only digests and hashed shingles are kept."""

    def __init__(self, column: str, *, near: bool, problem: bool) -> None:
        self._column, self._near, self._problem = column, near, problem
        self._seen: dict[bytes, Place] = {}
        self._by_id: dict[str, tuple[bytes, int]] = {}
        self._places: list[Place] = []
        self._shingles: list[NDArray[np.int64]] = []

    def add(self, place: Place, words: Sequence[str], findings: Findings) -> None:
        """Add a text; a finding if another id has it already, or if its id has another one."""
        if not words:
            return
        digest = blake2b(" ".join(words).encode("utf-8", "replace"), digest_size=16).digest()
        known = self._by_id.setdefault(place.id, (digest, place.row))
        if known[1] != place.row:
            if known[0] != digest:
                example = Example(place.row, place.id, known[1], place.id)
                findings.add("conflicting text", self._column, example)
            return
        first = self._seen.setdefault(digest, place)
        if first is not place:
            example = Example(place.row, place.id, first.row, first.id)
            findings.add("exact duplicate", self._column, example, problem=self._problem)
        elif self._near:
            self._keep(place, words)

    def _keep(self, place: Place, words: Sequence[str]) -> None:
        import numpy as np

        shingles = np.unique(np.array(runs(words, SHINGLE), dtype=np.int64))
        if len(shingles):
            self._places.append(place)
            self._shingles.append(shingles)

    def finish(self, findings: Findings) -> None:
        """Add the near-duplicates among all texts: of each group all but the first."""
        for first, *others in near_groups(self._shingles, JACCARD):
            like = self._places[first]
            for other in others:
                place = self._places[other]
                share = round(jaccard(self._shingles[first], self._shingles[other]), 3)
                example = Example(place.row, place.id, like.row, like.id, share)
                findings.add("near-duplicate", self._column, example, problem=self._problem)


def near_groups(sets: "Sequence[NDArray[np.int64]]", threshold: float) -> list[list[int]]:
    """Return the groups of sets that are linked by a Jaccard similarity of at least `threshold`.

    Args:
        sets: sorted arrays without repetitions, none of them empty.
        threshold: in (0, 1].

    Returns:
        the numbers of the sets of each group of two or more, ascending.
    """
    groups = _Groups(len(sets))
    apart: set[tuple[int, int]] = set()
    for sharing in _candidates(sets, threshold):
        if groups.are_one(sharing):
            continue
        for pair in _pairs(sharing, sets, threshold):
            if pair in apart or groups.are_one(pair):
                continue
            if jaccard(sets[pair[0]], sets[pair[1]]) >= threshold:
                groups.join(*pair)
            else:
                apart.add(pair)
    return groups.larger_than_one()


class _Groups:
    """Numbers from 0, at first each in a group of its own; a group is known by its least number."""

    def __init__(self, count: int) -> None:
        self._parents = list(range(count))

    def _head(self, number: int) -> int:
        parents = self._parents
        while parents[number] != number:
            parents[number] = parents[parents[number]]
            number = parents[number]
        return number

    def are_one(self, numbers: Sequence[int]) -> bool:
        head = self._head(numbers[0])
        return all(self._head(number) == head for number in numbers)

    def join(self, one: int, other: int) -> None:
        least, head = sorted((self._head(one), self._head(other)))
        self._parents[head] = least

    def larger_than_one(self) -> list[list[int]]:
        members: dict[int, list[int]] = {}
        for number in range(len(self._parents)):
            members.setdefault(self._head(number), []).append(number)
        return [group for group in members.values() if len(group) > 1]


def jaccard(first: "NDArray[np.int64]", second: "NDArray[np.int64]") -> float:
    """Return the size of the intersection over the size of the union."""
    import numpy as np

    shared = len(np.intersect1d(first, second, assume_unique=True))
    return shared / (len(first) + len(second) - shared)


def _candidates(sets: "Sequence[NDArray[np.int64]]", threshold: float) -> Iterator[list[int]]:
    """Yield the sets that have one of their rarest elements in common, small sets first."""
    import numpy as np

    if len(sets) < 2:
        return
    sizes = np.array([len(one) for one in sets])
    owners = np.repeat(np.arange(len(sets)), sizes)
    _, elements, counts = np.unique(
        np.concatenate(list(sets)), return_inverse=True, return_counts=True
    )
    order = np.lexsort((elements, counts[elements], owners))
    owners, elements = owners[order], elements[order]
    place = np.arange(len(owners)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    # The tiny amount keeps a product such as 0.7 * 10 from being rounded up to 8.
    prefix = np.array([size - ceil(threshold * size - 1e-9) + 1 for size in sizes.tolist()])
    kept = (place < prefix[owners]) & (counts[elements] > 1)
    owners, elements = owners[kept], elements[kept]
    order = np.lexsort((sizes[owners], elements))
    owners, elements = owners[order], elements[order]
    for sharing in np.split(owners, np.flatnonzero(np.diff(elements)) + 1):
        if len(sharing) > 1:
            yield sharing.tolist()


def _pairs(
    sharing: Sequence[int], sets: "Sequence[NDArray[np.int64]]", threshold: float
) -> Iterator[tuple[int, int]]:
    """Yield the pairs whose sizes allow the similarity."""
    for start, smaller in enumerate(sharing):
        for larger in sharing[start + 1 :]:
            if len(sets[smaller]) < threshold * len(sets[larger]) - 1e-9:
                break
            yield (smaller, larger) if smaller < larger else (larger, smaller)

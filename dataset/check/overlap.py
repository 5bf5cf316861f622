"""Which of a few known texts stand, whole or in large part, in the texts of a long stream.

The known texts are kept as a table from run of words to text, so that one look-up per word of the
stream is all there is to do.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from dataset.check.words import covered, runs

RUN = 13
"""Words of a run, as in the contamination checks of GPT-3; chance rarely repeats as many."""
SHARE = 0.5
"""How much of the shorter text the shared runs must cover; one run alone may be a traceback."""
WHOLE_SHARE = 0.75
"""How much of both texts they must cover where only a copy of the whole counts."""
SHORT = 26
"""A text with fewer words has a rule of its own: four fifths of it may hold no run of 13."""
SHORTEST = 7
"""A text with fewer words says too little: "it does not work" is nobody's own."""


class _Known(NamedTuple):
    name: int
    size: int
    words: int
    hashes: list[int]


class Overlap:
    """The known texts, and how much of them a given text holds."""

    def __init__(self, *, whole: bool = False) -> None:
        """Start with no text; with `whole`, a text counts only as a copy of another one's whole."""
        self._whole = whole
        self._known: list[_Known] = []
        self._runs: dict[int, dict[int, list[int]]] = {}

    def add(self, name: int, words: Sequence[str]) -> None:
        """Remember a text; several may have the same name."""
        count = len(words)
        if count >= RUN:
            self._remember(name, words, RUN)
        if SHORTEST <= count < SHORT and not self._whole:
            self._remember(name, words, max(4, count // 2))

    def _remember(self, name: int, words: Sequence[str], size: int) -> None:
        hashes = runs(words, size)
        table = self._runs.setdefault(size, {})
        for value in set(hashes):
            table.setdefault(value, []).append(len(self._known))
        self._known.append(_Known(name, size, len(words), hashes))

    def find(self, words: Sequence[str]) -> dict[int, float]:
        """Return the names of the known texts that `words` repeats, each with the share."""
        found: dict[int, float] = {}
        for size, table in self._runs.items():
            if size < RUN and len(words) > 2 * SHORT:
                continue
            hashes = runs(words, size)
            if table.keys().isdisjoint(hashes):
                continue
            shared: defaultdict[int, set[int]] = defaultdict(set)
            for value in hashes:
                for place in table.get(value, ()):
                    shared[place].add(value)
            for place, values in shared.items():
                known = self._known[place]
                share = self._share(known, hashes, len(words), values)
                if share:
                    found[known.name] = max(share, found.get(known.name, 0.0))
        return found

    def _share(self, known: _Known, hashes: Sequence[int], words: int, shared: set[int]) -> float:
        """Return how much of a text shared runs cover, 0.0 where that is too little.

        A short text must be repeated by a text of about its length: its few words stand in many
        long ones.
        """
        low, high = sorted(
            (
                covered(known.hashes, known.size, shared) / known.words,
                covered(hashes, known.size, shared) / words,
            )
        )
        if self._whole:
            return low if low >= WHOLE_SHARE else 0.0
        least = SHARE if known.size < RUN else 0.0
        return high if high >= SHARE and low >= least else 0.0

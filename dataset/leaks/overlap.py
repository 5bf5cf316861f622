"""The overlap of a few indexed texts with the texts of a long stream.

The indexed texts are a table from run of words to text, so a text of the stream costs one look-up
per word.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from dataset.leaks.words import covered_words, runs

RUN = 13
"""Words of a run, as in the contamination checks of GPT-3 (Brown et al. 2020); unrelated texts
rarely share such a run."""
SHARE = 0.5
"""Minimal share of the shorter text that common runs cover; a single run may be a traceback."""
WHOLE_SHARE = 0.75
"""Minimal share of both texts that common runs cover where only a copy of the whole counts."""
SHORT = 26
"""Shorter texts (in words) also have shorter runs: four fifths of one may hold no run of 13."""
SHORTEST = 7
"""Shorter texts (in words) are not compared: many posts contain "it does not work"."""


class _IndexedText(NamedTuple):
    name: int
    run_size: int
    word_count: int
    hashes: list[int]


class Overlap:
    """A table of texts that finds those that another text repeats."""

    def __init__(self, *, whole: bool = False) -> None:
        """Start without texts; with `whole`, only a copy of a whole text counts."""
        self._whole = whole
        self._texts: list[_IndexedText] = []
        self._tables: dict[int, dict[int, list[int]]] = {}
        """By run size: the indices of the texts that hold a run, by the run's hash."""

    def add(self, name: int, words: Sequence[str]) -> None:
        """Index a text; several texts may have the same name."""
        count = len(words)
        if count >= RUN:
            self._index(name, words, RUN)
        if SHORTEST <= count < SHORT and not self._whole:
            self._index(name, words, max(4, count // 2))

    def _index(self, name: int, words: Sequence[str], run_size: int) -> None:
        hashes = runs(words, run_size)
        table = self._tables.setdefault(run_size, {})
        for value in set(hashes):
            table.setdefault(value, []).append(len(self._texts))
        self._texts.append(_IndexedText(name, run_size, len(words), hashes))

    def find(self, words: Sequence[str]) -> dict[int, float]:
        """Return the names of the indexed texts that `words` repeats, with the covered share."""
        shares: dict[int, float] = {}
        for run_size, table in self._tables.items():
            # A text indexed by shorter runs has fewer than SHORT words and must cover half of `words`.
            if run_size < RUN and len(words) > 2 * SHORT:
                continue
            hashes = runs(words, run_size)
            if table.keys().isdisjoint(hashes):
                continue
            common: defaultdict[int, set[int]] = defaultdict(set)
            for value in hashes:
                for index in table.get(value, ()):
                    common[index].add(value)
            for index, values in common.items():
                text = self._texts[index]
                share = self._share(text, hashes, len(words), values)
                if share:
                    shares[text.name] = max(share, shares.get(text.name, 0.0))
        return shares

    def _share(
        self, text: _IndexedText, hashes: Sequence[int], word_count: int, common: set[int]
    ) -> float:
        """Return the share of one text that common runs cover, 0.0 if it is too small.

        A short text must be repeated by a text of about its length, because many long texts contain
        its few words.
        """
        low, high = sorted(
            (
                covered_words(text.hashes, text.run_size, common) / text.word_count,
                covered_words(hashes, text.run_size, common) / word_count,
            )
        )
        if self._whole:
            return low if low >= WHOLE_SHARE else 0.0
        least = SHARE if text.run_size < RUN else 0.0
        return high if high >= SHARE and low >= least else 0.0

"""The alignment of a template with an answer, by which the texts in its blanks are found.

It is the longest common subsequence of InfiBench's grader, to the last of its ties: another one would
find other texts in the blanks.
"""

import numpy as np
from numpy.typing import NDArray

from dataset.criteria.not_scorable import NotScorable

_MAX_CELLS = 1 << 24
"""Largest table, of four bytes a cell: a template of 1,000 characters and an answer of 15,000."""


def align(template: str, answer: str) -> tuple[int, list[int]]:
    """Return the length of the common subsequence, and a position in the answer for each character.

    With `f(i, j)` of the template up to character i and the answer up to character j, and `s(i, j)`
    the place in the answer where the last common character lies:

        equal characters:   f(i, j) = f(i - 1, j - 1) + 1               s(i, j) = j
        others:             f(i, j) = max(f(i, j - 1), f(i - 1, j))     s(i, j) = s of the larger one,
                                                                        of equal ones the larger s
        i = 0 or j = 0:     f(i, j) = 1 and s = j if equal, else 0 and 0

    Args:
        template: m characters, m > 0.
        answer: n characters, n > 0.

    Raises:
        NotScorable: both are too long.
    """
    rows, columns = len(template), len(answer)
    if (rows + columns) * rows > _MAX_CELLS:
        raise NotScorable("template and answer are too long to align")
    length, places = _table(_codes(template), _codes(answer))
    return length, _positions(template, answer, places)


def _codes(text: str) -> NDArray[np.int32]:
    return np.fromiter(map(ord, text), dtype=np.int32, count=len(text))


def _table(template: NDArray[np.int32], answer: NDArray[np.int32]) -> tuple[int, NDArray[np.int32]]:
    """Return f at its end, and s by diagonal: `places[i + j, i]`, shape (m + n - 1, m).

    The cells of a diagonal depend on the two diagonals before alone, so each is computed at once.
    """
    rows, columns = len(template), len(answer)
    backwards = answer[::-1]
    places = np.zeros((rows + columns - 1, rows), dtype=np.int32)
    before = lengths = np.zeros(rows, dtype=np.int32)
    for diagonal in range(rows + columns - 1):
        first, end = max(0, diagonal - columns + 1), min(rows, diagonal + 1)
        # Along the diagonal, j falls while i rises.
        start = columns - 1 - diagonal + first
        j = np.arange(diagonal - first, diagonal - end, -1, dtype=np.int32)
        is_equal = template[first:end] == backwards[start : start + end - first]
        place = np.where(is_equal, j, 0)
        current = np.zeros(rows, dtype=np.int32)
        current[first:end] = is_equal
        inner = slice(max(1, first), min(end, diagonal))
        if inner.start < inner.stop:
            one_up = slice(inner.start - 1, inner.stop - 1)
            left, above = lengths[inner], lengths[one_up]
            left_place, above_place = places[diagonal - 1, inner], places[diagonal - 1, one_up]
            larger = np.where(left > above, left_place, above_place)
            larger = np.where(left == above, np.maximum(left_place, above_place), larger)
            part = slice(inner.start - first, inner.stop - first)
            longest = np.maximum(left, above)
            current[inner] = np.where(is_equal[part], before[one_up] + 1, longest)
            place[part] = np.where(is_equal[part], j[part], larger)
        places[diagonal, first:end] = place
        before, lengths = lengths, current
    return int(lengths[rows - 1]), places


def _positions(template: str, answer: str, places: NDArray[np.int32]) -> list[int]:
    """Return the position of each character of the template, from the last one back."""
    rows, columns = len(template), len(answer)
    positions = [0] * rows
    position = int(places[rows + columns - 2, rows - 1])
    for i in range(rows - 1, -1, -1):
        is_equal = template[i] == answer[position]
        positions[i] = position if is_equal else position + 1
        if i > 0 and is_equal:
            # The place before the first character is the last one, as the grader's index is -1.
            j = (position - 1) % columns
            position = int(places[i - 1 + j, i - 1])
    return positions

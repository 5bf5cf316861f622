"""The words that a refinement took out of an answer and put into it."""

import re
from typing import Literal

from rapidfuzz.distance import Indel

Change = tuple[Literal["same", "deleted", "inserted"], str]
_WORD = re.compile(r"\s+|\w+|[^\w\s]")
_MAX_WORDS = 20_000
"""Of both texts together, spaces and signs included: memory grows with the square, to 13 MB here."""


def word_changes(before: str, after: str) -> list[Change]:
    """Return the parts of both texts in their order: a longest common sequence of words is the same.

    Too long texts are exchanged as a whole.

    The parts that are not inserted are `before`, those that are not deleted are `after`.
    """
    old, new = _WORD.findall(before), _WORD.findall(after)
    if len(old) + len(new) > _MAX_WORDS:
        return _parts(before, after)
    changes: list[Change] = []
    deleted = inserted = ""
    for part in Indel.opcodes(old, new):
        before_part = "".join(old[part.src_start : part.src_end])
        after_part = "".join(new[part.dest_start : part.dest_end])
        # Spaces and signs between two changes are read with them.
        if part.tag == "equal" and _has_word(before_part):
            changes += [*_parts(deleted, inserted), ("same", before_part)]
            deleted = inserted = ""
        else:
            deleted, inserted = deleted + before_part, inserted + after_part
    return [*changes, *_parts(deleted, inserted)]


def _has_word(text: str) -> bool:
    return any(character.isalnum() for character in text)


def _parts(deleted: str, inserted: str) -> list[Change]:
    parts: list[Change] = [("deleted", deleted), ("inserted", inserted)]
    return [part for part in parts if part[1]]

"""The words that a refinement took out of an answer and put into it."""

import re
from difflib import SequenceMatcher
from typing import Literal

Change = tuple[Literal["same", "deleted", "inserted"], str]
_WORD = re.compile(r"\s+|\w+|[^\w\s]")
_MAX_WORDS = 1_200
"""Of both texts together, spaces included: the time for texts that repeat their words grows with the cube."""


def word_changes(before: str, after: str) -> list[Change]:
    """Return the parts of both texts in their order; too long texts are exchanged as a whole.

    The parts that are not inserted are `before`, those that are not deleted are `after`.
    """
    old, new = _WORD.findall(before), _WORD.findall(after)
    if len(old) + len(new) > _MAX_WORDS:
        return _parts(before, after)
    changes: list[Change] = []
    deleted = inserted = ""
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    for kind, start, end, new_start, new_end in matcher.get_opcodes():
        before_part, after_part = "".join(old[start:end]), "".join(new[new_start:new_end])
        # Spaces and signs between two changes are read with them.
        if kind == "equal" and _has_word(before_part):
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

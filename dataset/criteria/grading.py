"""The criteria of a question as a whole: its kinds of criteria, and the share of points of an answer.

    keywords, blank_filling, similarity    the points of each kind are added, and so are the full ones
    max_score                              the full score instead, which the points do not exceed
    min_score                              the least points
    unit_test, customized                  code would have to run: no answer is scored

A question that needs code for a part of its points is not scored by the others: the benchmark's
score is a share of all points.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dataset.criteria.blanks import read_blanks
from dataset.criteria.keywords import read_keywords
from dataset.criteria.not_scorable import NotScorable, number_of
from dataset.criteria.points import HANDLER, Grader
from dataset.criteria.similarity import read_similarity
from graph.support.text import unix_lines

_READERS: dict[str, Callable[[object], Grader]] = {
    "keywords": read_keywords,
    "blank_filling": read_blanks,
    "similarity": read_similarity,
}
_CODE = {"unit_test": "needs unit tests", "customized": HANDLER}
_BOUNDS = ("max_score", "min_score")


@dataclass(frozen=True)
class Criteria:
    """The criteria of one question."""

    kinds: tuple[str, ...]
    """As in `keywords`."""
    graders: tuple[Grader, ...]
    max_score: float | None
    min_score: float | None

    def score(self, answer: str) -> float:
        """Return the share of the full score that an answer has, in [0, 1]; 0 if it is empty.

        Raises:
            NotScorable: the criteria cannot score this answer.
        """
        answer = unix_lines(answer)
        totals = [grader(answer) for grader in self.graders]
        points = sum(part.points for part in totals)
        full = sum(part.full for part in totals)
        if self.max_score is not None:
            full = self.max_score
            points = min(points, full)
        if self.min_score is not None:
            points = max(points, self.min_score)
        if full <= 0:
            raise NotScorable("the full score is 0")
        return max(0.0, min(points / full, 1.0)) if answer else 0.0


def read_criteria(value: object) -> Criteria:
    """Return the criteria of a question.

    Args:
        value: The mapping `grading` of a question of InfiBench, with the texts of its references.

    Raises:
        NotScorable: they need code to run, or have an unknown form.
    """
    if not isinstance(value, Mapping):
        raise NotScorable("the criteria are no mapping")
    for name, reason in _CODE.items():
        if name in value:
            raise NotScorable(reason)
    if value.keys() - {*_READERS, *_BOUNDS}:
        raise NotScorable("a kind of criteria is unknown")
    kinds = tuple(name for name in _READERS if name in value)
    if not kinds:
        raise NotScorable("there are no criteria")
    return Criteria(
        kinds=kinds,
        graders=tuple(_READERS[name](value[name]) for name in kinds),
        max_score=_bound(value, "max_score"),
        min_score=_bound(value, "min_score"),
    )


def _bound(value: Mapping[str, Any], name: str) -> float | None:
    return number_of(value[name], name) if name in value else None

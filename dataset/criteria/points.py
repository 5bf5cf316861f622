"""The points that one kind of criteria gives an answer."""

from typing import NamedTuple, Protocol

HANDLER = "needs a Python function of the benchmark"


class Points(NamedTuple):
    """Points of an answer, and the most that an answer can have."""

    points: float
    full: float


class Grader(Protocol):
    """One kind of criteria, such as keywords."""

    def __call__(self, answer: str) -> Points:
        """Return the points of an answer.

        Raises:
            NotScorable: the criteria cannot score this answer.
        """
        ...

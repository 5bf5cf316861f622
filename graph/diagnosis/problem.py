"""Problems that `opencoder doctor` names."""

from typing import NamedTuple

from graph.support.cache_contents import Contents


class Problem(NamedTuple):
    """A fault of this environment, and what to do about it."""

    text: str
    advice: str
    blocking: bool = False
    """True if the default profile does not run because of it."""


def problem_of(contents: Contents, *, blocking: bool) -> Problem:
    """Return the fault of a cache as a problem."""
    text, _, advice = (contents.problem or "").partition("; ")
    return Problem(text, advice, blocking)

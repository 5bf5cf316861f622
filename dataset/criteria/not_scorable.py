"""The error of criteria that cannot score an answer, and the checks that raise it."""

import math
from collections.abc import Mapping
from typing import Any


class NotScorable(ValueError):
    """Criteria cannot score an answer; the message is the reason, the same for all of its kind."""


def number_of(value: object, name: str) -> float:
    """Return a finite number.

    Raises:
        NotScorable: it is none.
    """
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise NotScorable(f"{name} is no number") from None
    if not math.isfinite(number):
        raise NotScorable(f"{name} is no finite number")
    return number


def weight_of(rule: Mapping[str, Any]) -> float:
    """Return the weight of a rule, by default 1.

    Raises:
        NotScorable: it is no number from 0 on.
    """
    weight = number_of(rule.get("weight", 1.0), "a weight")
    if weight < 0:
        raise NotScorable("a weight is negative")
    return weight


def list_of(value: object, name: str) -> list[Any]:
    """Return a list.

    Raises:
        NotScorable: it is none.
    """
    if not isinstance(value, list):
        raise NotScorable(f"{name} is no list")
    return value


def text_of(value: object, name: str) -> str:
    """Return a text.

    Raises:
        NotScorable: it is none.
    """
    if not isinstance(value, str):
        raise NotScorable(f"{name} is no text")
    return value

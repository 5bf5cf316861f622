"""Crash points: let a process die at its Nth operation on files, as SQLite's own tests do."""

import os
from collections.abc import Callable, Sequence

from tests.fakes.processes import Ended, in_child, kill_self

OPERATIONS = ("write", "fsync", "replace", "rename", "ftruncate")


def dying_at(
    nth: int, action: Callable[[], object], operations: Sequence[str] = OPERATIONS
) -> Ended:
    """Run an action in a child that kills itself instead of its Nth operation, counted from 1."""
    return in_child(lambda: (_arm(nth, operations, torn=False), action()))


def dying_in_write(nth: int, action: Callable[[], object]) -> Ended:
    """Run an action in a child that kills itself when most of the bytes of its Nth write are out."""
    return in_child(lambda: (_arm(nth, ("write",), torn=True), action()))


def _arm(nth: int, operations: Sequence[str], *, torn: bool) -> None:
    count = 0
    for name in operations:
        real = getattr(os, name)

        def faulty(*args, real=real):
            nonlocal count
            count += 1
            if count == nth:
                if torn:
                    real(args[0], args[1][: len(args[1]) * 5 // 8])
                kill_self()
            return real(*args)

        setattr(os, name, faulty)

"""Waits of tests: for an event and not for a time; the time of work is that of the processor."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic, process_time, sleep
from typing import TypeVar

_T = TypeVar("_T")

FAR = 1_800.0
"""Seconds that no step of a test needs, on a slow and busy machine either: only a hang reaches them."""


def wait_until(event: Callable[[], _T | None]) -> _T:
    """Call a function until it returns something, and return that."""
    end = monotonic() + FAR
    while not (result := event()):
        assert monotonic() < end, "it did not happen"
        sleep(0.05)
    return result


class Clock:
    """A clock on which pauses take no time; it records them."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    @classmethod
    def in_place_of(cls, module, monkeypatch) -> "Clock":
        """Return a clock that replaces `monotonic` and `sleep` of a module."""
        clock = cls()
        monkeypatch.setattr(module, "monotonic", clock.monotonic)
        monkeypatch.setattr(module, "sleep", clock.sleep)
        return clock

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


@contextmanager
def at_most_cpu_seconds(limit: float) -> Iterator[None]:
    """Fail if the block takes more time of the processor; other processes do not count."""
    start = process_time()
    yield
    seconds = process_time() - start
    assert seconds < limit, f"{seconds:.1f} seconds of the processor"

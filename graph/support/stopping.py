"""A stop of running work from outside: whoever asked for it no longer wants the result.

The signal belongs to the context of a thread. Threads that LangGraph and the models start copy it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Event

_signal: ContextVar[Event | None] = ContextVar("opencoder_stop", default=None)


class Stopped(BaseException):
    """The end of work that nobody wants any more.

    A `BaseException`, so that no model call takes it for an error of its question and goes on.
    """


@contextmanager
def stopped_by(signal: Event) -> Iterator[None]:
    """Let `check_stop` end the work inside the block once the signal is set."""
    token = _signal.set(signal)
    try:
        yield
    finally:
        _signal.reset(token)


def check_stop() -> None:
    """Do nothing, unless the work of this context is to end; models call it between two steps.

    Raises:
        Stopped: The signal is set.
    """
    signal = _signal.get()
    if signal is not None and signal.is_set():
        raise Stopped

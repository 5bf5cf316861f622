"""A worker process on Ray: it does tasks, and sends back results, errors and the lines of its log."""

import logging
import os
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from graph.support.environment import environment_failures
from graph.support.errors import OpenCoderError
from graph.support.logger import log

_Result = TypeVar("_Result")


class WorkerFaultError(RuntimeError):
    """An error in a worker that no code expected."""


class _RemoteTraceback(Exception):
    """The traceback of an error in a worker, as text: the cause of the error here."""


@dataclass(frozen=True)
class Outcome(Generic[_Result]):
    """The result of a task or its error, and the lines that the worker logged."""

    lines: list[tuple[int, str]]
    """Each with its level."""
    result: _Result | None = None
    error: Exception | None = None
    traceback: str = ""

    def unwrap(self) -> _Result:
        """Return the result, or raise the error."""
        if self.error is not None:
            raise self.error from (_RemoteTraceback(self.traceback) if self.traceback else None)
        return cast(_Result, self.result)


class Worker:
    """The state of a worker: the function that does its tasks, and the lines of its log."""

    def __init__(self, threads: str) -> None:
        """Start without work.

        Args:
            threads: Threads of torch and OpenVINO, as in `OMP_NUM_THREADS`.
        """
        # Read by torch at its import, and set to 1 by Ray.
        os.environ["OMP_NUM_THREADS"] = threads
        self._open_work: Callable[[], Callable[[Any], Any]] | None = None
        self._work: Callable[[Any], Any] | None = None
        self._lines = _Lines()
        log.addHandler(self._lines)
        log.setLevel(logging.INFO)
        log.propagate = False

    def open(self, open_work: Callable[[], Callable[[Any], Any]]) -> None:
        """Take the function that opens the work; the next task calls it."""
        self._open_work, self._work = open_work, None

    def run(self, task: object) -> Outcome[Any]:
        """Do a task. Its error is part of the outcome: Ray would print it with its traceback."""
        try:
            with environment_failures():
                result = self._do(task)
        except OpenCoderError as error:
            return Outcome(self._lines.take(), error=error)
        except (SystemExit, KeyboardInterrupt):
            raise
        # A panic of a library in Rust is a BaseException.
        except BaseException as error:
            # A class of a library may be one that cannot be sent.
            fault = WorkerFaultError(f"{type(error).__name__}: {error}")
            return Outcome(self._lines.take(), error=fault, traceback=traceback.format_exc())
        return Outcome(self._lines.take(), result)

    def _do(self, task: object) -> object:
        if self._work is None:
            assert self._open_work is not None
            self._work = self._open_work()
            # The process that started the workers has opened the same before, and logged it.
            self._lines.take()
        return self._work(task)


class _Lines(logging.Handler):
    """A handler that keeps the lines of the log for the process that started the worker."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[tuple[int, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self._lines.append((record.levelno, record.getMessage()))

    def take(self) -> list[tuple[int, str]]:
        """Return the lines since the last call."""
        lines, self._lines = self._lines, []
        return lines

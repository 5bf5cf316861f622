"""A pool of requests: they run side by side, at most a number of them at the same time."""

from collections.abc import Callable, Sequence
from contextvars import copy_context
from threading import BoundedSemaphore, Thread
from typing import TypeVar

from graph.support.environment import is_environment
from graph.support.stopping import Stopped, check_stop

_T = TypeVar("_T")


class RequestPool:
    """Runs requests of all questions together; each question waits for its own."""

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._slots = BoundedSemaphore(concurrency)
        self._failures: list[Exception] = []

    def run_all(self, requests: Sequence[Callable[[], _T]]) -> list[_T | Exception]:
        """Run requests and return their results or errors, in order.

        Raises:
            Exception: The first error of the environment, which the other requests would meet too.
            Stopped: Nobody wants the results any more.
        """
        outcomes: list[_T | Exception | Stopped | None] = [None] * len(requests)
        # The step to the next index is atomic, so that no two workers run the same request.
        indices = iter(range(len(requests)))
        failures = len(self._failures)

        def work() -> None:
            for index in indices:
                outcomes[index] = self._outcome(requests[index], failures)

        if len(requests) == 1 or self._concurrency == 1:
            work()
        else:
            _run_beside(work, min(self._concurrency, len(requests)))
        finished = [outcome for outcome in outcomes if outcome is not None]
        if len(finished) < len(requests):
            raise RuntimeError("a request ended without an outcome")
        for outcome in finished:
            if isinstance(outcome, Exception | Stopped) and _ends_all(outcome):
                raise outcome
        return [outcome for outcome in finished if not isinstance(outcome, Stopped)]

    def _outcome(self, request: Callable[[], _T], failures: int) -> _T | Exception | Stopped:
        """Run one request; `failures` is the number of failures when it was submitted."""
        with self._slots:
            # It waited while the server failed: it would repeat all tries of the client in vain.
            if len(self._failures) > failures:
                return self._failures[-1]
            try:
                check_stop()
                return request()
            # An outcome: it must reach the thread of the question.
            except Stopped as stop:
                return stop
            except Exception as error:
                if is_environment(error):
                    self._failures.append(error)
                return error


def _ends_all(error: Exception | Stopped) -> bool:
    return isinstance(error, Stopped) or is_environment(error)


def _run_beside(work: Callable[[], None], count: int) -> None:
    """Run the same work in a number of threads and wait for their end."""
    # Not an executor of the library: at the end of the process it waits for its threads, so that
    # after Ctrl-C a slow server would hold the process.
    threads = [Thread(target=copy_context().run, args=(work,), daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

"""Failures of requests: one that is waited out, one that costs its question alone, one that stops the run."""

from collections.abc import Callable
from threading import Lock
from time import monotonic, sleep
from traceback import walk_tb
from typing import TypeVar

from graph.support.environment import failure_of, is_of_question, status_code
from graph.support.errors import FailedRequestError
from graph.support.logger import log

PLAIN_QUESTION = "Which letter comes first in the alphabet?"
"""A short question, which any server answers that works."""
LONGEST_WAIT = 120.0
"""Seconds from the first try of a request in which 429, a limit on requests, is waited out."""
PAUSE = 10.0
"""The shortest wait for a server that limits requests, in seconds, after the tries of the client."""
_LIMITED = 429
_OF_THE_SERVER = {401, 404, _LIMITED}
"""HTTP: the key, the model or a limit, and so never one question."""
_HANDLERS = "langchain_core.callbacks.manager"
"""The module that calls the handlers."""
_T = TypeVar("_T")


class RequestSender:
    """A sender of requests to one server, which finds out what a failure says of other requests.

    Args:
        ask_plainly: Sends the server a short request that has nothing to do with any question.
    """

    def __init__(self, ask_plainly: Callable[[], object]) -> None:
        self._ask_plainly = ask_plainly
        self._checking = Lock()
        self._checks = 0
        self._answers = False
        self._announcing = Lock()

    def send(self, request: Callable[[], _T]) -> _T:
        """Send a request and return its result.

        Raises:
            FailedRequestError: The server fails at this request, and answers another one.
            Exception: The error of the request.
        """
        try:
            return self._send_while_limited(request)
        except Exception as error:
            if _may_be_of_question(error) and self._answers_another():
                raise FailedRequestError(
                    f"the server answers other requests, but not this one: {failure_of(error)}"
                ) from error
            raise

    def _send_while_limited(self, request: Callable[[], _T]) -> _T:
        """Send a request, again and again while the server limits requests."""
        start = monotonic()
        while True:
            try:
                return request()
            except Exception as error:
                pause = _pause(error)
                if pause is None or monotonic() + pause > start + LONGEST_WAIT:
                    raise
            self._wait(pause)

    def _wait(self, seconds: float) -> None:
        # One line for all requests that wait at the same time.
        is_first = self._announcing.acquire(blocking=False)
        try:
            if is_first:
                log.warning(
                    "the server limits requests (429): waiting %.0f seconds, at most %.0f in all",
                    *(seconds, LONGEST_WAIT),
                )
            sleep(seconds)
        finally:
            if is_first:
                self._announcing.release()

    def _answers_another(self) -> bool:
        """Tell whether the server answers a plain request; one check at a time, for all that wait."""
        checks = self._checks
        with self._checking:
            if self._checks == checks:
                self._answers = self._check()
                self._checks += 1
            return self._answers

    def _check(self) -> bool:
        try:
            self._ask_plainly()
        except Exception as error:
            log.debug("the server does not answer a plain request either: %s", failure_of(error))
            return False
        return True


def is_of_handler(error: BaseException) -> bool:
    """Tell whether a callback handler (`raise_error`) raised an error, and not the client."""
    frames = (frame for frame, _ in walk_tb(error.__traceback__))
    return any(frame.f_globals.get("__name__") == _HANDLERS for frame in frames)


def _may_be_of_question(error: Exception) -> bool:
    """Tell whether only another request can show what failed: a status of the server, or a timeout."""
    if is_of_question(error) or is_of_handler(error):
        return False
    code = status_code(error)
    if code is not None:
        return code not in _OF_THE_SERVER
    return any("Timeout" in kind.__name__ for kind in type(error).__mro__)


def _pause(error: Exception) -> float | None:
    """Return the seconds to wait for a server that limits requests; None for any other error."""
    if status_code(error) != _LIMITED:
        return None
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    try:
        # max: NaN and negative numbers are no times.
        return max(PAUSE, float(headers.get("retry-after", 0)))
    except (AttributeError, TypeError, ValueError):
        return PAUSE  # such as a date

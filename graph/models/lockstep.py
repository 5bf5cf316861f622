"""Lockstep: questions run side by side, and the model serves their requests together.

A node is written for one question. When a batch of questions runs through the graph, each question
has its own thread. Requests to the model are collected until every live question waits for one, and
are then served together. So the composition of every batch depends on the questions alone, never on
timing, and a rerun repeats it. Models that are asked by requests do not batch: `ask_alone` serves a
question at once, in its own thread.

An error of a question ends that question. An error of the environment ends the run: the other
questions would meet it too (`graph.support.environment`).
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from threading import Condition, Thread
from typing import Any, Generic, TypeVar

from graph.support.environment import check_outcomes, failure_of, is_environment
from graph.support.errors import EnvironmentFailure

_T = TypeVar("_T")
_Serve = Callable[[list[Any]], Sequence[Any]]
_question: ContextVar[int | None] = ContextVar("opencoder_question", default=None)


@dataclass
class _Request:
    question: int
    key: Hashable
    items: list[Any]
    serve: _Serve
    done: bool = False
    outcomes: list[Any] = field(default_factory=list)


@dataclass
class TaskOutcome(Generic[_T]):
    """The outcome of one question: a value or the exception that ended it."""

    value: _T | None = None
    error: BaseException | None = None


class Lockstep:
    """Runs questions side by side and serves their requests together."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._live = 0
        self._waiting: list[_Request] = []
        self._on_served: Callable[[], None] | None = None
        self._failure: EnvironmentFailure | None = None

    def run(
        self, tasks: Sequence[Callable[[], _T]], on_served: Callable[[], None] | None = None
    ) -> list[TaskOutcome[_T]]:
        """Run all tasks, each in its own thread; a task that fails leaves the rest alone.

        Args:
            tasks: One task for each question.
            on_served: Called whenever all requests have been served; it shows progress.

        Raises:
            EnvironmentFailure: The environment failed in a task or in a call; no task is asked for
                more, and the outcomes are lost.
        """
        self._on_served, self._failure = on_served, None
        outcomes: list[TaskOutcome[_T]] = [TaskOutcome() for _ in tasks]
        threads = [
            Thread(target=self._run_task, args=(number, task, outcomes), daemon=True)
            for number, task in enumerate(tasks)
        ]
        # All are counted before any starts: the first request must wait for the rest.
        self._live = len(threads)
        for thread in threads:
            thread.start()
        # The caller's thread serves: the model always runs in the same thread, and an interrupt
        # reaches the caller also in the middle of a call.
        with self._changed:
            while self._live:
                if self._waiting and len(self._waiting) == self._live:
                    self._serve_all()
                else:
                    self._changed.wait()
        for thread in threads:
            thread.join()
        if self._failure is not None:
            raise self._failure
        return outcomes

    def _run_task(
        self, number: int, task: Callable[[], _T], outcomes: list[TaskOutcome[_T]]
    ) -> None:
        context = copy_context()
        context.run(_question.set, number)
        try:
            outcomes[number].value = context.run(task)
        except BaseException as error:  # `run` returns it as the question's outcome
            outcomes[number].error = error
            if isinstance(error, Exception) and is_environment(error):
                self._failure = self._failure or failure_of(error)
        finally:
            with self._changed:
                self._live -= 1
                self._changed.notify_all()

    def ask(self, key: Hashable, items: Sequence[Any], serve: _Serve) -> list[Any]:
        """Have `items` served together with those of every other live question.

        Outside `run` they are served at once.

        Args:
            key: Requests with equal keys are served in one call.
            items: The items of this question's request.
            serve: Returns an outcome for each item, given the items of all requests with this key,
                ordered by question. An outcome that is an exception is raised in its own question.
        """
        question = _question.get()
        if question is None:
            return _unwrap(serve(list(items)))
        request = _Request(question, key, list(items), serve)
        with self._changed:
            self._waiting.append(request)
            self._changed.notify_all()
            while not request.done:
                self._changed.wait()
        return _unwrap(request.outcomes)

    def ask_alone(
        self, items: Sequence[Any], serve: Callable[[list[Any]], Sequence[Any]]
    ) -> list[Any]:
        """Have `items` served at once, beside the other questions and in this thread.

        Args:
            items: The items of this question's request.
            serve: Returns an outcome for each item.

        Raises:
            EnvironmentFailure: The environment failed in this call, or in another one before.
        """
        if _question.get() is None:
            return _unwrap(serve(list(items)))
        if self._failure is not None:
            raise self._failure
        try:
            outcomes = serve(list(items))
            check_outcomes(outcomes)
        except Exception as error:
            if not is_environment(error):
                raise
            # Kept here too: a node may catch the error.
            self._failure = self._failure or failure_of(error)
            raise self._failure from error
        with self._changed:
            if self._on_served:
                self._on_served()
        return _unwrap(outcomes)

    def _serve_all(self) -> None:
        """Serve all waiting requests; the caller holds the lock, which is released meanwhile."""
        requests, self._waiting = self._waiting, []
        self._changed.release()
        try:
            if self._failure is not None:
                raise self._failure
            groups: dict[Hashable, list[_Request]] = defaultdict(list)
            # Requests arrive in the order of the threads, which differs from run to run.
            for request in sorted(requests, key=lambda request: request.question):
                groups[request.key].append(request)
            for key in sorted(groups, key=repr):
                _serve_group(groups[key])
            if self._on_served:
                self._on_served()
        except EnvironmentFailure as failure:
            self._failure = failure
            for request in requests:
                request.outcomes = [failure] * max(1, len(request.items))
        finally:
            self._changed.acquire()
            for request in requests:
                request.done = True
            self._changed.notify_all()


def _serve_group(requests: list[_Request]) -> None:
    items = [item for request in requests for item in request.items]
    try:
        outcomes = list(requests[0].serve(items))
        if len(outcomes) != len(items):
            raise RuntimeError(
                f"the model returned {len(outcomes)} outcomes for {len(items)} items"
            )
        check_outcomes(outcomes)
    except EnvironmentFailure:
        raise
    except Exception as error:  # every waiting question gets the error; none waits for ever
        if is_environment(error):
            raise failure_of(error) from error
        outcomes = [error] * len(items)
    except BaseException as error:
        for request in requests:
            request.outcomes = [error] * len(request.items)
        raise
    for request in requests:
        size = len(request.items)
        request.outcomes, outcomes = outcomes[:size], outcomes[size:]


def _unwrap(outcomes: Sequence[Any]) -> list[Any]:
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    return list(outcomes)

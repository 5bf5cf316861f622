"""Lockstep: questions run side by side, and the model waits until every live one has asked.

A node is written for one question. When a batch of questions runs through the graph, each in its
own thread, what they ask is collected until no live question is still busy, and is then served
together. So the composition of every batch follows from the questions alone, never from timing,
and a rerun repeats it.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from threading import Condition, Thread
from typing import Any, Generic, TypeVar

_T = TypeVar("_T")
_Serve = Callable[[list[Any]], Sequence[Any]]
_question: ContextVar[int | None] = ContextVar("opencoder_question", default=None)


@dataclass
class _Ask:
    question: int
    key: Hashable
    items: list[Any]
    serve: _Serve
    done: bool = False
    outcomes: list[Any] = field(default_factory=list)


@dataclass
class TaskOutcome(Generic[_T]):
    """What became of one question: a value or the exception that ended it."""

    value: _T | None = None
    error: BaseException | None = None


class Lockstep:
    """Runs questions side by side and serves what they ask together."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._live = 0
        self._waiting: list[_Ask] = []
        self._on_served: Callable[[], None] | None = None

    def run(
        self, tasks: Sequence[Callable[[], _T]], on_served: Callable[[], None] | None = None
    ) -> list[TaskOutcome[_T]]:
        """Run all tasks, each in its own thread; a failing task does not disturb the others.

        `on_served` is called whenever the model has served everybody, as a sign of life.
        """
        self._on_served = on_served
        outcomes: list[TaskOutcome[_T]] = [TaskOutcome() for _ in tasks]
        threads = [
            Thread(target=self._one, args=(number, task, outcomes), daemon=True)
            for number, task in enumerate(tasks)
        ]
        # All are counted before any starts: the first must not be served alone.
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
        return outcomes

    def _one(self, number: int, task: Callable[[], _T], outcomes: list[TaskOutcome[_T]]) -> None:
        context = copy_context()
        context.run(_question.set, number)
        try:
            outcomes[number].value = context.run(task)
        except BaseException as error:  # handed to the caller of run, question by question
            outcomes[number].error = error
        finally:
            with self._changed:
                self._live -= 1
                self._changed.notify_all()

    def ask(self, key: Hashable, items: Sequence[Any], serve: _Serve) -> list[Any]:
        """Have `items` served, together with those of every other live question.

        Args:
            key: Asks with equal keys are served in one call.
            items: What this question asks.
            serve: Takes the items of all asks of this key, ordered by question, and returns one
                outcome each; an outcome that is an exception is raised in its own question.
        """
        question = _question.get()
        if question is None:
            return _unwrap(serve(list(items)))
        mine = _Ask(question, key, list(items), serve)
        with self._changed:
            self._waiting.append(mine)
            self._changed.notify_all()
            while not mine.done:
                self._changed.wait()
        return _unwrap(mine.outcomes)

    def _serve_all(self) -> None:
        """Serve everything that waits; called with the lock held, which is released meanwhile."""
        asks, self._waiting = self._waiting, []
        self._changed.release()
        try:
            groups: dict[Hashable, list[_Ask]] = defaultdict(list)
            for ask in sorted(asks, key=lambda ask: ask.question):
                groups[ask.key].append(ask)
            for key in sorted(groups, key=repr):
                _serve_group(groups[key])
            if self._on_served:
                self._on_served()
        finally:
            self._changed.acquire()
            for ask in asks:
                ask.done = True
            self._changed.notify_all()


def _serve_group(asks: list[_Ask]) -> None:
    items = [item for ask in asks for item in ask.items]
    try:
        outcomes = list(asks[0].serve(items))
        if len(outcomes) != len(items):
            raise RuntimeError(f"the model gave {len(outcomes)} outcomes for {len(items)} asks")
    except Exception as error:  # each waiting question gets the error; none waits for ever
        outcomes = [error] * len(items)
    except BaseException as error:
        for ask in asks:
            ask.outcomes = [error] * len(ask.items)
        raise
    for ask in asks:
        ask.outcomes, outcomes = outcomes[: len(ask.items)], outcomes[len(ask.items) :]


def _unwrap(outcomes: Sequence[Any]) -> list[Any]:
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    return list(outcomes)

"""The queue of questions: clients share one set of weights, and wait for their turn.

    queue = QuestionQueue(open_graph, answering_config_names())
    async with queue.ask("How do I sort a dict by value?", "semantic_cot", client="a") as events:
        async for event in events:
            ...

The events of a question are `Queued` each time its position changes, `Started`, then for each node
`StepStarted`, any number of `Chunk` and `StepEnded`, and at the end `Answered` or `Failed`. Whoever
leaves the block early stops the question, waiting or running. All methods belong to one event loop;
questions run in threads of their own. Nothing here knows the web.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from threading import Event as Signal
from threading import Thread
from time import perf_counter
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessageChunk

from graph.build import AnsweringGraph
from graph.schema import IN_PROCESS, Profile
from graph.support.environment import failure_of, is_environment
from graph.support.errors import OpenCoderError, QuestionError
from graph.support.fault_log import describe_fault, without_secrets
from graph.support.logger import log
from graph.support.stopping import Stopped, check_stop, stopped_by
from graph.support.text import one_line, suggestion
from graph.tracing import trace
from nodes.state import Passage, Step

_GRACE = 0.9
"""Seconds after which a stopped question gives its place away, whether its model call has ended or not.
Models of this process end after their next token; a request to a server can last longer."""
_MOST_ABANDONED = 8
"""Calls of stopped questions that may still run beside those that are wanted."""
_NAME_CHARS = 60


class BadQuestionError(QuestionError):
    """A question is empty or too long, or names no config."""


class NoPlaceError(OpenCoderError):
    """The queue, or the part of it that one client may take, is full."""


@dataclass(frozen=True)
class Limits:
    """The limits of a queue."""

    at_once: int = 1
    """Questions that are answered at the same time. A model of this process runs one call after the
    other; only a server gains from more."""
    waiting: int = 32
    """Questions that wait, of all clients together."""
    of_client: int = 4
    """Questions of one client, waiting or running."""
    question_chars: int = 20_000
    """Characters of a question."""


def most_at_once(profile: Profile) -> int:
    """Return the number of questions that the model of a profile answers well at the same time."""
    return 1 if is_local(profile) else profile.generator.concurrency


def is_local(profile: Profile) -> bool:
    """Tell whether the model of a profile runs in this process, so that no question leaves it."""
    return profile.generator.engine in IN_PROCESS


@dataclass(frozen=True)
class Queued:
    """The question waits."""

    position: int
    """The number of questions that wait before it; 0 is the next one."""


@dataclass(frozen=True)
class Started:
    """The question is being answered."""


@dataclass(frozen=True)
class StepStarted:
    """A node runs."""

    node: str


@dataclass(frozen=True)
class Chunk:
    """A new part of a reply, while the model writes it."""

    node: str
    reply: int
    """The number of the reply within its step, from 0: drafts are written side by side."""
    text: str


@dataclass(frozen=True)
class StepEnded:
    """A node has run."""

    step: Step


@dataclass(frozen=True)
class Answered:
    """The answer, with the passages that it may cite."""

    answer: str
    passages: list[Passage]
    withheld: bool
    """Whether the answer only says that none was found."""
    seconds: float
    """The time since the question started."""


@dataclass(frozen=True)
class Failed:
    """The question has no answer."""

    message: str
    """One line for the reader."""
    node: str | None
    """The node that failed; None before the first one."""


Event = Queued | Started | StepStarted | Chunk | StepEnded | Answered | Failed


@dataclass(eq=False)
class _Place:
    """A question in the queue."""

    question: str
    config: str
    client: str
    events: "asyncio.Queue[Event]" = field(default_factory=asyncio.Queue)
    stop: Signal = field(default_factory=Signal)


class QuestionQueue:
    """Answers questions in the order in which they come, a few at the same time.

    Args:
        open_graph: Returns the graph of a config by its name; called in the thread of each question.
            Its output is not read, only its steps.
        configs: The names of the configs that may be asked.
        limits: The limits of questions and places.
    """

    def __init__(
        self,
        open_graph: Callable[[str], AnsweringGraph],
        configs: Collection[str],
        limits: Limits | None = None,
    ) -> None:
        self.configs = list(configs)
        self.limits = limits or Limits()
        self._open_graph = open_graph
        self._waiting: deque[_Place] = deque()
        self._running: set[_Place] = set()
        self._unfinished: set[_Place] = set()

    @property
    def waiting(self) -> int:
        """The number of questions that wait."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """The number of questions that are being answered."""
        return len(self._running)

    @asynccontextmanager
    async def ask(
        self, question: str, config: str, *, client: str = ""
    ) -> AsyncIterator[AsyncIterator[Event]]:
        """Take a place in the queue, and yield the events of the question.

        Args:
            question: The question, in Markdown.
            config: The name of a config.
            client: Who asks, by a name that only the limits use.

        Raises:
            BadQuestionError: The question is empty or too long, or there is no such config.
            NoPlaceError: The queue is full, or the client has too many questions in it.
        """
        self._check(question, config, client)
        place = _Place(question, config, client)
        self._waiting.append(place)
        place.events.put_nowait(Queued(len(self._waiting) - 1))
        self._start_next()
        try:
            yield _events_of(place)
        finally:
            self._leave(place)

    def _check(self, question: str, config: str, client: str) -> None:
        limits = self.limits
        if not question.strip():
            raise BadQuestionError("the question is empty: write one")
        if len(question) > limits.question_chars:
            raise BadQuestionError(
                f"the question has {len(question):,} characters: write at most "
                f"{limits.question_chars:,}"
            )
        if config not in self.configs:
            hint = suggestion(config, self.configs)
            raise BadQuestionError(f"there is no config {one_line(config, _NAME_CHARS)!r}; {hint}")
        # A stopped question runs to its next token: its client may ask again meanwhile.
        places = [place for place in (*self._waiting, *self._running) if not place.stop.is_set()]
        if sum(place.client == client for place in places) >= limits.of_client:
            raise NoPlaceError(
                f"{limits.of_client} of your questions wait or run: stop one, or wait for an answer"
            )
        # A question that starts at once waits for nobody.
        if len(self._waiting) >= limits.waiting and not self._has_room():
            raise NoPlaceError(f"{len(self._waiting)} questions wait already: try again later")

    def _has_room(self) -> bool:
        limit = self.limits.at_once
        return len(self._running) < limit and len(self._unfinished) < limit + _MOST_ABANDONED

    def _start_next(self) -> None:
        """Start the questions that have their turn; tell the others their new positions."""
        is_shorter = False
        while self._waiting and self._has_room():
            place = self._waiting.popleft()
            is_shorter = True
            self._running.add(place)
            self._unfinished.add(place)
            place.events.put_nowait(Started())
            work = _Work(place, self._open_graph, asyncio.get_running_loop(), self._end)
            try:
                # A daemon: the end of the process waits for no model.
                Thread(target=copy_context().run, args=(work.run,), daemon=True).start()
            except RuntimeError as error:
                self._running.discard(place)
                self._unfinished.discard(place)
                place.events.put_nowait(Failed(_message(error), None))
        if is_shorter:
            self._tell_positions()

    def _tell_positions(self) -> None:
        for position, place in enumerate(self._waiting):
            place.events.put_nowait(Queued(position))

    def _leave(self, place: _Place) -> None:
        if place in self._waiting:
            self._waiting.remove(place)
            self._tell_positions()
        elif place in self._running:
            place.stop.set()
            asyncio.get_running_loop().call_later(_GRACE, self._free, place)

    def _end(self, place: _Place, result: Answered | Failed | None) -> None:
        """Take the result of a thread that has ended; None if the question was stopped."""
        self._unfinished.discard(place)
        self._running.discard(place)
        if result:
            place.events.put_nowait(result)
        self._start_next()

    def _free(self, place: _Place) -> None:
        if place in self._running:
            self._running.remove(place)
            self._start_next()


async def _events_of(place: _Place) -> AsyncIterator[Event]:
    while True:
        event = await place.events.get()
        yield event
        if isinstance(event, Answered | Failed):
            return


class _StopAtToken(BaseCallbackHandler):
    """Ends the stream of a request to a server at its next token, once nobody wants it."""

    def on_llm_new_token(self, *_: Any, **__: Any) -> None:
        """Check the signal.

        Raises:
            Stopped: It is set.
        """
        check_stop()


class _Work:
    """The thread of one question."""

    def __init__(
        self,
        place: _Place,
        open_graph: Callable[[str], AnsweringGraph],
        loop: asyncio.AbstractEventLoop,
        on_end: Callable[[_Place, Answered | Failed | None], None],
    ) -> None:
        self._place = place
        self._open_graph = open_graph
        self._loop = loop
        self._on_end = on_end
        self._node: str | None = None
        self._replies: dict[str | None, int] = {}

    def run(self) -> None:
        """Answer the question, unless it is stopped."""
        result: Answered | Failed | None = None
        try:
            with stopped_by(self._place.stop):
                result = self._answer()
        except Stopped:
            pass
        # A panic in the native code of a library is no Exception, and the client waits for an event.
        except BaseException as error:
            result = Failed(_message(error), self._node)
        finally:
            self._call(self._on_end, self._place, result)

    def _answer(self) -> Answered:
        start = perf_counter()
        graph = self._open_graph(self._place.config)
        answer, passages, withheld = "", list[Passage](), False
        steps = trace(
            graph,
            self._place.question,
            {"callbacks": [_StopAtToken()]},
            on_chunk=self._chunk,
            on_start=self._start_step,
        )
        for step in steps:
            check_stop()
            answer = step.get("answer", answer)
            passages = step.get("passages", passages)
            withheld = step.get("withheld", withheld)
            self._tell(StepEnded(step))
        return Answered(answer, passages, withheld, perf_counter() - start)

    def _start_step(self, node: str) -> None:
        self._node = node
        self._replies.clear()
        self._tell(StepStarted(node))

    def _chunk(self, chunk: AIMessageChunk) -> None:
        reply = self._replies.setdefault(chunk.id, len(self._replies))
        if chunk.text:
            self._tell(Chunk(self._node or "", reply, chunk.text))

    def _tell(self, event: Event) -> None:
        self._call(self._place.events.put_nowait, event)

    def _call(self, function: Callable[..., object], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        # The server has ended, and its loop is closed.
        except RuntimeError:
            if not self._loop.is_closed():
                raise


def _message(error: BaseException) -> str:
    """Return one line about the error of a question; log what is no error of the question itself."""
    if is_environment(error):
        error = failure_of(error)
        log.warning("a question failed: %s", one_line(error))
    elif not isinstance(error, OpenCoderError):
        log.warning("a question failed: %s", describe_fault(error))
        # The path of the log file is nothing for a client.
        return one_line(without_secrets(f"{type(error).__name__}: {error}")).removesuffix(": ")
    return one_line(error)

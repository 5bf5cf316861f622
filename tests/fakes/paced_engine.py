"""An engine that takes time for each word, shows it, and stops when nobody wants it any more."""

from collections.abc import Callable
from contextlib import contextmanager
from threading import Event, Semaphore
from time import perf_counter

from graph.build import AnsweringGraph, answering_graph
from graph.config import load_config
from graph.models.batching import BatchedModel
from graph.models.lockstep import Lockstep
from graph.models.traced_calls import call_of
from graph.support.stopping import check_stop
from tests.fakes.fake_models import FakeRetriever, LengthScorer, documents, reply, verdict

_TOKEN_SECONDS = 0.05


class PacedEngine:
    """Writes the words of `answer(prompt)` evenly over `seconds`; a verdict takes as long.

    Args:
        answer: Returns the reply to a rendered prompt; an error that it raises is the outcome.
        seconds: The time of a call.
    """

    name = "paced"
    commit = None
    batches = True

    def __init__(self, answer: Callable[[str], str], seconds: float = 0.2) -> None:
        self.answer = answer
        self.seconds = seconds
        self.calls = 0
        self.running = 0
        self.most_running = 0
        self._turns: Semaphore | None = None

    @contextmanager
    def held(self):
        """Hold each call before its end; yield a function that lets one call end."""
        turns = self._turns = Semaphore(0)
        try:
            yield turns.release
        finally:
            self._turns = None

    def write_all(self, prompts, max_new_tokens, temperature):
        return self._timed(lambda: [self._outcome(prompt) for prompt in prompts])

    def choose_all(self, prompts, options):
        def choose():
            self._pause(1)
            shares = [2 / (len(options) + 1)] + [1 / (len(options) + 1)] * (len(options) - 1)
            return [verdict(dict(zip(options, shares, strict=True))) for _ in prompts]

        return self._timed(choose)

    def _timed(self, call):
        self.calls += 1
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            return call()
        finally:
            self.running -= 1

    def _outcome(self, prompt):
        text, start = prompt.render(), perf_counter()
        try:
            answer = self.answer(text)
        except Exception as error:
            return error
        call_of(prompt).start(text)
        words = answer.split(" ")
        for count in range(1, len(words) + 1):
            self._pause(len(words))
            call_of(prompt).show(" ".join(words[:count]))
        while self._turns and not self._turns.acquire(timeout=_TOKEN_SECONDS):
            check_stop()
        return reply(answer, prompt=text, seconds=perf_counter() - start)

    def _pause(self, parts: int) -> None:
        end = perf_counter() + self.seconds / parts
        check_stop()
        # As a model that checks after each of its tokens.
        while (rest := end - perf_counter()) > 0:
            Event().wait(min(rest, _TOKEN_SECONDS))
            check_stop()


def paced_graph(engine: PacedEngine, config: str, retriever=None) -> AnsweringGraph:
    """Return the graph of a config over an engine, with a retriever that finds three passages."""
    model = BatchedModel(engine, Lockstep())
    return answering_graph(
        load_config(config),
        model=model,
        chooser=model,
        retriever=retriever or FakeRetriever(documents=documents("one", "two", "three")),
        scorer=LengthScorer(),
    )

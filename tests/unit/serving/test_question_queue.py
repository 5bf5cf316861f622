"""The queue of questions: events, order, limits, stops, errors."""

import asyncio
import logging
from contextlib import AsyncExitStack
from contextvars import ContextVar
from functools import partial
from threading import Event as Signal
from threading import Thread
from time import monotonic
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk
from pydantic import Field

from graph import build_graph
from graph.build import answering_graph
from graph.config import load_config, load_settings
from serving import question_queue
from serving.question_queue import (
    Answered,
    BadQuestionError,
    Chunk,
    Failed,
    Limits,
    NoPlaceError,
    QuestionQueue,
    Queued,
    Started,
    StepEnded,
    StepStarted,
    most_at_once,
)
from tests.fakes.fake_models import ExpectingScorer, FakeModel, FakeRetriever, documents, section
from tests.fakes.paced_engine import PacedEngine, paced_graph
from tests.fakes.waiting import FAR

CONFIGS = ("baseline", "semantic", "semantic_cot")


def echo(prompt):
    return f"echo of {section(prompt, 'question')}"


def queue_of(answer=echo, seconds=0.0, retriever=None, **limits):
    engine = PacedEngine(answer, seconds)
    queue = QuestionQueue(
        partial(paced_graph, engine, retriever=retriever), CONFIGS, Limits(**limits)
    )
    return engine, queue


async def events_of(queue, question, config="baseline", client=""):
    async with queue.ask(question, config, client=client) as events:
        return [event async for event in events]


async def until(condition):
    """Let the loop run until a condition holds."""
    async with asyncio.timeout(FAR):
        while not condition():
            await asyncio.sleep(0)


def run(work):
    """Run a test's work, and wait for the threads of its questions."""
    return asyncio.run(asyncio.wait_for(work, FAR))


def kinds(events):
    return [type(event) for event in events if not isinstance(event, Chunk)]


def test_the_events_of_a_question_stand_in_the_order_of_its_steps():
    answers = {"critique": "1. too short"}
    _, queue = queue_of(
        lambda prompt: answers.get("critique") if "problem" in prompt[-400:] else "an answer [1]"
    )
    events = run(events_of(queue, "why?", "semantic"))
    steps = [event.step["node"] for event in events if isinstance(event, StepEnded)]
    assert steps == ["retrieve", "generate", "critique", "refine"]
    assert kinds(events) == [Queued, Started, *[StepStarted, StepEnded] * 4, Answered]
    started = [event.node for event in events if isinstance(event, StepStarted)]
    assert started == steps
    assert events[0] == Queued(0)
    answered = events[-1]
    assert answered.answer == "an answer [1]"
    assert [passage["title"] for passage in answered.passages] == ["title 1", "title 2", "title 3"]
    assert 0 < answered.seconds < FAR


def test_the_parts_of_replies_are_the_text_of_their_step():
    _, queue = queue_of(lambda _: "one two  three\nfour")
    events = run(events_of(queue, "why?", "semantic_cot"))
    chunks = [event for event in events if isinstance(event, Chunk) and event.node == "generate"]
    texts = {}
    for chunk in chunks:
        texts[chunk.reply] = texts.get(chunk.reply, "") + chunk.text
    # The notes first, then the draft.
    assert texts == {0: "one two  three\nfour", 1: "one two  three\nfour"}
    assert len(chunks) >= 6


def test_twenty_questions_of_five_clients_are_answered_and_none_is_crossed():
    engine, queue = queue_of(seconds=0.2)

    async def ask_all():
        return await asyncio.gather(
            *(
                events_of(queue, f"question {number}", client=f"client {number % 5}")
                for number in range(20)
            )
        )

    results = run(ask_all())
    for number, events in enumerate(results):
        assert events[-1].answer == f"echo of question {number}"
        positions = [event.position for event in events if isinstance(event, Queued)]
        # The first one starts at once, so that the others move up while the later ones come.
        assert positions == sorted(positions, reverse=True)
        assert positions[0] == max(0, number - 1)
        assert positions[-1] == 0
    assert engine.most_running == 1
    assert (queue.waiting, queue.running) == (0, 0)


def test_as_many_questions_run_at_once_as_the_limit_says():
    engine, queue = queue_of(seconds=0.2, at_once=3, of_client=9)

    async def ask_all():
        await asyncio.gather(*(events_of(queue, f"question {n}") for n in range(9)))

    run(ask_all())
    assert engine.most_running == 3


def test_a_client_that_goes_away_frees_its_place_within_a_second():
    engine, queue = queue_of(lambda _: "word " * 2_000, seconds=200)

    async def leave_while_it_writes():
        async with queue.ask("first", "baseline") as events:
            async for event in events:
                if isinstance(event, Chunk):
                    break
            assert (queue.running, engine.running) == (1, 1)
        start = monotonic()
        await until(lambda: not queue.running and not engine.running)
        return monotonic() - start

    assert run(leave_while_it_writes()) < 1


def test_a_client_that_stops_its_only_question_can_ask_again_at_once():
    engine, queue = queue_of(of_client=1)

    async def stop_and_ask_again(release):
        async with queue.ask("first", "baseline") as events:
            async for event in events:
                if isinstance(event, StepStarted):
                    break
        assert queue.running == 1
        async with queue.ask("second", "baseline") as events:
            release()
            release()
            return [event async for event in events]

    with engine.held() as release:
        assert isinstance(run(stop_and_ask_again(release))[-1], Answered)


def test_a_waiting_question_that_is_cancelled_frees_its_place_at_once():
    engine, queue = queue_of(seconds=0.2)

    async def cancel_the_second():
        tasks = [asyncio.create_task(events_of(queue, f"question {n}")) for n in range(3)]
        await until(lambda: queue.waiting == 2)
        tasks[1].cancel()
        await until(lambda: queue.waiting == 1)
        return await tasks[2]

    events = run(cancel_the_second())
    assert [e.position for e in events if isinstance(e, Queued)] == [1, 0]
    assert engine.calls == 2


def test_a_model_that_cannot_be_stopped_holds_no_place_for_longer(monkeypatch):
    monkeypatch.setattr(question_queue, "_GRACE", 0.0)
    monkeypatch.setattr(question_queue, "_MOST_ABANDONED", 1)
    release = Signal()

    def hang(prompt):
        if "hang" in prompt:
            release.wait(FAR)
        return echo(prompt)

    _, queue = queue_of(hang)

    async def leave_hanging_calls():
        for number in range(2):
            async with queue.ask(f"hang {number}", "baseline") as events:
                async for event in events:
                    if isinstance(event, StepStarted):
                        break
            await until(lambda: not queue.running)
            if not number:
                assert (await events_of(queue, "another"))[-1].answer == "echo of another"
        # As many calls are left behind as may be: the next question waits for the end of one.
        task = asyncio.create_task(events_of(queue, "the last"))
        await until(lambda: queue.waiting)
        release.set()
        return await task

    assert run(leave_hanging_calls())[-1].answer == "echo of the last"


class EndlessChat(BaseChatModel):
    """A chat model on a server that streams words without an end; `was_closed` is set when the stream ends."""

    was_closed: Any = Field(default_factory=Signal)

    @property
    def _llm_type(self):
        return "endless"

    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        raise NotImplementedError

    def _stream(self, messages, stop=None, run_manager=None, **kwargs):
        try:
            while True:
                yield ChatGenerationChunk(message=AIMessageChunk(content="word "))
        finally:
            self.was_closed.set()


def test_the_stream_of_a_server_ends_with_its_question():
    chat = EndlessChat()
    queue = QuestionQueue(lambda config: build_graph(config, model=chat, window=4_096), CONFIGS)

    async def leave_while_it_streams():
        async with queue.ask("why?", "baseline") as events:
            async for event in events:
                if isinstance(event, Chunk):
                    break
            assert event == Chunk("generate", 0, "word ")
            assert not chat.was_closed.is_set()
        await until(lambda: not queue.running)

    run(leave_while_it_streams())
    assert chat.was_closed.wait(FAR)


@pytest.mark.parametrize(("expected", "withheld"), [(0.4, True), (0.6, False)])
def test_the_last_event_tells_a_withheld_answer(expected, withheld):
    config = load_settings("hybrid_pick", "embedded", ["answer.abstain=0.5"]).config
    model = FakeModel()
    graph = answering_graph(
        config,
        model=model,
        chooser=model,
        retriever=FakeRetriever(documents=documents("a post")),
        scorer=ExpectingScorer(lambda text: expected),
    )
    last = run(events_of(QuestionQueue(lambda _: graph, CONFIGS), "why?"))[-1]
    assert isinstance(last, Answered)
    assert last.withheld is withheld
    assert last.answer.startswith("No answer was found.") is withheld


@pytest.mark.parametrize(
    ("question", "config", "message"),
    [
        ("", "baseline", "the question is empty"),
        (" \n\t", "baseline", "the question is empty"),
        ("x" * 101, "baseline", "the question has 101 characters: write at most 100"),
        ("why?", "semantc", "there is no config 'semantc'; did you mean semantic?"),
        ("why?", "oracle", "there is no config 'oracle'"),
        ("why?", "x\x1b[2J" * 99, "there is no config 'x\\x1b[2J"),
    ],
)
def test_a_bad_question_is_refused_in_one_line(question, config, message):
    _, queue = queue_of(question_chars=100)
    with pytest.raises(BadQuestionError) as error:
        run(events_of(queue, question, config))
    assert str(error.value).startswith(message)
    assert len(str(error.value)) < 300
    assert (queue.waiting, queue.running) == (0, 0)


@pytest.mark.parametrize(
    ("limits", "places", "message"),
    [
        ({"of_client": 2}, 2, "2 of your questions wait or run"),
        ({"of_client": 9, "waiting": 3}, 4, "3 questions wait already"),
        ({"of_client": 9, "waiting": 0}, 1, "0 questions wait already"),
    ],
)
def test_a_full_queue_takes_no_more(limits, places, message):
    _, queue = queue_of(seconds=0.2, **limits)

    async def ask_one_too_many():
        tasks = [asyncio.create_task(events_of(queue, f"question {n}")) for n in range(places)]
        await until(lambda: queue.waiting + queue.running == places)
        with pytest.raises(NoPlaceError, match=message):
            await events_of(queue, "one too many")
        if "of_client" in limits and "waiting" not in limits:
            await events_of(queue, "of another", client="another")
        return await asyncio.gather(*tasks)

    results = run(ask_one_too_many())
    assert all(isinstance(events[-1], Answered) for events in results)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("no\nsuch thing"), "ValueError: no such thing"),
        (BadQuestionError("too long for the window"), "too long for the window"),
        (ConnectionError("refused"), "ConnectionError: refused"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_a_step_that_fails_costs_its_own_question(error, message, monkeypatch, tmp_path):
    monkeypatch.setenv("OPENCODER_CACHE", str(tmp_path))

    def fail(prompt):
        if "bad" in prompt:
            raise error
        return echo(prompt)

    _, queue = queue_of(fail)

    async def ask_both():
        return await events_of(queue, "bad", "semantic"), await events_of(queue, "good")

    events, others = run(ask_both())
    assert events[-1] == Failed(message, "generate")
    assert kinds(events) == [Queued, Started, StepStarted, StepEnded, StepStarted, Failed]
    assert others[-1].answer == "echo of good"


def test_a_graph_that_cannot_be_opened_is_a_failed_question(monkeypatch, tmp_path):
    monkeypatch.setenv("OPENCODER_CACHE", str(tmp_path))

    def refuse(config):
        raise BadQuestionError(f"no {config}")

    events = run(events_of(QuestionQueue(refuse, CONFIGS), "why?"))
    assert events == [Queued(0), Started(), Failed("no baseline", None)]


def test_a_panic_of_a_library_ends_the_question_too(monkeypatch, tmp_path):
    monkeypatch.setenv("OPENCODER_CACHE", str(tmp_path))

    class PanicException(BaseException):
        pass

    def panic(config):
        raise PanicException("index out of bounds")

    queue = QuestionQueue(panic, CONFIGS)
    events = run(events_of(queue, "why?"))
    assert events[-1] == Failed("PanicException: index out of bounds", None)
    assert (queue.running, queue.waiting) == (0, 0)


def test_a_thread_that_cannot_start_leaves_nothing_behind(monkeypatch, tmp_path):
    monkeypatch.setenv("OPENCODER_CACHE", str(tmp_path))
    # A place that stays behind would keep the second question from its start.
    monkeypatch.setattr(question_queue, "_MOST_ABANDONED", 0)
    _, queue = queue_of()

    def refuse(thread):
        raise RuntimeError("can't start new thread")

    async def ask_twice():
        with monkeypatch.context() as patch:
            patch.setattr(question_queue.Thread, "start", refuse)
            async with queue.ask("why?", "baseline") as events:
                assert (queue.running, queue.waiting) == (0, 0)
                first = [event async for event in events]
        async with queue.ask("how?", "baseline") as events:
            assert (queue.running, queue.waiting) == (1, 0)
            return first, [event async for event in events]

    first, second = run(ask_twice())
    assert first[-1] == Failed("RuntimeError: can't start new thread", None)
    assert second[-1].answer == "echo of how?"


def test_an_error_of_retrieval_names_its_step(monkeypatch, tmp_path):
    monkeypatch.setenv("OPENCODER_CACHE", str(tmp_path))

    class Broken(FakeRetriever):
        def _get_relevant_documents(self, query, *, run_manager):
            raise OSError("the index is gone")

    _, queue = queue_of(retriever=Broken())
    assert run(events_of(queue, "why?", "semantic"))[-1].node == "retrieve"


def test_a_question_that_ends_without_a_new_answer_keeps_the_one_before():
    _, queue = queue_of(lambda prompt: "No problems." if "problem" in prompt[-400:] else "a draft")
    events = run(events_of(queue, "why?", "semantic"))
    steps = [event.step["node"] for event in events if isinstance(event, StepEnded)]
    assert steps == ["retrieve", "generate", "critique"]
    assert events[-1].answer == "a draft"
    # The replies of each step are counted from 0.
    chunks = {(e.node, e.reply) for e in events if isinstance(e, Chunk)}
    assert chunks == {("generate", 0), ("critique", 0)}
    assert all(e.text for e in events if isinstance(e, Chunk))


class HeldModel(FakeModel):
    """Holds its first call until `release` is set, and takes no notice of a stop."""

    def __init__(self, replies):
        super().__init__(replies)
        self.calls = 0
        self.release = Signal()

    def write(self, prompts, **options):
        self.calls += 1
        if self.calls == 1:
            self.release.wait(FAR)
        return super().write(prompts, **options)


def held_queue(replies, **limits):
    model = HeldModel(replies)

    def open_graph(config):
        retriever = FakeRetriever(documents=documents("one"))
        return answering_graph(load_config(config), model=model, chooser=model, retriever=retriever)

    return model, QuestionQueue(open_graph, CONFIGS, Limits(**limits))


async def leave_in_its_first_call(queue, config="baseline"):
    async with queue.ask("first", config) as events:
        async for event in events:
            if event == StepStarted("generate"):
                return


def test_a_stopped_question_goes_no_step_further(monkeypatch):
    monkeypatch.setattr(question_queue, "_GRACE", FAR)
    model, queue = held_queue(["a draft", "1. wrong", "refined"])

    async def stop():
        await leave_in_its_first_call(queue, "semantic")
        model.release.set()
        await until(lambda: not queue.running)

    run(stop())
    assert model.replies == ["1. wrong", "refined"]


def test_a_stopped_question_keeps_its_place_for_a_moment(monkeypatch):
    monkeypatch.setattr(question_queue, "_GRACE", FAR)
    model, queue = held_queue(["never read", "second answer"])

    async def ask_after_it():
        await leave_in_its_first_call(queue)
        async with queue.ask("second", "baseline") as events:
            # Two calls at the same time would take the memory of two.
            assert (queue.running, queue.waiting) == (1, 1)
            model.release.set()
            return [event async for event in events]

    assert run(ask_after_it())[-1].answer == "second answer"


def test_the_end_of_that_moment_starts_the_question_that_waits(monkeypatch):
    monkeypatch.setattr(question_queue, "_GRACE", 0.0)
    model, queue = held_queue(["second answer", "never read"])

    async def ask_both():
        async with AsyncExitStack() as first:
            events = await first.enter_async_context(queue.ask("first", "baseline"))
            await until(lambda: model.calls)
            async with queue.ask("second", "baseline") as others:
                assert queue.waiting == 1
                await first.aclose()
                answered = [event async for event in others][-1]
        model.release.set()
        # Its events end where the client left.
        assert not isinstance(await anext(events), Answered)
        return answered.answer

    assert run(ask_both()) == "second answer"


def test_the_result_of_a_question_after_the_end_of_the_server_is_dropped():
    model, queue = held_queue(["never read"])
    started = []

    def start(**options):
        started.append(Thread(**options))
        return started[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(question_queue, "Thread", start)
        run(leave_in_its_first_call(queue))
    model.release.set()
    # An error in it would be one of this test.
    started[0].join(FAR)
    assert started[0].daemon


@pytest.mark.parametrize(
    ("error", "is_environment"), [(ConnectionError("refused"), True), (KeyError("a"), False)]
)
def test_an_error_that_is_not_of_the_question_is_a_line_of_the_log(
    error, is_environment, monkeypatch, tmp_path, caplog
):
    monkeypatch.setenv("OPENCODER_CACHE", str(tmp_path))

    def fail(prompt):
        raise error

    _, queue = queue_of(fail)
    run(events_of(queue, "why?"))
    [record] = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert record.getMessage().startswith(f"a question failed: {type(error).__name__}: ")
    assert ("traceback" in record.getMessage()) is not is_environment


def test_a_secret_in_an_error_is_shown_to_no_client(monkeypatch, tmp_path):
    monkeypatch.setenv("OPENCODER_CACHE", str(tmp_path))

    def fail(prompt):
        raise ValueError("no model at https://user:hunter2@models.example/v1")

    _, queue = queue_of(fail)
    failed = run(events_of(queue, "why?"))[-1]
    assert failed.message.startswith("ValueError: no model at https://")
    assert "hunter2" not in failed.message


def test_only_a_model_server_answers_several_questions_well():
    local = load_settings("baseline", "embedded", []).profile
    busy = local.generator.model_copy(update={"concurrency": 7})
    assert most_at_once(local.model_copy(update={"generator": busy})) == 1
    served = busy.model_copy(update={"engine": "openai"})
    assert most_at_once(local.model_copy(update={"generator": served})) == 7


class HaltingChat(EndlessChat):
    """A chat model on a server, whose stream has parts without a text."""

    def _stream(self, messages, stop=None, run_manager=None, **kwargs):
        for text in ("", "a ", "", "word"):
            yield ChatGenerationChunk(message=AIMessageChunk(content=text))


def test_a_part_of_a_reply_without_a_text_is_no_event():
    chat = HaltingChat()
    queue = QuestionQueue(lambda config: build_graph(config, model=chat, window=4_096), CONFIGS)
    events = run(events_of(queue, "why?"))
    assert [e.text for e in events if isinstance(e, Chunk)] == ["a ", "word"]
    assert events[-1].answer == "a word"


def test_a_question_has_the_context_of_who_asked_it():
    # So the runs of a question belong to the trace of its request.
    asker = ContextVar("asker", default="nobody")

    def refuse(config):
        raise BadQuestionError(f"asked by {asker.get()}")

    async def ask():
        asker.set("somebody")
        return await events_of(QuestionQueue(refuse, CONFIGS), "why?")

    assert run(ask())[-1] == Failed("asked by somebody", None)

"""The environment fails in the middle of a run: it stops, records nothing of it, and goes on later."""

import errno
import os
import sqlite3
from itertools import product

import pytest

from evaluation.answering.batch_records import OneProcess
from evaluation.answering.loop import run_loop
from evaluation.store.journal import Journal
from graph.support.errors import ConfigError, EnvironmentFailure, FileLostError, PromptTooLongError
from tests.fakes.records import key_of_items
from tests.fakes.scripted_runs import Scripted, answer_for, items, number_of

COUNT, BATCH, BAD = 12, 4, 5
KEY = key_of_items(items(COUNT), BATCH)
CAUSES = [
    ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"),
    ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
    TimeoutError("timed out"),
    OSError(errno.ENOSPC, "No space left on device"),
    OSError(errno.EMFILE, "Too many open files"),
    MemoryError("no room"),
    RuntimeError("CUDA error: device-side assert triggered"),
    sqlite3.OperationalError("disk I/O error"),
    ConfigError("the PostgreSQL server that OPENCODER_POSTGRES names: the connection was lost"),
    type("RateLimitError", (Exception,), {"status_code": 429})("slow down"),
    type("AuthenticationError", (Exception,), {"status_code": 401})("no key"),
]


@pytest.fixture(scope="module", autouse=True)
def _no_clock():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nodes.retrieve.perf_counter", lambda: 0.0)
        yield


def run(path, scripted, **options):
    journal = Journal(path, KEY)
    try:
        return run_loop(OneProcess(scripted.setup), items(COUNT), BATCH, journal, **options)
    finally:
        journal.close()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The bytes of the journal of a run in which nothing fails."""
    path = tmp_path_factory.mktemp("undisturbed") / "journal.jsonl"
    run(path, Scripted(config="semantic"))
    return path.read_bytes()


def in_a_call(scripted, monkeypatch, cause):
    write_all = scripted.writer.write_all

    def lost(prompts, *rest):
        outcomes = write_all(prompts, *rest)
        if any(number_of(outcome["prompt"]) == BAD for outcome in outcomes):
            raise cause
        return outcomes

    scripted.writer.write_all = lost


def in_one_outcome(scripted, monkeypatch, cause):
    write_all = scripted.writer.write_all
    scripted.writer.write_all = lambda prompts, *rest: [
        cause if number_of(outcome["prompt"]) == BAD else outcome
        for outcome in write_all(prompts, *rest)
    ]


def in_the_judge(scripted, monkeypatch, cause):
    choose_all = scripted.judge.choose_all

    def lost(prompts, options):
        outcomes = choose_all(prompts, options)
        if any(number_of(text) == BAD for text in scripted.judge.calls[-1]):
            raise cause
        return outcomes

    scripted.judge.choose_all = lost


def in_retrieval(scripted, monkeypatch, cause):
    class Lost(type(scripted.retriever)):
        def _get_relevant_documents(self, query, *, run_manager):
            if number_of(query) == BAD:
                raise cause
            return super()._get_relevant_documents(query, run_manager=run_manager)

    scripted.retriever.__class__ = Lost


def in_scoring(scripted, monkeypatch, cause):
    encode = scripted.setup.encoder.encode

    def lost(texts, *rest, **options):
        if any(f"reason {BAD}" in text for text in texts):
            raise cause
        return encode(texts, *rest, **options)

    scripted.setup.encoder.encode = lost


PLACES = [in_a_call, in_one_outcome, in_the_judge, in_retrieval, in_scoring]


@pytest.mark.parametrize(
    ("place", "cause"),
    [
        pytest.param(place, cause, id=f"{place.__name__}-{type(cause).__name__}")
        for place, cause in product(PLACES, CAUSES)
    ],
)
def test_the_run_stops_and_goes_on_as_if_nothing_had_happened(
    tmp_path, monkeypatch, undisturbed, place, cause
):
    path = tmp_path / "journal.jsonl"
    scripted = Scripted(config="semantic")
    place(scripted, monkeypatch, cause)
    with pytest.raises(EnvironmentFailure) as caught:
        run(path, scripted)
    assert str(cause) in str(caught.value)
    assert "\n" not in str(caught.value)
    # The first batch; nothing of the second one, and the third one was not asked.
    recorded = path.read_bytes()
    assert undisturbed.startswith(recorded)
    assert recorded.count(b"\n") == BATCH
    assert max(scripted.question_numbers()) < 2 * BATCH
    session = run(path, Scripted(config="semantic"))
    assert (session.questions, session.recomputed) == (COUNT - BATCH, 0)
    assert path.read_bytes() == undisturbed


@pytest.mark.parametrize(
    "error",
    [ValueError("no number"), KeyError("x"), RecursionError("deep")],
)
def test_an_error_of_one_question_is_recorded_and_the_run_goes_on(tmp_path, monkeypatch, error):
    scripted = Scripted(config="semantic")
    in_one_outcome(scripted, monkeypatch, error)
    assert run(tmp_path / "journal.jsonl", scripted).questions == COUNT
    assert failed_in(tmp_path / "journal.jsonl") == [BAD]


@pytest.mark.parametrize("error", [ValueError("no number"), KeyError("x"), ZeroDivisionError()])
def test_an_answer_that_cannot_be_scored_fails_alone(tmp_path, monkeypatch, error):
    scripted = Scripted(config="semantic")
    in_scoring(scripted, monkeypatch, error)
    assert run(tmp_path / "journal.jsonl", scripted).questions == COUNT
    assert failed_in(tmp_path / "journal.jsonl") == [BAD]


def failed_in(path):
    journal = Journal(path, KEY)
    journal.close()
    return [index for index, record in journal.entries.items() if record["error"]]


# All questions fail in the same way


def failing(numbers, error=ValueError):
    def answer(prompt):
        if number_of(prompt) in numbers:
            raise error("no number")
        return answer_for(prompt)

    return Scripted(answer, "semantic")


def test_a_fault_that_fails_every_question_stops_the_run_and_nothing_of_it_is_recorded(tmp_path):
    path = tmp_path / "journal.jsonl"
    with pytest.raises(EnvironmentFailure) as caught:
        run(path, failing(range(4, COUNT)))
    assert str(caught.value) == "8 questions in a row failed with ValueError: no number"
    assert failed_in(path) == []
    assert path.read_bytes().count(b"\n") == BATCH


@pytest.mark.parametrize(
    "numbers", [range(4), range(4, 8), range(8, 12), [0, 1, 2, 3, 8, 9, 10, 11]]
)
def test_a_batch_whose_questions_all_fail_is_recorded_when_others_work_or_none_is_left(
    tmp_path, undisturbed, numbers
):
    path = tmp_path / "journal.jsonl"
    assert run(path, failing(numbers)).questions == COUNT
    assert failed_in(path) == list(numbers)
    # Where they stand in an undisturbed run too.
    assert run(path, Scripted(config="semantic"), retry_failed=True).questions == len(numbers)
    assert path.read_bytes() == undisturbed


def test_prompts_that_are_too_long_stop_no_run(tmp_path):
    path = tmp_path / "journal.jsonl"
    assert run(path, failing(range(COUNT), PromptTooLongError)).questions == COUNT
    assert failed_in(path) == list(range(COUNT))


def test_two_kinds_of_errors_are_no_common_fault(tmp_path):
    path = tmp_path / "journal.jsonl"

    def answer(prompt):
        raise (ValueError if number_of(prompt) % 8 < 4 else KeyError)("no")

    assert run(path, Scripted(answer, "semantic")).questions == COUNT
    assert failed_in(path) == list(range(COUNT))


class BadRequestError(Exception):
    """A request that a server refuses for its content."""

    status_code = 400


def refusing(numbers, message):
    def answer(prompt):
        number = number_of(prompt)
        if number in numbers:
            raise BadRequestError(message(number))
        return answer_for(prompt)

    return Scripted(answer, "semantic")


def balance(number):
    return f"Your credit balance is too low (request req_01{number:04x}f, {number} tokens)"


def test_a_refusal_of_every_question_stops_the_run_and_nothing_of_it_is_recorded(
    tmp_path, undisturbed
):
    path = tmp_path / "journal.jsonl"
    with pytest.raises(EnvironmentFailure) as caught:
        run(path, refusing(range(4, COUNT), balance))
    assert str(caught.value) == f"8 questions in a row failed with BadRequestError: {balance(8)}"
    assert failed_in(path) == []
    assert path.read_bytes().count(b"\n") == BATCH
    assert run(path, Scripted(config="semantic")).questions == COUNT - BATCH
    assert path.read_bytes() == undisturbed


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        (range(COUNT), lambda number: f"the word {'abcdefghijkl'[number]} is not allowed"),
        (range(4), balance),
        ([0, 1, 2, 4, 5, 6], balance),
        ([*range(4), *range(8, 12)], balance),
    ],
)
def test_refusals_of_single_questions_are_recorded(tmp_path, numbers, message):
    path = tmp_path / "journal.jsonl"
    assert run(path, refusing(numbers, message)).questions == COUNT
    assert failed_in(path) == [*numbers]


def test_a_retry_that_every_question_is_refused_in_keeps_the_failed_records(tmp_path, undisturbed):
    path = tmp_path / "journal.jsonl"
    run(path, refusing([1, 5, 9], balance))
    before = path.read_bytes()
    with pytest.raises(EnvironmentFailure, match="8 questions in a row failed with BadRequest"):
        run(path, refusing(range(COUNT), balance), retry_failed=True)
    assert path.read_bytes() == before
    assert run(path, Scripted(config="semantic"), retry_failed=True).questions == 3
    assert path.read_bytes() == undisturbed


# The judge fails


def judge_failing(numbers, error):
    scripted = Scripted(config="semantic")
    choose_all = scripted.judge.choose_all

    def choose(prompts, options):
        outcomes = choose_all(prompts, options)
        pairs = zip(scripted.judge.calls[-1], outcomes, strict=True)
        return [error if number_of(prompt) in numbers else outcome for prompt, outcome in pairs]

    scripted.judge.choose_all = choose
    return scripted


@pytest.mark.parametrize("error", [BadRequestError("too low"), ValueError("no number")])
def test_a_judge_that_fails_at_every_answer_stops_the_run(tmp_path, undisturbed, error):
    path = tmp_path / "journal.jsonl"
    with pytest.raises(EnvironmentFailure) as caught:
        run(path, judge_failing(range(4, COUNT), error))
    assert str(caught.value) == (
        f"the judge of 8 questions in a row failed with {type(error).__name__}: {error}"
    )
    assert run(path, Scripted(config="semantic")).questions == COUNT - BATCH
    assert path.read_bytes() == undisturbed


def test_answers_that_are_too_long_for_the_judge_stop_no_run(tmp_path):
    path = tmp_path / "journal.jsonl"
    scripted = judge_failing(range(COUNT), PromptTooLongError("too long"))
    assert run(path, scripted).questions == COUNT


@pytest.mark.parametrize("numbers", [[5], [0, 11], [4, 5, 6, 7]])
def test_a_retry_asks_the_judge_again_where_it_failed(tmp_path, undisturbed, numbers):
    path = tmp_path / "journal.jsonl"
    run(path, judge_failing(numbers, BadRequestError("refused")))
    before = path.read_bytes()
    assert before != undisturbed
    assert failed_in(path) == []
    assert run(path, Scripted(config="semantic")).questions == 0
    assert path.read_bytes() == before
    assert run(path, Scripted(config="semantic"), retry_failed=True).questions == len(numbers)
    assert path.read_bytes() == undisturbed


def test_an_answer_is_not_lost_if_its_question_fails_when_the_judge_is_asked_again(tmp_path):
    path = tmp_path / "journal.jsonl"
    run(path, judge_failing([5], BadRequestError("refused")))
    before = path.read_bytes()
    run(path, failing([5]), retry_failed=True)
    assert path.read_bytes() == before


# Failed questions are asked again


@pytest.mark.parametrize("numbers", [[5], [0, 11], [1, 2, 6], range(COUNT - 1)])
def test_failed_questions_are_asked_again_with_their_batch(tmp_path, undisturbed, numbers):
    path = tmp_path / "journal.jsonl"
    scripted = failing([*numbers[:1]])
    run(path, scripted)
    for number in numbers[1:]:
        fail_in_place(path, number)
    before = path.read_bytes()
    assert run(path, Scripted(config="semantic")).questions == 0
    assert path.read_bytes() == before
    again = Scripted(config="semantic")
    session = run(path, again, retry_failed=True)
    touched = {number // BATCH for number in numbers}
    assert {number // BATCH for number in again.question_numbers()} == touched
    assert session.questions == len(numbers)
    assert (session.recomputed, session.not_reproduced) == (
        len(touched) * BATCH - len(numbers),
        0,
    )
    assert path.read_bytes() == undisturbed


def fail_in_place(path, number):
    journal = Journal(path, KEY)
    record = journal.entries[number]
    journal.replace(
        [
            {
                **record,
                **{"answer": "", "reasoning": "", "passages": [], "steps": [], "metrics": {}},
                **{
                    "candidates": [],
                    "error": {"type": "ValueError", "message": "no", "of_question": False},
                },
            }
        ]
    )
    journal.close()


def test_a_question_that_fails_again_keeps_one_record(tmp_path):
    path = tmp_path / "journal.jsonl"
    run(path, failing([5]))
    before = path.read_bytes()
    assert run(path, failing([5]), retry_failed=True).questions == 1
    assert path.read_bytes() == before


def test_a_retry_that_the_environment_stops_keeps_the_failed_records(
    tmp_path, monkeypatch, undisturbed
):
    path = tmp_path / "journal.jsonl"
    run(path, failing([1, 5]))
    scripted = Scripted(config="semantic")
    in_a_call(scripted, monkeypatch, TimeoutError("timed out"))
    with pytest.raises(EnvironmentFailure):
        run(path, scripted, retry_failed=True)
    assert failed_in(path) == [5]
    assert run(path, Scripted(config="semantic")).questions == 0
    assert run(path, Scripted(config="semantic"), retry_failed=True).questions == 1
    assert path.read_bytes() == undisturbed


# The run folder goes away


@pytest.mark.parametrize("number", [0, 5, 11])
def test_a_folder_that_is_removed_is_noticed_before_the_next_batch_is_asked(tmp_path, number):
    folder = tmp_path / "run"
    folder.mkdir()

    def answer(prompt):
        if number_of(prompt) == number and folder.exists():
            (folder / "journal.jsonl").unlink()
            folder.rmdir()
        return answer_for(prompt)

    scripted = Scripted(answer, "baseline")
    with pytest.raises(FileLostError, match=f"its {number // BATCH * BATCH} entries are lost"):
        run(folder / "journal.jsonl", scripted)
    assert max(scripted.question_numbers()) < (number // BATCH + 1) * BATCH
    assert not os.path.exists(folder)

"""A request that fails: a limit is waited out, and a plain request tells whose failure it is."""

from threading import Barrier, BrokenBarrierError, Thread
from types import SimpleNamespace

import pytest

from graph.models.engines import request_failures
from graph.models.engines.request_failures import LONGEST_WAIT, PAUSE, RequestSender
from graph.support.environment import is_environment, is_of_question
from graph.support.errors import FailedRequestError
from tests.fakes.waiting import Clock

OVERLAP = 0.2
"""Seconds in which a second check would begin."""


class StatusError(Exception):
    def __init__(self, code, **headers):
        super().__init__(f"Error code: {code}")
        self.response = SimpleNamespace(status_code=code, headers=headers)


@pytest.fixture
def clock(monkeypatch):
    return Clock.in_place_of(request_failures, monkeypatch)


def refuse():
    raise AssertionError("the server is asked for no reason")


def dead():
    raise ConnectionRefusedError("no")


def failing(error):
    def request():
        raise error

    return request


# A limit on requests


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({}, PAUSE),
        ({"retry-after": "40"}, 40),
        ({"retry-after": "0.5"}, PAUSE),
        ({"retry-after": "-7"}, PAUSE),
        ({"retry-after": "nan"}, PAUSE),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, PAUSE),
    ],
)
def test_a_limit_is_waited_out_as_long_as_the_server_says(clock, caplog, headers, pause):
    outcomes = iter([StatusError(429, **headers), StatusError(429, **headers), "at last"])

    def request():
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    assert RequestSender(refuse).send(request) == "at last"
    assert clock.pauses == [pause] * 2
    assert (
        caplog.messages
        == [f"the server limits requests (429): waiting {pause:.0f} seconds, at most 120 in all"]
        * 2
    )


@pytest.mark.parametrize("stated", ["0", "25", "119", "121", "inf"])
def test_the_wait_ends_and_no_other_request_is_sent(clock, stated):
    error = StatusError(429, **{"retry-after": stated})
    with pytest.raises(StatusError) as caught:
        RequestSender(refuse).send(failing(error))
    assert caught.value is error
    pause = max(PAUSE, float(stated))
    assert clock.pauses == [pause] * int(LONGEST_WAIT // pause)


def test_the_time_of_the_tries_counts(clock):
    def request():
        clock.now += 60
        raise StatusError(429)

    with pytest.raises(StatusError):
        RequestSender(refuse).send(request)
    assert clock.pauses == [PAUSE]


# Whose failure it is

MAY_BE_OF_A_QUESTION = [
    *(StatusError(code) for code in (402, 403, 408, 409, 500, 502, 503, 529)),
    TimeoutError("too slow"),
    *(type(name, (Exception,), {})("too slow") for name in ("ReadTimeout", "APITimeoutError")),
]


@pytest.mark.parametrize("error", MAY_BE_OF_A_QUESTION, ids=repr)
def test_a_failure_is_the_questions_if_the_server_answers_another_request(error):
    asked = []
    with pytest.raises(FailedRequestError) as caught:
        RequestSender(lambda: asked.append(1)).send(failing(error))
    assert asked == [1]
    assert str(error) in str(caught.value)
    assert not is_environment(caught.value)
    assert is_of_question(caught.value)


@pytest.mark.parametrize("error", MAY_BE_OF_A_QUESTION, ids=repr)
def test_it_is_the_servers_if_it_answers_none(error):
    with pytest.raises(type(error)) as caught:
        RequestSender(dead).send(failing(error))
    assert caught.value is error


@pytest.mark.parametrize(
    "error",
    [
        *(StatusError(code) for code in (400, 401, 404, 413, 422)),
        *(ConnectionRefusedError("no"), ConnectionResetError("no")),
        type("APIConnectionError", (Exception,), {})("no"),
        *(ValueError("no"), KeyError("choices")),
    ],
    ids=repr,
)
def test_for_other_failures_the_server_is_not_asked(error):
    with pytest.raises(type(error)) as caught:
        RequestSender(refuse).send(failing(error))
    assert caught.value is error


def test_there_is_one_check_at_a_time():
    second = Barrier(2)
    overlaps, outcomes = [], []

    def ask_plainly():
        try:
            second.wait(OVERLAP)
        except BrokenBarrierError:
            second.reset()
        else:
            overlaps.append(1)

    sender = RequestSender(ask_plainly)

    def work():
        with pytest.raises(FailedRequestError):
            sender.send(failing(StatusError(500)))
        outcomes.append(1)

    threads = [Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == [1] * 6
    assert overlaps == []


def test_a_server_that_comes_back_is_checked_again():
    outcomes = iter([dead, lambda: None])
    sender = RequestSender(lambda: next(outcomes)())
    with pytest.raises(StatusError):
        sender.send(failing(StatusError(500)))
    with pytest.raises(FailedRequestError):
        sender.send(failing(StatusError(500)))

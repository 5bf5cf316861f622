"""Lockstep: requests are served together, in an order that depends on the questions alone."""

import random
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from threading import Thread, current_thread, get_ident
from typing import NamedTuple, TypeVar

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from graph.models.lockstep import Lockstep, TaskOutcome
from graph.support.errors import ConfigError, EnvironmentFailure
from tests.fakes.waiting import FAR

_T = TypeVar("_T")


class Request(NamedTuple):
    key: str
    items: int = 1
    fails: bool = False


class Plan(NamedTuple):
    """One question: its requests, one after the other, and whether it fails at the end."""

    requests: tuple[Request, ...]
    raises: bool = False


class Crash(Exception):
    pass


def ended(run: Callable[[], _T]) -> _T:
    """Run something in a thread and fail if it does not come back: a deadlock is a failure."""
    results: list[_T] = []
    errors: list[BaseException] = []

    def target() -> None:
        try:
            results.append(run())
        except BaseException as error:
            errors.append(error)

    thread = Thread(target=target, daemon=True)
    thread.start()
    thread.join(FAR)
    assert not thread.is_alive(), "deadlock"
    if errors:
        raise errors[0]
    return results[0]


class Server:
    """Serves items by echoing them, records each call, and fails the items that say so."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[str]]] = []

    def serve(self, key: str):
        def served(items: list[str]) -> list[object]:
            self.calls.append((key, list(items)))
            return [
                Crash(item) if item.endswith("fails") else f"{key} answers {item}" for item in items
            ]

        return served


def nonces(question: int, turn: int, request: Request) -> list[str]:
    ending = " fails" if request.fails else ""
    return [f"q{question} turn {turn} item {item}{ending}" for item in range(request.items)]


def run(plans: list[Plan], pause: random.Random | None = None) -> tuple[list[TaskOutcome], Server]:
    server, lockstep = Server(), Lockstep()

    def task(question: int, plan: Plan) -> list[list[str]]:
        answers = []
        for turn, request in enumerate(plan.requests):
            if pause is not None:
                time.sleep(pause.random() / 500)
            items = nonces(question, turn, request)
            answers.append(lockstep.ask(request.key, items, server.serve(request.key)))
        if plan.raises:
            raise Crash(f"q{question} breaks down")
        return answers

    tasks = [lambda q=q, plan=plan: task(q, plan) for q, plan in enumerate(plans)]
    return ended(lambda: lockstep.run(tasks)), server


def expected_calls(plans: list[Plan]) -> list[tuple[str, list[str]]]:
    """Work out the calls by hand: at each turn one call a key, its items ordered by question."""
    calls, alive = [], dict(enumerate(plans))
    for turn in range(max((len(plan.requests) for plan in plans), default=0)):
        alive = {q: plan for q, plan in alive.items() if turn < len(plan.requests)}
        groups = defaultdict(list)
        for question, plan in alive.items():
            groups[plan.requests[turn].key] += nonces(question, turn, plan.requests[turn])
        calls += [(key, groups[key]) for key in sorted(groups)]
        alive = {
            q: plan
            for q, plan in alive.items()
            if not (plan.requests[turn].fails and plan.requests[turn].items)
        }
    return calls


requests = st.builds(
    Request, st.sampled_from("abc"), st.integers(0, 3), st.sampled_from([False, False, False, True])
)
plans = st.lists(
    st.builds(
        Plan,
        st.lists(requests, max_size=5).map(tuple),
        st.sampled_from([False, False, True]),
    ),
    max_size=6,
)


# Not shrunk: each example of a deadlock costs the whole patience of the watchdog.
@given(plans)
@settings(max_examples=150, derandomize=True, deadline=None, phases=[Phase.generate])
def test_every_question_gets_its_own_answers(plans):
    outcomes, server = run(plans)
    assert server.calls == expected_calls(plans)
    for question, (plan, outcome) in enumerate(zip(plans, outcomes, strict=True)):
        failing = [
            nonces(question, turn, request)[0]
            for turn, request in enumerate(plan.requests)
            if request.fails and request.items
        ]
        if failing:
            assert isinstance(outcome.error, Crash)
            assert str(outcome.error) == failing[0]
        elif plan.raises:
            assert str(outcome.error) == f"q{question} breaks down"
        else:
            assert outcome.error is None
            assert outcome.value == [
                [f"{request.key} answers {nonce}" for nonce in nonces(question, turn, request)]
                for turn, request in enumerate(plan.requests)
            ]


def test_batches_are_the_same_however_long_each_question_takes():
    plans = [
        Plan((Request("a"), Request("b", 2), Request("a"))),
        Plan((Request("a"), Request("a", fails=True))),
        Plan(()),
        Plan((Request("b"), Request("a"), Request("a"), Request("c"), Request("c"))),
        Plan((Request("a"),), raises=True),
    ]
    for seed in range(30):
        _, server = run(plans, pause=random.Random(seed))
        assert server.calls == expected_calls(plans)


def test_eight_questions_with_three_requests_are_three_calls_of_eight():
    _, server = run([Plan((Request("a"), Request("a"), Request("a")))] * 8)
    assert [len(items) for _, items in server.calls] == [8, 8, 8]
    assert server.calls[1][1] == [f"q{question} turn 1 item 0" for question in range(8)]


def test_a_question_that_loops_longer_goes_on_alone():
    _, server = run([Plan((Request("a"),)), Plan((Request("a"),) * 4)])
    assert [len(items) for _, items in server.calls] == [2, 1, 1, 1]


def test_different_keys_are_served_apart_in_the_order_of_their_names():
    _, server = run([Plan((Request("b"),)), Plan((Request("a"),)), Plan((Request("b"),))])
    assert [(key, [item[:2] for item in items]) for key, items in server.calls] == [
        ("a", ["q1"]),
        ("b", ["q0", "q2"]),
    ]


def ask_all(count: int, key_of: Callable[[int], str], serve) -> list[TaskOutcome]:
    lockstep = Lockstep()
    tasks = [lambda q=q: lockstep.ask(key_of(q), [f"q{q}"], serve(key_of(q))) for q in range(count)]
    return ended(lambda: lockstep.run(tasks))


def test_a_call_that_raises_fails_its_questions_and_not_the_others():
    def serve(key: str):
        def served(items: list[str]) -> list[str]:
            if key == "bad":
                raise ValueError("no such letter")
            return [item.upper() for item in items]

        return served

    outcomes = ask_all(4, lambda q: "bad" if q % 2 else "good", serve)
    assert [outcome.value for outcome in outcomes] == [["Q0"], None, ["Q2"], None]
    assert [type(outcome.error) for outcome in outcomes[1::2]] == [ValueError] * 2
    assert "no such letter" in str(outcomes[1].error)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_call_with_too_few_or_too_many_outcomes_fails_its_questions(count):
    def serve(key: str):
        return lambda items: ["x"] * count if key == "bad" else [item.upper() for item in items]

    outcomes = ask_all(4, lambda q: "bad" if q < 2 else "good", serve)
    assert [outcome.value for outcome in outcomes] == [None, None, ["Q2"], ["Q3"]]
    message = f"the model returned {count} outcomes for 2 items"
    assert [str(outcome.error) for outcome in outcomes[:2]] == [message] * 2


def test_one_failing_item_fails_its_own_question_alone():
    outcomes, _ = run(
        [Plan((Request("a"), Request("a"))), Plan((Request("a", fails=True), Request("a")))]
    )
    assert outcomes[0].value == [["a answers q0 turn 0 item 0"], ["a answers q0 turn 1 item 0"]]
    assert str(outcomes[1].error) == "q1 turn 0 item 0 fails"


def test_a_question_may_catch_its_error_and_ask_again():
    lockstep, server = Lockstep(), Server()

    def stubborn() -> list[str]:
        try:
            return lockstep.ask("a", ["q0 fails"], server.serve("a"))
        except Crash:
            return lockstep.ask("a", ["q0 again"], server.serve("a"))

    def patient() -> list[str]:
        lockstep.ask("a", ["q1 first"], server.serve("a"))
        return lockstep.ask("a", ["q1 second"], server.serve("a"))

    outcomes = ended(lambda: lockstep.run([stubborn, patient]))
    assert [outcome.value for outcome in outcomes] == [
        ["a answers q0 again"],
        ["a answers q1 second"],
    ]
    assert server.calls == [("a", ["q0 fails", "q1 first"]), ("a", ["q0 again", "q1 second"])]


def test_a_request_outside_a_run_is_served_at_once():
    server = Server()
    assert Lockstep().ask("a", ["x", "y"], server.serve("a")) == ["a answers x", "a answers y"]
    assert server.calls == [("a", ["x", "y"])]


def test_a_request_outside_a_run_raises_its_error():
    with pytest.raises(Crash, match="x fails"):
        Lockstep().ask("a", ["x fails"], Server().serve("a"))


def test_a_lockstep_runs_batch_after_batch():
    lockstep, server = Lockstep(), Server()
    for batch in range(3):
        tasks = [
            lambda q=q, batch=batch: lockstep.ask("a", [f"{batch}.{q}"], server.serve("a"))
            for q in range(2)
        ]
        outcomes = ended(lambda tasks=tasks: lockstep.run(tasks))
        assert [outcome.value for outcome in outcomes] == [
            [f"a answers {batch}.0"],
            [f"a answers {batch}.1"],
        ]
    assert [items for _, items in server.calls] == [["0.0", "0.1"], ["1.0", "1.1"], ["2.0", "2.1"]]


def test_no_task_is_no_outcome():
    assert Lockstep().run([]) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)])
def test_an_interrupt_in_a_question_is_its_outcome_and_stops_no_other(error):
    lockstep, server = Lockstep(), Server()

    def interrupted() -> None:
        raise error

    tasks = [interrupted, lambda: lockstep.ask("a", ["q1"], server.serve("a"))]
    outcomes = ended(lambda: lockstep.run(tasks))
    assert outcomes[0].error is error
    assert outcomes[1].value == ["a answers q1"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)])
def test_an_interrupt_while_serving_reaches_the_caller(error):
    def serve(key: str):
        def served(items: list[str]) -> list[str]:
            raise error

        return served

    with pytest.raises(type(error)):
        ask_all(3, lambda q: "a", serve)


def test_the_callers_own_thread_serves():
    lockstep, served = Lockstep(), []

    def serve(items):
        served.append(get_ident())
        return items

    task = partial(lockstep.ask, "a", ["x"], serve)
    assert [outcome.value for outcome in lockstep.run([task, task])] == [["x"], ["x"]]
    assert served == [get_ident()]


# Errors of the environment end the run


class Gone(ConnectionError):
    pass


def raising(items):
    raise Gone("the server is gone")


def one_outcome(items):
    return [Gone("the server is gone"), *items[1:]]


@pytest.mark.parametrize("serve", [raising, one_outcome])
def test_a_call_that_the_environment_fails_ends_the_run_and_all_questions(serve):
    lockstep, threads, calls = Lockstep(), [], []

    def task():
        threads.append(current_thread())
        try:
            lockstep.ask("a", ["x"], lambda items: calls.append(len(items)) or serve(items))
        except Exception:
            # As the node judge: it makes every error a missing grade, and goes on.
            return lockstep.ask("b", ["y"], lambda items: calls.append("more"))

    with pytest.raises(EnvironmentFailure, match=r"^Gone: the server is gone$"):
        ended(lambda: lockstep.run([task] * 4))
    assert calls == [4]
    assert not any(thread.is_alive() for thread in threads)


@pytest.mark.parametrize("error", [Gone("x"), ConfigError("x"), MemoryError("x"), OSError(24, "x")])
def test_a_question_that_the_environment_fails_stops_the_others_before_their_next_call(error):
    lockstep, calls = Lockstep(), []

    def lost():
        raise error

    def waiting():
        lockstep.ask("a", ["x"], lambda items: calls.append(items) or items)

    with pytest.raises(EnvironmentFailure, match="x"):
        ended(lambda: lockstep.run([waiting, lost, waiting]))
    assert calls == []


def test_a_lockstep_runs_again_after_the_environment_failed():
    lockstep = Lockstep()
    with pytest.raises(EnvironmentFailure):
        ended(lambda: lockstep.run([lambda: lockstep.ask("a", ["x"], raising)] * 2))
    task = partial(lockstep.ask, "a", ["x"], lambda items: items)
    assert [outcome.value for outcome in ended(lambda: lockstep.run([task] * 2))] == [["x"]] * 2


def of_memory(items, fits):
    return [item if fits(item) else MemoryError("no room") for item in items]


@pytest.mark.parametrize("key", [lambda question: "a", str], ids=["together", "each alone"])
@pytest.mark.parametrize(
    "fits", [lambda item: False, "q1".__ne__], ids=["no prompt", "all but one"]
)
def test_a_prompt_that_does_not_fit_into_memory_is_an_error_of_the_environment(key, fits):
    with pytest.raises(EnvironmentFailure, match=r"^MemoryError: no room$"):
        ask_all(3, key, lambda key: lambda items: of_memory(items, fits))

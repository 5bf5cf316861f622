"""The harness itself: each fault that it counts is one that it sees."""

import os
import time
from pathlib import Path

import pytest

from tests.fakes.processes import in_child
from tests.faults.damaged_runs import _is_kept
from tests.faults.harness import Case, Kind, Outcome, check_case, faults_of, run_kinds


def say(code, *lines):
    def act():
        for line in lines:
            os.write(2, f"{line}\n".encode())
        os._exit(code)

    return act


@pytest.mark.parametrize(
    ("act", "faults"),
    [
        (say(0), ()),
        (say(2, "opencoder: error: no such file"), ()),
        (say(2), ("false exit code",)),
        (say(2, "opencoder: error: a", "opencoder: error: b"), ("false exit code",)),
        (say(0, "opencoder: error: a"), ("false exit code",)),
        (say(1, "opencoder: error: a"), ()),
        (say(1, "opencoder: a sentence"), ("false exit code",)),
        (say(1, "opencoder: error: a", "opencoder: error: b"), ("false exit code",)),
        (say(7), ("false exit code",)),
        (
            say(1, "opencoder: error: KeyError: 'x'; a fault of OpenCoder: see x.log"),
            ("traceback",),
        ),
        (lambda: {}["x"], ("traceback",)),
        (lambda: os.kill(os.getpid(), 15), ("false exit code",)),
    ],
)
def test_an_end_that_is_not_right_is_a_fault(act, faults):
    assert faults_of(in_child(act), [0, 1, 2]) == faults


def test_a_command_that_does_not_end_is_a_hang(tmp_path):
    from tests.faults.commands import arm_limit

    case = Case("x", 0, 0, tmp_path, limit=0.2)
    ended = in_child(lambda: (arm_limit(case), time.sleep(1_000 * case.limit)))
    assert faults_of(ended, [0]) == ("hang",)


def test_a_case_depends_on_seed_kind_and_number_alone(tmp_path):
    def draw(kind, number, seed):
        return Case(kind, number, seed, tmp_path, limit=1).random.random()

    assert draw("x", 1, 0) == draw("x", 1, 0)
    assert len({draw("x", 1, 0), draw("x", 2, 0), draw("y", 1, 0), draw("x", 1, 1)}) == 4


def test_a_share_is_the_same_each_time_and_a_part_of_the_whole():
    kind = Kind("x", 50, 9, lambda case: Outcome("unchanged"))
    share = kind.numbers(full=False)
    assert share == kind.numbers(full=False)
    assert len({*share}) == 9
    assert {*share} < {*kind.numbers(full=True)}
    assert {number % 2 for number in share} == {0, 1}


def odd_numbers_fail(case):
    if case.number == 3:
        raise ValueError("a mistake of the case")
    return Outcome("refused", ("lost",) if case.number % 2 else (), "a detail")


def test_counts_are_printed_with_the_way_to_repeat_a_failure(capsys):
    kind = Kind("odd", 6, 3, odd_numbers_fail)
    assert not run_kinds([kind], 5, full=True, limit=9, processes=2)
    out = capsys.readouterr().out
    assert "lost: python -m tests.faults --seed 5 --case 'odd:5'" in out
    assert "a detail" in out
    assert "| odd | 6 | 0 | 3 | 0 | 2 | 0 | 1 | 0 | 0 | 0 | " in out
    assert "a mistake of the case" in out
    assert check_case(kind, 1, 5, 9).faults == ("lost",)


_JOURNAL, _SCORES = Path("journal.jsonl"), Path("scores/judge.jsonl")


@pytest.mark.parametrize("damaged", [None, _JOURNAL, _SCORES])
@pytest.mark.parametrize(
    ("changes", "allowed_for"),
    [
        ({}, {None, _JOURNAL, _SCORES}),
        ({_SCORES: b"a\nb\nc\n"}, {_JOURNAL, _SCORES}),
        ({Path("scores/judge.json"): b"{}"}, {_JOURNAL, _SCORES}),
        ({_SCORES: b"a\nq\n"}, {_SCORES}),
        ({_SCORES: b"q\nb\n"}, set()),
        ({_SCORES: b""}, set()),
        ({_SCORES: 0o10644}, set()),
        ({_JOURNAL: b"xy"}, set()),
        ({Path("new"): b""}, set()),
    ],
)
def test_only_judge_may_add_scores_to_a_run(changes, allowed_for, damaged):
    before = {_JOURNAL: b"x", _SCORES: b"a\nb\n"}
    assert _is_kept(before, before | changes, damaged) == (damaged in allowed_for)

"""Kills: a run that dies at any moment continues, loses nothing and repeats nothing."""

import signal
from collections.abc import Callable

from tests.fakes.processes import kill_self
from tests.faults import commands, file_operations
from tests.faults.harness import Case, Kind, Outcome, detail_of, faults_of
from tests.faults.runs import BATCH, CONFIGS, QUESTIONS, differences, evaluate, undisturbed


def _before_operation(nth: int) -> Callable[[], None]:
    """Die instead of the Nth operation on files."""

    def act(number, name, real, arguments):
        if number == nth:
            kill_self()
        return real(*arguments)

    return lambda: file_operations.arm(act)


def _inside_write(nth: int) -> Callable[[], None]:
    """Die when the Nth operation on files, if it is a write, has written a part of its bytes."""

    def act(number, name, real, arguments):
        if number == nth:
            if name == "write":
                *target, content = arguments
                real(*target, bytes(content)[: len(content) * 5 // 8])
            kill_self()
        return real(*arguments)

    return lambda: file_operations.arm(act)


def _at_call(nth: int) -> Callable[[], None]:
    """Die at the Nth call of a function."""
    return lambda: commands.act_at_call(nth, kill_self)


def _check(case: Case) -> Outcome:
    config = CONFIGS[case.number % len(CONFIGS)]
    run, random = undisturbed(config), case.random
    # Every operation on files in turn, then random moments.
    kills = 0
    answers = case.folder / "answers"
    nth = case.number // len(CONFIGS) + 1
    arms = [
        _before_operation(nth) if nth <= run.operations else _at_call(random.randrange(run.calls))
    ]
    if case.number % 3 == 0:
        arms = [_inside_write(nth)] if nth <= run.operations else arms
    if random.random() < 0.3:
        arms.append(_at_call(random.randrange(run.calls)))
    for arm in arms:
        ended = evaluate(
            case, config, before=lambda arm=arm: (commands.note_answers(answers), arm())
        )
        kills += ended.code == -signal.SIGKILL
        if ended.code != -signal.SIGKILL and (faults := faults_of(ended, [0])):
            return Outcome("", faults, detail_of(ended))
    ended = evaluate(case, config, before=lambda: commands.note_answers(answers))
    if faults := faults_of(ended, [0]):
        return Outcome("", faults, detail_of(ended))
    faults, detail = differences(case, config, ended)
    repeated = len(answers.read_bytes()) - run.answers
    # A kill costs the answers of one batch at most.
    if repeated > kills * run.answers * BATCH / QUESTIONS:
        faults, detail = (
            (*faults, "twice"),
            f"{repeated} answers again after {kills} kills {detail}",
        )
    return Outcome("resumed" if kills else "unchanged", faults, detail)


def _prepare() -> None:
    for config in CONFIGS:
        undisturbed(config)


KINDS = [Kind("kills", 400, 24, _check, _prepare)]

"""Lost servers and full memory: the run stops, records nothing of them, and the same command finishes it."""

import errno
import os
from collections.abc import Callable

import psycopg

from tests.faults import commands
from tests.faults.harness import Case, Kind, Outcome, detail_of, faults_of
from tests.faults.runs import CONFIGS, differences, evaluate, undisturbed

ERRORS: tuple[Callable[[], Exception], ...] = (
    lambda: ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED)),
    lambda: TimeoutError("timed out"),
    lambda: psycopg.OperationalError("server closed the connection unexpectedly"),
    lambda: OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    lambda: OSError(errno.EIO, os.strerror(errno.EIO)),
    MemoryError,
)


def _check(case: Case) -> Outcome:
    config = CONFIGS[case.number % len(CONFIGS)]
    run, error = undisturbed(config), ERRORS[case.number // len(CONFIGS) % len(ERRORS)]
    nth = case.random.randrange(1, run.answers + 1)
    lasting = bool(case.random.randrange(2))
    ended = evaluate(
        case, config, before=lambda: commands.fail_answers(nth, error, lasting=lasting)
    )
    if faults := faults_of(ended, [1]):
        return Outcome("", faults, detail_of(ended))
    ended = evaluate(case, config)
    if faults := faults_of(ended, [0]):
        return Outcome("", faults, detail_of(ended))
    return Outcome("resumed", *differences(case, config, ended))


def _prepare() -> None:
    for config in CONFIGS:
        undisturbed(config)


KINDS = [Kind("lost servers and full memory", 120, 12, _check, _prepare)]

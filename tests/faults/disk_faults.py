"""Errors of the disk: a run stops with one line, and the same command finishes it later."""

import errno
import os
import resource
from collections.abc import Callable

from tests.faults import file_operations
from tests.faults.harness import Case, Kind, Outcome, detail_of, faults_of
from tests.faults.runs import (
    CONFIGS,
    copy_of_run,
    differences,
    evaluate,
    results,
    undisturbed,
)

ERRORS = (errno.EIO, errno.ENOSPC, errno.EROFS, errno.EDQUOT)


def _error(nth: int, number: int, *, lasting: bool) -> Callable[[], None]:
    """Fail at the Nth operation on files, and at all later ones if the fault lasts."""

    def act(count, name, real, arguments):
        if count == nth or (lasting and count > nth):
            raise OSError(number, os.strerror(number))
        return real(*arguments)

    return lambda: file_operations.arm(act)


def _short_writes(nth: int, *, lasting: bool) -> Callable[[], None]:
    """Write a part of the bytes from the Nth operation on, as the system may at any time."""

    def act(count, name, real, arguments):
        *target, content = arguments if name == "write" else (b"",)
        if len(content) > 1 and (count == nth or (lasting and count > nth)):
            return real(*target, bytes(content)[: len(content) // 2])
        return real(*arguments)

    return lambda: file_operations.arm(act)


def _small_files(size: int) -> Callable[[], None]:
    """Let no file grow above a size; this reaches the writes of libraries in C too."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def _check(case: Case) -> Outcome:
    config = CONFIGS[case.number % len(CONFIGS)]
    run, random = undisturbed(config), case.random
    nth = (case.number // len(CONFIGS)) % run.operations + 1
    lasting = bool(random.randrange(2))
    arm = random.choices(
        (
            _error(nth, random.choice(ERRORS), lasting=lasting),
            _short_writes(nth, lasting=lasting),
            _small_files(random.randrange(4_000, 60_000)),
        ),
        weights=(6, 1, 1),
    )[0]
    ended = evaluate(case, config, before=arm)
    # 2: the run folder itself cannot be written.
    if faults := faults_of(ended, [0, 1, 2]):
        return Outcome("", faults, detail_of(ended))
    if ended.code == 0:
        return Outcome("unchanged", *differences(case, config, ended))
    ended = evaluate(case, config)
    if faults := faults_of(ended, [0]):
        return Outcome("", faults, detail_of(ended))
    return Outcome("resumed", *differences(case, config, ended))


def _check_finished(case: Case) -> Outcome:
    """Show a finished run whose disk is read-only."""
    config = CONFIGS[case.number % len(CONFIGS)]
    copy_of_run(case, config)
    before = results(case.folder)
    ended = evaluate(case, config, before=_error(1, errno.EROFS, lasting=True))
    faults = faults_of(ended, [0])
    if not faults and (results(case.folder) != before or "8 questions, 0 failed" not in ended.out):
        faults = ("wrong",)
    return Outcome("unchanged", faults, detail_of(ended))


def _prepare() -> None:
    for config in CONFIGS:
        undisturbed(config)


KINDS = [
    Kind("disk faults", 400, 24, _check, _prepare),
    Kind("finished run, read-only disk", len(CONFIGS), len(CONFIGS), _check_finished, _prepare),
]

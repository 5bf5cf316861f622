"""Progress on a stderr that is no terminal: lines with a rate of the new work alone."""

import logging
import sys

import pytest

from graph.support import progress as module
from graph.support.logger import log


@pytest.fixture
def lines(monkeypatch, caplog):
    """Report work at the given times of the clock; return the logged lines."""

    def report(times, steps, total, done=0):
        clock = iter(times)
        monkeypatch.setattr(sys.stderr, "isatty", lambda: False)
        monkeypatch.setattr(module, "monotonic", lambda: next(clock))
        monkeypatch.setattr(log, "propagate", True)
        with (
            caplog.at_level(logging.INFO, logger=log.name),
            module.progress("work", total, done=done) as bar,
        ):
            for step in steps:
                bar.advance(*step)
        return caplog.messages

    return report


def test_work_done_before_is_counted_but_is_no_part_of_the_rate(lines):
    messages = lines([0.0, 20.0], [(20,)], 100, done=60)
    assert messages == ["work: 80 of 100, 1.00 a second, 20 s left"]


def test_lines_are_rare_but_the_last_one_is_never_left_out(lines):
    messages = lines([0.0, 1.0, 2.0], [(10,), (10, "a note")], 20)
    assert messages == ["work: 20 of 20, 10 a second, 0 s left, a note"]

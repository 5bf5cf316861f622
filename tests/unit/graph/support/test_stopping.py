"""A stop from outside: it ends the work of its own context alone."""

from contextvars import copy_context
from threading import Event, Thread

import pytest

from graph.support.stopping import Stopped, check_stop, stopped_by


def test_work_goes_on_until_the_signal_is_set():
    signal = Event()
    with stopped_by(signal):
        check_stop()
        signal.set()
        with pytest.raises(Stopped):
            check_stop()
    check_stop()


def test_no_handler_of_errors_takes_a_stop_for_an_error_of_a_question():
    assert not issubclass(Stopped, Exception)


def test_threads_that_copy_the_context_are_stopped_and_others_are_not():
    signal, stopped = Event(), []

    def work(name):
        try:
            check_stop()
        except Stopped:
            stopped.append(name)

    with stopped_by(signal):
        context = copy_context()
    signal.set()
    threads = [
        Thread(target=context.run, args=(work, "of the question")),
        Thread(target=work, args=("of another",)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stopped == ["of the question"]

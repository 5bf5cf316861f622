"""Requests that run side by side: their threads, their order, and one that ends without an outcome."""

from threading import Barrier, Event, current_thread

import pytest

from graph.models.engines.request_pool import RequestPool
from graph.support.stopping import Stopped, check_stop, stopped_by
from tests.fakes.waiting import FAR


def exiting():
    raise SystemExit


@pytest.mark.parametrize(("concurrency", "count"), [(2, 9), (3, 3), (8, 3), (4, 40)])
def test_there_are_no_more_threads_than_requests_at_the_same_time(concurrency, count):
    threads, workers = set(), min(concurrency, count)
    all_run = Barrier(workers)

    def request(number):
        threads.add(current_thread())
        if number < workers:
            all_run.wait(FAR)
        return number

    requests = [lambda number=number: request(number) for number in range(count)]
    assert RequestPool(concurrency).run_all(requests) == list(range(count))
    assert len(threads) == workers


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("place", [0, 1, 4])
def test_no_outcome_takes_the_place_of_one_that_is_missing(place):
    requests = [lambda number=number: number for number in range(5)]
    requests[place] = exiting
    with pytest.raises(RuntimeError, match="a request ended without an outcome"):
        RequestPool(3).run_all(requests)


def test_an_error_stays_at_the_place_of_its_request():
    error = ValueError("no")

    def failing():
        raise error

    assert RequestPool(2).run_all([lambda: "a", failing, lambda: "c"]) == ["a", error, "c"]


@pytest.mark.parametrize("concurrency", [1, 3])
def test_a_stop_ends_all_requests_in_the_thread_that_waits_for_them(concurrency):
    signal, sent = Event(), []

    def request(number):
        sent.append(number)
        signal.set()
        check_stop()

    pool = RequestPool(concurrency)
    with stopped_by(signal), pytest.raises(Stopped):
        pool.run_all([lambda number=number: request(number) for number in range(40)])
    assert len(sent) <= concurrency
    assert pool.run_all([lambda: "the next question"]) == ["the next question"]

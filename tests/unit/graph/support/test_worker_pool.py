"""The pool of workers on a stand-in for Ray: the order of results, lost workers, errors, the log."""

import logging
import sys
from concurrent.futures import Future
from pathlib import Path
from tempfile import mkdtemp
from types import ModuleType, SimpleNamespace

import pytest

from graph.support import worker_pool
from graph.support.errors import ConfigError, EnvironmentFailure, MissingExtraError
from graph.support.logger import log
from graph.support.ray_worker import Outcome, Worker, WorkerFaultError
from graph.support.worker_options import PoolOptions
from graph.support.worker_pool import WorkerPool


class RayError(Exception):
    pass


class RayTaskError(RayError):
    pass


class Actor:
    """A worker in this process, whose tasks end when the test says so."""

    def __init__(self, ray, *arguments):
        self.ray, self.arguments = ray, arguments
        self.worker = SimpleNamespace()
        self.work = lambda content: Outcome([], error=WorkerFaultError("there is no work"))
        self.open = SimpleNamespace(remote=self._open)
        self.run = SimpleNamespace(remote=self._run)

    def _open(self, open_work):
        future = Future()
        if error := next(self.ray.errors_of_open, None):
            future.set_exception(error)
        else:
            self.work = open_work()
            future.set_result(None)
        return SimpleNamespace(future=lambda: future)

    def _run(self, content):
        future = Future()
        self.ray.begun.append(content)
        self.ray.pending[content] = (self, future)
        return SimpleNamespace(future=lambda: future)


class FakeRay(ModuleType):
    """The part of Ray that the pool uses."""

    def __init__(self, cpus=8.0, gpus=0.0):
        super().__init__("ray")
        self.exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)
        self.machines = [{"CPU": cpus, "GPU": gpus}]
        self.actors, self.ended, self.begun, self.pending = [], [], [], {}
        self.end_of = lambda content: None
        """Returns the error with which Ray ends a task; None if the task ends itself."""
        self.last_first = False
        self.errors_of_open = iter(())
        """The error of each call that opens work, or None."""

    def init(self, **arguments):
        self.arguments = arguments

    def remote(self, _):
        def start(*arguments):
            self.actors.append(Actor(self, *arguments))
            return self.actors[-1]

        return SimpleNamespace(options=lambda **options: SimpleNamespace(remote=start))

    def put(self, value):
        return value

    def nodes(self):
        return [{"Alive": True, "Resources": resources} for resources in self.machines]

    def cluster_resources(self):
        return self.machines[0]

    def kill(self, actor):
        self.ended.append(actor)

    def shutdown(self):
        self.ended.append("ray")

    def wait(self, running, timeout, return_when):
        """End a task that was begun, instead of waiting."""
        content = list(self.pending)[-1 if self.last_first else 0]
        actor, future = self.pending.pop(content)
        error = self.end_of(content)
        if error:
            future.set_exception(error)
        else:
            future.set_result(actor.work(content))
        return {future}, set()


@pytest.fixture
def ray(monkeypatch, tmp_path):
    fake = FakeRay()
    monkeypatch.setitem(sys.modules, "ray", fake)
    monkeypatch.setattr(worker_pool, "find_spec", lambda name: fake)
    monkeypatch.setattr(worker_pool, "wait", fake.wait)
    monkeypatch.setattr(
        worker_pool, "mkdtemp", lambda **options: mkdtemp(**{**options, "dir": tmp_path})
    )
    for name in (
        "RAY_USAGE_STATS_ENABLED",
        "RAY_AUTH_MODE",
        "RAY_AUTH_TOKEN",
        "RAY_worker_niceness",
        "OMP_NUM_THREADS",
    ):
        # Set first, so that the end of the test removes what the pool sets.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    return fake


def results(pool, tasks, work=lambda content: Outcome([], content * 10)):
    mapped = pool.map(lambda: work, ((f"task {n}", n) for n in tasks), lambda count: None)
    return list(mapped)


def test_results_come_in_the_order_of_the_tasks(ray):
    ray.last_first = True
    assert results(WorkerPool(PoolOptions(3)), range(10)) == [n * 10 for n in range(10)]
    assert len(ray.actors) == 3


def test_tasks_run_ahead_of_the_oldest_result_by_two_for_each_worker(ray):
    ray.last_first = True
    pool = WorkerPool(PoolOptions(3))
    mapped = pool.map(
        lambda: lambda content: Outcome([], content),
        ((str(n), n) for n in range(50)),
        lambda _: None,
    )
    assert next(mapped) == 0
    assert len(ray.begun) == 6


def test_a_task_is_taken_only_when_a_worker_is_free(ray):
    numbers = []

    def tasks():
        for number in range(9):
            numbers.append(number)
            yield str(number), number

    mapped = WorkerPool(PoolOptions(2)).map(
        lambda: lambda content: Outcome([], content), tasks(), lambda _: None
    )
    next(mapped)
    # The free worker has the next one already.
    assert numbers == [0, 1, 2]


def test_a_lost_worker_is_replaced_and_its_task_done_again(ray, caplog):
    losses = [RayError("gone"), None, RayError("gone")]
    ray.end_of = lambda content: losses.pop() if content == 4 and losses else None
    assert results(WorkerPool(PoolOptions(2)), range(8)) == [n * 10 for n in range(8)]
    assert ray.begun.count(4) == 2
    assert len(ray.actors) == 3
    assert (
        "a worker was lost (killed, crashed or out of memory): a new one does task 4" in caplog.text
    )


def test_a_task_that_loses_three_workers_ends_the_work_after_the_tasks_before_it(ray):
    ray.end_of = lambda content: (
        RayError("died. Worker exit detail: end of\nfile") if content == 4 else None
    )
    ray.last_first = True
    mapped = WorkerPool(PoolOptions(3)).map(
        lambda: lambda content: Outcome([], content),
        ((f"task {n}", n) for n in range(9)),
        lambda _: None,
    )
    assert [next(mapped) for _ in range(4)] == [0, 1, 2, 3]
    with pytest.raises(EnvironmentFailure, match="task 4 lost 3 workers in a row: end of file"):
        next(mapped)
    assert ray.begun.count(4) == 3


def test_an_error_ends_the_work_and_no_task_is_begun_after_it(ray):
    def work(content):
        return (
            Outcome([], error=EnvironmentFailure("disk full")) if content == 1 else Outcome([], 0)
        )

    with pytest.raises(EnvironmentFailure, match="disk full"):
        results(WorkerPool(PoolOptions(2)), range(20), work)
    assert max(ray.begun) <= 2


def test_a_worker_that_cannot_read_its_task_is_one_line(ray):
    ray.end_of = lambda _: RayTaskError(
        "Traceback\n  File\nModuleNotFoundError: No module named 'x'\n"
    )
    with pytest.raises(
        EnvironmentFailure, match=r"^a worker cannot work: ModuleNotFoundError: .*'x'$"
    ):
        results(WorkerPool(PoolOptions(2)), range(3))


def test_a_worker_that_cannot_read_its_work_does_not_answer_with_the_former_one(ray):
    pool = WorkerPool(PoolOptions(2))
    results(pool, range(3))
    ray.errors_of_open = iter([None, RayTaskError("ModuleNotFoundError: No module named 'x'")])
    ray.last_first = True
    with pytest.raises(EnvironmentFailure, match=r"a worker cannot work: ModuleNotFoundError: .*x"):
        results(pool, range(3), lambda content: Outcome([], -content))


def test_a_worker_that_is_lost_before_it_has_its_work_is_ended_and_replaced(ray):
    ray.errors_of_open = iter([RayError("out of reach")])
    assert results(WorkerPool(PoolOptions(1)), range(3)) == [0, 10, 20]
    assert ray.ended == [ray.actors[0]]


def test_the_same_line_of_several_workers_is_logged_once(ray, caplog):
    def work(content):
        return Outcome([(logging.WARNING, "a window is cut"), (logging.INFO, f"done {content}")], 0)

    with caplog.at_level(logging.INFO, logger="opencoder"):
        results(WorkerPool(PoolOptions(2)), range(3), work)
    assert caplog.messages == ["a window is cut", "done 0", "done 1", "done 2"]


def test_workers_stay_for_the_next_tasks_and_end_with_ray(ray):
    pool = WorkerPool(PoolOptions(2))
    results(pool, range(3))
    assert results(pool, range(3), lambda content: Outcome([], -content)) == [0, -1, -2]
    assert len(ray.actors) == 2
    pool.close()
    assert ray.ended == [*ray.actors, "ray"]
    pool.close()
    assert len(ray.ended) == 3


def test_a_pool_without_tasks_starts_nothing(ray):
    pool = WorkerPool(PoolOptions(2))
    pool.close()
    assert ray.actors == []
    assert ray.ended == []


def test_ray_on_this_machine_is_quiet_small_and_private(ray, monkeypatch):
    WorkerPool(PoolOptions(2)).start()
    assert ray.arguments["address"] == "local"
    assert ray.arguments["include_dashboard"] is False
    assert ray.arguments["log_to_driver"] is False
    assert worker_pool.os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    assert worker_pool.os.environ["RAY_AUTH_MODE"] == "token"
    assert len(worker_pool.os.environ["RAY_AUTH_TOKEN"]) == 64


def test_the_files_of_ray_are_closed_to_others_and_removed_at_the_end(ray):
    pool = WorkerPool(PoolOptions(2))
    pool.start()
    folder = Path(ray.arguments["_temp_dir"]).parent
    assert folder.stat().st_mode & 0o077 == 0
    pool.close()
    assert not folder.exists()


def test_a_cluster_keeps_its_own_folder(ray):
    WorkerPool(PoolOptions(2, "auto")).start()
    assert "_temp_dir" not in ray.arguments


def test_the_processors_are_divided_unless_the_user_set_the_threads(ray, monkeypatch):
    monkeypatch.setattr(worker_pool.os, "sched_getaffinity", lambda _: set(range(7)), raising=False)
    WorkerPool(PoolOptions(3)).start()
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    WorkerPool(PoolOptions(1)).start()
    assert [actor.arguments for actor in ray.actors] == [("2",), ("2",), ("2",), ("5",)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (PoolOptions(9, "auto"), "each needs 1 CPU, and Ray has room for 8: give fewer"),
        # A share is on one GPU, and the GPUs of a worker are on one machine.
        (PoolOptions(4, "auto", 0.6), "1 CPU and 0.6 GPU on one machine, and Ray has room for 3"),
        (PoolOptions(2, "auto", 2), "1 CPU and 2 GPU on one machine, and Ray has room for 1"),
        (PoolOptions(1, "auto", 3), "1 CPU and 3 GPU on one machine, and Ray has room for 0"),
    ],
)
def test_workers_without_room_are_refused(ray, options, message):
    ray.machines = [{"CPU": 4.0, "GPU": 2.0}, {"CPU": 3.0, "GPU": 1.0}, {"CPU": 1.0}]
    with pytest.raises(ConfigError, match=message):
        WorkerPool(options).start()


@pytest.mark.parametrize(("count", "gpus"), [(8, 0), (6, 0.5), (3, 0.6), (3, 1), (1, 2)])
def test_workers_that_just_fit_start(ray, count, gpus):
    ray.machines = [{"CPU": 4.0, "GPU": 2.0}, {"CPU": 3.0, "GPU": 1.0}, {"CPU": 1.0}]
    WorkerPool(PoolOptions(count, "auto", gpus)).start()
    assert len(ray.actors) == count


def test_a_cluster_that_cannot_be_reached_is_a_wrong_setting(ray):
    def fail(**_):
        raise ConnectionError("no Ray\nat this address")

    ray.init = fail
    with pytest.raises(
        ConfigError, match="--ray-address auto: ConnectionError: no Ray at this address"
    ):
        WorkerPool(PoolOptions(2, "auto")).start()
    with pytest.raises(EnvironmentFailure, match="Ray does not start: ConnectionError"):
        WorkerPool(PoolOptions(2)).start()


def test_an_address_at_which_nothing_listens_is_refused_without_ray(ray, monkeypatch):
    def refuse(address, timeout):
        raise ConnectionRefusedError(111, f"Connection refused by {address}")

    monkeypatch.setattr(worker_pool.socket, "create_connection", refuse)
    with pytest.raises(
        ConfigError, match=r"--ray-address head:6379: ConnectionRefusedError: .*'head', 6379"
    ):
        WorkerPool(PoolOptions(2, "head:6379")).start()
    assert not hasattr(ray, "arguments")


def test_an_address_of_ipv6_is_looked_up_without_its_brackets(ray, monkeypatch):
    addresses = []

    def connect(address, timeout):
        addresses.append(address)
        return SimpleNamespace(close=lambda: None)

    monkeypatch.setattr(worker_pool.socket, "create_connection", connect)
    WorkerPool(PoolOptions(2, "[::1]:6379")).start()
    assert addresses == [("::1", 6379)]


def test_a_missing_ray_and_its_client_are_refused(monkeypatch):
    with pytest.raises(ConfigError, match="--ray-address auto"):
        WorkerPool(PoolOptions(2, "ray://head:10001"))
    monkeypatch.setattr(worker_pool, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'opencoder\[ray\]'"):
        WorkerPool(PoolOptions(2))


@pytest.fixture
def worker(monkeypatch):
    before = log.level, log.propagate, list(log.handlers)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    yield Worker("1")
    log.level, log.propagate, log.handlers[:] = before


def outcome_of(worker, work):
    worker.open(lambda: work)
    return worker.run("content")


def test_a_worker_returns_the_result_with_the_lines_of_its_log(worker):
    def work(content):
        log.warning("question %s failed", 3)
        return content.upper()

    outcome = outcome_of(worker, work)
    assert (outcome.unwrap(), outcome.lines) == (
        "CONTENT",
        [(logging.WARNING, "question 3 failed")],
    )
    assert worker.run("content").lines == [(logging.WARNING, "question 3 failed")]


def test_a_worker_does_not_repeat_what_was_logged_before_it_started(worker):
    def open_work():
        log.warning("the oracle has no passages")
        return lambda content: content

    worker.open(open_work)
    assert worker.run("content").lines == []


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(28, "No space left on device"), EnvironmentFailure),
        (ConfigError("wrong"), EnvironmentFailure),
        (KeyError("name"), WorkerFaultError),
    ],
)
def test_an_error_in_a_worker_is_raised_as_one_of_this_project(worker, error, expected):
    def work(content):
        raise error

    outcome = outcome_of(worker, work)
    with pytest.raises(expected) as raised:
        outcome.unwrap()
    assert "\n" not in str(raised.value)
    assert ("Traceback" in str(raised.value.__cause__)) == (expected is WorkerFaultError)

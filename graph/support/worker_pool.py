"""A pool of worker processes on Ray: results come in the order of the tasks, and a lost worker is replaced.

Ray sends objects between the processes of this program as pickles, and large ones through files. On this
machine, these are in a folder that only the user can open.
"""

import logging
import os
import re
import secrets
import shutil
import signal
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from tempfile import mkdtemp
from typing import Any, Generic, NamedTuple, TypeVar

from graph.support.errors import ConfigError, EnvironmentFailure, MissingExtraError
from graph.support.logger import log
from graph.support.ray_worker import Outcome, Worker
from graph.support.terminal import Interrupted
from graph.support.text import one_line
from graph.support.worker_options import PoolOptions

_Content = TypeVar("_Content")
_Result = TypeVar("_Result")

_LOSSES = 3
"""Workers in a row that may be lost with the same task."""
_AHEAD = 2
"""Tasks for each worker that are begun before the result of the oldest one is taken."""
_STORE_BYTES = 128 * 2**20
"""Memory of Ray for results that are on their way."""
_SECONDS_OF_WAIT = 1.0
_SECONDS_OF_CONNECTION = 10.0
_EXIT_DETAIL = re.compile(r"exit detail: (.*)", re.DOTALL)


class WorkerPool:
    """Workers of this program in Ray actors; they start with the first task."""

    def __init__(self, options: PoolOptions) -> None:
        """Check that there can be workers; start nothing.

        Raises:
            ConfigError: The address is one of Ray's clients.
            MissingExtraError: Ray is not installed.
        """
        if (options.address or "").startswith("ray://"):
            raise ConfigError(
                "clients of Ray (ray://) are not supported: start the command on a machine of the "
                "cluster, with --ray-address auto"
            )
        self.options = options
        if find_spec("ray") is None:
            raise MissingExtraError("--workers needs the extra ray: pip install 'opencoder[ray]'")
        self.ray: Any = None
        """The module, which is imported when the workers start."""
        self.workers: list[Any] = []
        self._folder: str | None = None
        """The folder of Ray's sockets, logs and large objects, which only this user can open."""

    def map(
        self,
        open_work: Callable[[], Callable[[_Content], _Result]],
        tasks: Iterable[tuple[str, _Content]],
        on_wait: Callable[[int], None],
    ) -> Iterator[_Result]:
        """Yield the result of each task, in the order of the tasks.

        A task whose worker is lost is given to a new worker. At most `_AHEAD` tasks for each worker
        are begun before the oldest result is taken.

        Args:
            open_work: Called once in each worker; returns the function that does a task.
            tasks: A label and the content of each task; the next one is taken when a worker is free.
            on_wait: Called every second with the number of tasks in work.

        Raises:
            EnvironmentFailure: The environment failed, or a task was lost with several workers.
            OpenCoderError: `open_work` or a task raised it.
            WorkerFaultError: `open_work` or a task raised another error.
        """
        self.start()
        yield from _TasksOfMap(self, open_work, tasks).results(on_wait)

    def new_worker(self) -> Any:
        """Return the handle of a new worker, which starts in the background."""
        gpus = self.options.gpus_per_worker
        actor = self.ray.remote(Worker).options(num_cpus=1, num_gpus=gpus)
        return actor.remote(self._threads())

    def close(self) -> None:
        """End the workers, and Ray if it runs for them alone."""
        if self.ray is None:
            return
        for worker in self.workers:
            self.ray.kill(worker)
        self.workers.clear()
        self.ray.shutdown()
        self.ray = None
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        """Start Ray and the workers, unless they run; they run until `close`.

        Raises:
            ConfigError: The cluster cannot be reached, or has too little for the workers.
            EnvironmentFailure: Ray does not start.
        """
        if self.workers:
            return
        with _own_signals():
            self.ray = _import_ray(self.options)
            if self.options.address is None:
                # A short path, which is part of the limited names of sockets.
                parent = "/tmp" if os.name == "posix" else None
                self._folder = mkdtemp(prefix="opencoder-ray-", dir=parent)
            _connect(self.ray, self.options, self._folder)
        self._check_room()
        self.workers = [self.new_worker() for _ in range(self.options.workers)]

    def _threads(self) -> str:
        """Return the threads of a worker: an equal share of the processors, unless the user set them."""
        if threads := os.environ.get("OMP_NUM_THREADS"):
            return threads
        cpus = _processors()
        if self.options.address is not None:
            cpus = int(self.ray.cluster_resources().get("CPU", 1))
        return str(max(1, cpus // self.options.workers))

    def _check_room(self) -> None:
        """Check that the workers fit: one that never fits would wait without end.

        Raises:
            ConfigError: They do not.
        """
        count, gpus = self.options.workers, self.options.gpus_per_worker
        nodes = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        room = sum(_room(node, gpus) for node in nodes)
        if count > room:
            each_needs = "1 CPU" + (f" and {gpus:g} GPU on one machine" if gpus else "")
            raise ConfigError(
                f"{count} workers do not fit: each needs {each_needs}, and Ray has room for {room}: "
                "give fewer workers, or other --gpus-per-worker"
            )


def _processors() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _room(node: Mapping[str, float], gpus: float) -> int:
    """Return the number of workers that fit on a machine.

    Args:
        node: The resources of the machine.
        gpus: The GPUs of each worker. A share of less than 1 is on one GPU.
    """
    cpus, present = int(node.get("CPU", 0)), int(node.get("GPU", 0))
    if not gpus:
        return cpus
    # Ray counts in steps of 0.0001.
    on_gpus = present // int(gpus) if gpus >= 1 else present * int(1 / gpus + 1e-9)
    return min(cpus, on_gpus)


class _Running(NamedTuple):
    """A task in a worker."""

    worker: Any
    number: int
    label: str
    content: Any


class _TasksOfMap(Generic[_Content, _Result]):
    """The tasks of one `WorkerPool.map`: those in work, and the outcomes that wait for their turn."""

    def __init__(
        self,
        pool: WorkerPool,
        open_work: Callable[[], Callable[[_Content], _Result]],
        tasks: Iterable[tuple[str, _Content]],
    ) -> None:
        self._pool = pool
        self._open_work = pool.ray.put(open_work)
        self._opened = {worker: self._open(worker) for worker in pool.workers}
        """The ends of the calls that give the work to the workers."""
        self._tasks = iter(tasks)
        self._begun = self._returned = 0
        self._running: dict[Future[Outcome[_Result]], _Running] = {}
        self._outcomes: dict[int, Outcome[_Result]] = {}
        """By the number of the task."""
        self._losses: Counter[int] = Counter()
        """Workers that were lost, by the number of the task."""
        self._has_failed = False
        """Whether a task ended with an error: no more are begun."""
        self._lines: set[str] = set()
        """The logged lines: workers say the same of a file or a model."""

    def results(self, on_wait: Callable[[int], None]) -> Iterator[_Result]:
        """Yield the results in the order of the tasks; see `WorkerPool.map`."""
        self._begin()
        while self._running or self._outcomes:
            if self._returned in self._outcomes:
                outcome = self._outcomes.pop(self._returned)
                self._log(outcome)
                yield outcome.unwrap()
                self._returned += 1
            else:
                # Not `ray.wait`: a signal ends this wait at once.
                done, _ = wait(self._running, _SECONDS_OF_WAIT, FIRST_COMPLETED)
                for future in done:
                    self._take(future)
                on_wait(len(self._running))
            self._begin()

    def _open(self, worker: Any) -> "Future[None]":
        opened: Future[None] = worker.open.remote(self._open_work).future()
        return opened

    def _begin(self) -> None:
        """Give a task to each worker that has none, if it is not too far ahead of the results."""
        busy = [task.worker for task in self._running.values()]
        for worker in self._pool.workers:
            ahead = self._begun - self._returned
            if worker in busy or self._has_failed or ahead >= _AHEAD * len(self._pool.workers):
                continue
            with suppress(StopIteration):
                self._give(_Running(worker, self._begun, *next(self._tasks)))
                self._begun += 1

    def _give(self, task: _Running) -> None:
        self._running[task.worker.run.remote(task.content).future()] = task

    def _take(self, future: "Future[Outcome[_Result]]") -> None:
        """Take the outcome of a task, or give the task to a new worker if its own was lost."""
        task, errors = self._running.pop(future), self._pool.ray.exceptions
        try:
            # A worker that could not read its work has none, or still that of the former tasks.
            self._opened[task.worker].result()
            outcome = future.result()
        except errors.RayTaskError as error:
            # For example, the code of this program is not on the machine of the worker.
            reason = one_line(str(error).strip().splitlines()[-1], 300)
            outcome = Outcome([], error=EnvironmentFailure(f"a worker cannot work: {reason}"))
        except errors.RayError as error:
            self._losses[task.number] += 1
            if self._losses[task.number] < _LOSSES:
                log.warning(
                    "a worker was lost (killed, crashed or out of memory): a new one does %s",
                    task.label,
                )
                self._give(task._replace(worker=self._replace(task.worker)))
                return
            outcome = Outcome(
                [],
                error=EnvironmentFailure(
                    f"{task.label} lost {_LOSSES} workers in a row: {_reason(error)}"
                ),
            )
        self._outcomes[task.number] = outcome
        self._has_failed = self._has_failed or outcome.error is not None

    def _replace(self, lost: Any) -> Any:
        # It may be out of reach only, and would hold its processor and GPU.
        self._pool.ray.kill(lost)
        del self._opened[lost]
        worker = self._pool.new_worker()
        self._opened[worker] = self._open(worker)
        self._pool.workers[self._pool.workers.index(lost)] = worker
        return worker

    def _log(self, outcome: Outcome[_Result]) -> None:
        for level, line in outcome.lines:
            if line not in self._lines:
                log.log(level, "%s", line)
            self._lines.add(line)


def _reason(error: Exception) -> str:
    """Return the end of a worker as Ray tells it."""
    detail = _EXIT_DETAIL.search(str(error))
    return one_line(detail[1] if detail else str(error), 300)


def _import_ray(options: PoolOptions) -> Any:
    # Ray reads these variables at its import.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    if options.address is None:
        # Without a token in the environment, Ray writes one into the home folder.
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        # The workers do the work of the command: they have its priority, and not a lower one.
        os.environ.setdefault("RAY_worker_niceness", "0")
    import ray

    return ray


def _connect(ray: Any, options: PoolOptions, folder: str | None) -> None:
    """Start Ray on this machine, with its files in a folder, or connect to a cluster.

    Raises:
        ConfigError: The cluster cannot be reached.
        EnvironmentFailure: Ray does not start.
    """
    arguments: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if folder is not None:
        # Ray opens its own folder to all users: the one above stays closed.
        arguments["_temp_dir"] = os.path.join(folder, "ray")
        arguments |= {"num_cpus": options.workers, "object_store_memory": _STORE_BYTES}
        arguments |= {"include_dashboard": False}
    try:
        _check_reachable(options.address)
        ray.init(address=options.address or "local", **arguments)
    except Exception as error:
        reason = f"{type(error).__name__}: {one_line(str(error), 300)}"
        if options.address is not None:
            raise ConfigError(f"--ray-address {options.address}: {reason}") from None
        raise EnvironmentFailure(f"Ray does not start: {reason}") from error


def _check_reachable(address: str | None) -> None:
    """Check that something listens at HOST:PORT: Ray itself would try for minutes.

    Raises:
        OSError: Nothing listens there.
    """
    host, _, port = (address or "").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection(
            (host.strip("[]"), int(port)), timeout=_SECONDS_OF_CONNECTION
        ).close()


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep the handler of SIGTERM, which Ray replaces.

    Raises:
        Interrupted: SIGTERM came while Ray had its own handler.
    """
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    except SystemExit:
        raise Interrupted(signal.SIGTERM) from None
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)

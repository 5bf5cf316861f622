"""eval.py on scripted models in worker processes, which kill themselves or the command on request.

A file in the folder of faults names a fault and a question, such as `kill-worker-17`. The first worker
that answers this question removes the file and makes the fault.
"""

import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from subprocess import PIPE, Popen

import psutil
import pytest

from evaluation.answering.job import Job
from evaluation.answering.questions import Item
from evaluation.answering.workers import AnsweredBatch, open_in_worker
from evaluation.commands import eval_command as cli
from graph.support import terminal
from tests.fakes.processes import kill_self
from tests.fakes.project_files import ROOT
from tests.fakes.scripted_runs import answer_for, number_of, without_weights
from tests.fakes.waiting import wait_until

_FAULTS = "TEST_FAULTS"
"""The variable with the folder of faults. Every process of the command inherits it."""


def start(faults: Path, *arguments: object) -> Popen[str]:
    """Start eval.py on scripted models in a process of its own."""
    faults.mkdir(exist_ok=True)
    return Popen(
        [sys.executable, "-c", "from tests.fakes.worker_runs import main; main()"]
        + [str(argument) for argument in arguments],
        cwd=ROOT,
        env={**os.environ, _FAULTS: str(faults)},
        stdout=PIPE,
        stderr=PIPE,
        text=True,
        start_new_session=True,
    )


def main() -> None:
    """Run eval.py on scripted models, here and in workers."""
    Path(os.environ[_FAULTS], "command.pid").write_text(str(os.getpid()), encoding="utf-8")
    without_weights(pytest.MonkeyPatch())
    cli.open_in_worker = open_scripted
    terminal.run(cli.main)


def open_scripted(
    job: Job, excluded: frozenset[str], program: Mapping[str, str], *, cached: bool
) -> Callable[[Sequence[Item]], AnsweredBatch]:
    """Open a job in a worker, with scripted models."""
    without_weights(pytest.MonkeyPatch(), _answer)
    return open_in_worker(job, excluded, program, cached=cached)


def wait_for_the_end_of_all(faults: Path, *, but: str = "") -> None:
    """Wait until no process is left of those that the command had at its fault.

    Args:
        faults: The folder of faults.
        but: A part of the names of processes that may take longer.
    """
    lines = (faults / "processes").read_text(encoding="utf-8").splitlines()
    processes = [line.split(" ", 2) for line in lines]
    waited_for = [
        (int(pid), float(start)) for pid, start, name in processes if not (but and but in name)
    ]
    assert len(waited_for) > 3
    wait_until(lambda: not any(_is_alive(pid, start) for pid, start in waited_for))


def _is_alive(pid: int, start: float) -> bool:
    try:
        process = psutil.Process(pid)
        return process.create_time() == start and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _write_processes(command: int, faults: Path) -> None:
    with (faults / "processes").open("w", encoding="utf-8") as file:
        for process in psutil.Process(command).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                name = " ".join(process.cmdline())
                file.write(f"{process.pid} {process.create_time()} {name}\n")


def _answer(prompt: str) -> str:
    number, faults = number_of(prompt), Path(os.environ[_FAULTS])
    if _take(faults / f"kill-worker-{number}"):
        kill_self()
    # As Ctrl-C in a terminal, an interrupt goes to all processes of the group.
    for name, send, code in (
        ("kill", os.kill, signal.SIGKILL),
        ("interrupt", os.killpg, signal.SIGINT),
    ):
        if _take(faults / f"{name}-command-{number}"):
            command = int((faults / "command.pid").read_text(encoding="utf-8"))
            _write_processes(command, faults)
            send(command, code)
            signal.pause()
    return answer_for(prompt)


def _take(fault: Path) -> bool:
    try:
        fault.unlink()
    except FileNotFoundError:
        return False
    return True

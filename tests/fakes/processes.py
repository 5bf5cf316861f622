"""Child processes of tests: forked ones, which start with all modules loaded, and interpreters."""

import faulthandler
import gc
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from io import FileIO, TextIOWrapper
from pathlib import Path
from typing import NamedTuple

from tests.fakes.project_files import ROOT
from tests.fakes.waiting import wait_until


class Ended(NamedTuple):
    """The end of a child: its exit code, negative for a signal as in subprocess, and its output."""

    code: int
    out: str
    err: str


def in_child(action: Callable[[], object]) -> Ended:
    """Run an action in a child process and wait for its end.

    The exit code is 0 if the action returns, and 1 with a traceback on stderr if it raises, as in a
    Python program.
    """
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        # Without this, the first garbage collection in the child copies all memory of the parent.
        gc.freeze()
        pid = os.fork()
        if pid == 0:
            _be_child(action, out, err)
        gc.unfreeze()
        _, status = os.waitpid(pid, 0)
        texts = [path.read_bytes().decode("utf-8", "backslashreplace") for path in (out, err)]
    return Ended(os.waitstatus_to_exitcode(status), *texts)


def _be_child(action: Callable[[], object], out: Path, err: Path) -> None:
    code = 1
    try:
        for number, path in ((1, out), (2, err)):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
        # The streams that pytest has put there belong to the parent.
        sys.stdout = TextIOWrapper(FileIO(1, "w", closefd=False), encoding="utf-8")
        sys.stderr = TextIOWrapper(FileIO(2, "w", closefd=False), encoding="utf-8")
        # A crash then says where: the handler of pytest writes to the streams of the parent.
        faulthandler.enable(2)
        action()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)


def kill_self() -> None:
    """End this process as the kernel's out-of-memory killer does: nothing is flushed or closed."""
    os.kill(os.getpid(), signal.SIGKILL)


def run_python(
    *arguments: object, env: dict[str, str] | None = None, timeout: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a new interpreter in the root folder of the project and return its code and output."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        env=env,
        timeout=timeout,
        capture_output=True,
        text=True,
        check=False,
    )


def wait_for_records(runs: Path, count: int, process: subprocess.Popen[str]) -> Path:
    """Wait until a run in a folder has so many records, and return its folder.

    Fail if the process that runs it ends before.
    """

    def folder() -> Path | None:
        for journal in runs.glob("*/journal.jsonl"):
            if journal.read_bytes().count(b"\n") >= count:
                return journal.parent
        assert process.poll() is None, process.communicate()
        return None

    return wait_until(folder)

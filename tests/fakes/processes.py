"""Child processes for tests of exit codes, locks and crashes: forked, so that they start warm."""

import gc
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from io import FileIO, TextIOWrapper
from pathlib import Path
from typing import NamedTuple


class Ended(NamedTuple):
    """How a child ended: `code` is negative for a signal, as in subprocess."""

    code: int
    out: str
    err: str


def in_child(action: Callable[[], object]) -> Ended:
    """Run an action in a child process and wait for its end.

    The child's code is 0 if the action returns, 1 with a traceback on stderr if it raises, as
    Python's own would be.
    """
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        gc.freeze()  # else the child's first collection copies all of the parent's memory
        pid = os.fork()
        if pid == 0:
            _be_child(action, out, err)
        gc.unfreeze()
        _, status = os.waitpid(pid, 0)
        texts = [path.read_bytes().decode("utf-8") for path in (out, err)]
    return Ended(os.waitstatus_to_exitcode(status), *texts)


def _be_child(action: Callable[[], object], out: Path, err: Path) -> None:
    code = 1
    try:
        for number, path in ((1, out), (2, err)):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
        # Whatever pytest has put there belongs to the parent.
        sys.stdout = TextIOWrapper(FileIO(1, "w", closefd=False), encoding="utf-8")
        sys.stderr = TextIOWrapper(FileIO(2, "w", closefd=False), encoding="utf-8")
        action()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def kill_self() -> None:
    """Die as the kernel's out-of-memory killer would have it: nothing is flushed or closed."""
    os.kill(os.getpid(), signal.SIGKILL)

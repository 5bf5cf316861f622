"""An interpreter without what Windows lacks. Import this first, in a process of its own."""

import os
import signal
import sys

MODULES = ("fcntl", "grp", "pwd", "resource")
NAMES = (
    *("O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "chown", "fchmod", "fchown", "fork"),
    *("forkpty", "geteuid", "getgid", "getloadavg", "getuid", "killpg", "mkfifo", "mknod", "pread"),
    *("pwrite", "sched_getaffinity", "statvfs", "sysconf", "wait"),
)
SIGNALS = ("SIGALRM", "SIGCHLD", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGQUIT", "SIGUSR1")

# Of the standard library, what is imported before has what it needs.
import asyncio  # noqa: E402, F401
import multiprocessing  # noqa: E402, F401
import shutil  # noqa: E402, F401
import subprocess  # noqa: E402, F401

for name in MODULES:
    sys.modules[name] = None  # type: ignore[assignment]
for name in NAMES:
    delattr(os, name)
for name in SIGNALS:
    delattr(signal, name)
os.supports_fd.discard(os.chmod)

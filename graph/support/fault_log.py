"""Log files of faults: the traceback of an error that no code expected, without secrets."""

import os
import re
import shlex
import sys
import traceback
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from graph.support.cache_names import ERRORS
from graph.support.storage import cache_folder, make_folder
from graph.support.text import one_line

_MAX_FILES = 20
"""The newest log files; older ones are deleted."""
_MAX_CHARS = 100_000
_SECRET_NAME = re.compile(r"PASS|SECRET|TOKEN|KEY|CREDENTIAL|POSTGRES|DATABASE|DSN", re.IGNORECASE)
"""Names of environment variables whose values are secrets."""
_MIN_SECRET = 6
"""Shorter values are words such as `true`, not secrets."""
_PASSWORD_IN_URL = re.compile(r"(\w://[^\s:/@]{0,200}):[^\s'\"]{1,200}@")
_PASSWORD_IN_TEXT = re.compile(
    r"((?:pass(?:word|wd)?|pwd|secret|token|api_?key)['\"]?\s*[=:]\s*)('[^']*'|\"[^\"]*\"|[^\s&,;]+)",
    re.IGNORECASE,
)


def describe_fault(error: BaseException) -> str:
    """Write the traceback of an error to a log file; return one line with its path."""
    try:
        summary = one_line(without_secrets("".join(traceback.format_exception_only(error))))
        return f"{summary}; a fault of OpenCoder: the traceback is in {_write_log(error)}"
    # The disk can be full, or the memory: the line is still printed.
    except Exception as failure:
        return f"{type(error).__name__}; no log file could be written ({type(failure).__name__})"


def without_secrets(text: str) -> str:
    """Replace passwords in URLs and connection strings, and secrets of the environment, by `***`."""
    # The longest first: a secret can begin with another one.
    for value in sorted(_secrets(), key=len, reverse=True):
        text = text.replace(value, "***")
    text = _PASSWORD_IN_URL.sub(r"\1:***@", text)
    return _PASSWORD_IN_TEXT.sub(r"\1***", text)


def _secrets() -> Iterator[str]:
    for name, value in os.environ.items():
        if _SECRET_NAME.search(name) and len(value) >= _MIN_SECRET:
            yield value


def _write_log(error: BaseException) -> Path:
    folder = cache_folder() / ERRORS
    make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    _delete_old_logs(folder)
    now = datetime.now(UTC)
    path = folder / f"{now:%Y%m%dT%H%M%S.%f}-{os.getpid()}.log"
    text = without_secrets(
        f"{now.isoformat(timespec='seconds')}\n{shlex.join(sys.argv)}\n\n"
        + "".join(traceback.format_exception(error))
    )
    if len(text) > _MAX_CHARS:
        half = _MAX_CHARS // 2
        text = f"{text[:half]}\n[...]\n{text[-half:]}"
    # O_EXCL follows no link.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
    return path


def _delete_old_logs(folder: Path) -> None:
    logs = sorted(folder.glob("*.log"))
    for log in logs[: max(0, len(logs) - _MAX_FILES + 1)]:
        # Another process can have deleted it.
        with suppress(OSError):
            log.unlink()

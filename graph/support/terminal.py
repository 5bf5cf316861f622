"""The command line: results on stdout, the log on stderr, untrusted text made harmless, exit codes."""

import json
import logging
import os
import re
import signal
import sys
from collections.abc import Callable
from errno import EDQUOT, EIO, ENOSPC, EROFS
from types import FrameType
from typing import TYPE_CHECKING

from graph.support.errors import OpenCoderError
from graph.support.fault_log import describe_fault
from graph.support.logger import log
from graph.support.streams import flush_streams, replace_streams
from graph.support.text import one_line

if TYPE_CHECKING:
    from rich.console import Console


_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_UNSAFE = re.compile(
    f"[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u2028\\u2029{_BIDI}\\ud800-\\udfff\U000e0000-\U000e007f]"
)


def safe_text(text: str) -> str:
    """Replace control, bidi and tag characters by their code points, except newline and tab.

    Untrusted text could otherwise move the cursor, overwrite lines or reverse the order of letters.
    """
    text = text.replace("\r\n", "\n")
    return _UNSAFE.sub(lambda match: f"<U+{ord(match[0]):04X}>", text)


def safe_line(text: str) -> str:
    """Replace newlines too: a path with a newline could otherwise pretend to be two lines."""
    return safe_text(text).replace("\n", "<U+000A>")


def console(columns: int = 100) -> "Console":
    """Return a rich console on stdout, as wide as the terminal; `columns` wide without a terminal."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else columns, highlight=False)


def print_text(on: "Console", text: str, *, style: str = "", wrap: bool = True) -> None:
    """Print untrusted text safely and word for word.

    Without wrapping it is one line, from which a path can be copied.
    """
    visible = safe_text(text) if wrap else safe_line(text)
    # Without `emoji=False` rich replaces codes such as :bug: even where markup is off.
    on.print(visible, style=style, markup=False, emoji=False, soft_wrap=not wrap)


def print_line(text: str) -> None:
    """Print one line of untrusted text safely, as wide as it is: programs may read it."""
    sys.stdout.write(safe_line(text) + "\n")


def print_document(text: str) -> None:
    """Print lines of text safely, as wide as they are."""
    sys.stdout.write(safe_text(text))


def print_json(document: object) -> None:
    """Print one JSON document on stdout, in printable ASCII.

    Raises:
        ValueError: the document holds NaN or infinity, which JSON does not have.
    """
    text = json.dumps(document, indent=1, allow_nan=False)
    sys.stdout.write(text.replace("\x7f", "\\u007f") + "\n")


class _SafeFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return safe_line(super().format(record))


class Interrupted(BaseException):
    """The end of the process by a signal; `code` is its exit code.

    A `BaseException`, so that `except Exception` does not swallow it.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.code = 128 + number


_ENDING_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
_newest_signal: int = signal.SIGINT
_DISK_ERRORS = (EDQUOT, EIO, ENOSPC, EROFS)
"""Errors after which the same command continues, once the disk works again."""


def run(main: Callable[[], int]) -> None:
    """Run a command line and exit with its code.

    A user's mistake is one line on stderr and exit code 2 (3 for a locked run folder). The code is
    129 after SIGHUP, 130 after SIGINT, 143 after SIGTERM, 1 after an error of the disk or of the
    program. A second signal ends the process at once.
    """
    replace_streams()
    _log_to_stderr()
    for number in _signals():
        signal.signal(number, _interrupt)
    try:
        code = _end(_exit_code(main))
    except Interrupted as interrupt:
        # The signal came after the work.
        code = interrupt.code
    # Not sys.exit: it waits for threads that still compute, and all that counts is on disk already.
    os._exit(code)


def _end(code: int) -> int:
    """Flush the output; return the exit code, which is no success if the disk took no output."""
    if error := flush_streams():
        log.error("error: stdout cannot be written: %s", error.strerror)
        return code or 1
    return code


def _exit_code(main: Callable[[], int]) -> int:
    try:
        return main()
    except OpenCoderError as error:
        log.error("error: %s", " ".join(str(error).split()))
        return error.exit_code
    except Interrupted as interrupt:
        return interrupt.code
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except OSError as error:
        # A full or read-only disk. Files are written atomically, so all earlier ones are whole.
        path = f" ({error.filename})" if error.filename else ""
        reason = error.strerror or str(error)
        advice = "; run the same command again to continue" if error.errno in _DISK_ERRORS else ""
        log.error("error: %s%s%s", reason, path, advice)
        return 1
    except SystemExit as stop:
        return _code_of(stop)
    # A panic of a library in Rust is a BaseException.
    except BaseException as error:
        log.error("error: %s", describe_fault(error))
        return 1


def _code_of(stop: SystemExit) -> int:
    """Return the exit code of `sys.exit`; a text is a message, as Python itself takes it."""
    if stop.code is None or isinstance(stop.code, int):
        return stop.code or 0
    log.error("error: %s", one_line(stop.code))
    return 2


def _signals() -> list[signal.Signals]:
    """Return the signals that end the process, without a SIGHUP that `nohup` ignores.

    Windows has no SIGHUP; there, SIGBREAK comes of Ctrl-Break and of a closed console.
    """
    present = [signal.Signals[name] for name in _ENDING_SIGNALS if hasattr(signal, name)]
    return [
        number
        for number in present
        if number.name != "SIGHUP" or signal.getsignal(number) is not signal.SIG_IGN
    ]


def interruption() -> Interrupted:
    """Return the newest signal, for code that loses the exception of the signal's handler."""
    return Interrupted(_newest_signal)


def _interrupt(number: int, _: FrameType | None) -> None:
    global _newest_signal
    _newest_signal = number
    for other in _signals():
        signal.signal(other, _end_at_once)
    raise Interrupted(number)


def _end_at_once(number: int, _: FrameType | None) -> None:
    os._exit(128 + number)


def _log_to_stderr() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_SafeFormatter("opencoder: %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False


def log_libraries(*names: str) -> None:
    """Print the warnings of libraries as those of the project, one safe line each.

    Args:
        names: The names of their loggers.
    """
    for name in names:
        library = logging.getLogger(name)
        library.handlers = list(log.handlers)
        library.setLevel(logging.WARNING)
        library.propagate = False

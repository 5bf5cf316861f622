"""What a command line needs: talk on stderr, untrusted text made visible, errors as one line."""

import argparse
import json
import logging
import os
import re
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from graph.support.errors import ConfigError, OpenCoderError

if TYPE_CHECKING:
    from rich.console import Console

log = logging.getLogger("opencoder")

_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_UNSAFE = re.compile(
    f"[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u2028\\u2029{_BIDI}\\ud800-\\udfff\U000e0000-\U000e007f]"
)


def safe_text(text: str) -> str:
    """Make control, bidi and tag characters visible; only newline and tab pass as they are."""
    text = text.replace("\r\n", "\n")
    return _UNSAFE.sub(lambda match: f"<U+{ord(match[0]):04X}>", text)


def console(columns: int = 100) -> "Console":
    """Return a rich console on stdout: as wide as the terminal, else `columns` wide."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else columns, highlight=False)


def print_text(on: "Console", text: str, *, wrap: bool = True) -> None:
    """Print untrusted text: no markup, control characters visible; unwrapped for paths."""
    on.print(safe_text(text), markup=False, soft_wrap=not wrap)


def print_json(document: object) -> None:
    """Print one JSON document on stdout; NaN and infinity are refused."""
    sys.stdout.write(json.dumps(document, indent=1, allow_nan=False) + "\n")


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, like all other errors."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage."""
        raise ConfigError(f"{message}; see --help")


class _SafeFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return safe_text(super().format(record))


class Interrupted(BaseException):
    """A signal asked the process to end; `code` is the exit code for it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.code = 128 + number


def run(main: Callable[[], int]) -> None:
    """Run a command line and exit with its code.

    A user's mistake is one line on stderr and exit code 2 (3 for a locked run folder), an
    interrupt 130, a termination 143. The process then ends at once: threads that still compute
    are not waited for, since everything that counts is on disk.
    """
    _talk_on_stderr()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    code = _ended(main)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of stdout is gone (as with `| head`): there is nothing more to say to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.stderr.flush()
    os._exit(code)


def _ended(main: Callable[[], int]) -> int:
    try:
        return main()
    except OpenCoderError as error:
        log.error("error: %s", " ".join(str(error).split()))
        return error.exit_code
    except Interrupted as interrupt:
        return interrupt.code
    except BrokenPipeError:
        return 0
    except OSError as error:
        # A full or read-only disk: what was on it before is still whole.
        where = f" ({error.filename})" if error.filename else ""
        said = error.strerror or str(error)
        log.error("error: %s%s; the same command goes on where this one stopped", said, where)
        return 1
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 2


def _interrupt(number: int, _: FrameType | None) -> None:
    raise Interrupted(number)


def _talk_on_stderr() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_SafeFormatter("opencoder: %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False

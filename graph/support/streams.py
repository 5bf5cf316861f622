"""Standard streams that take every character, and whose failure does not end the work.

A reader of stdout can go away (`| head`), stdout can be closed (`>&-`), be on a full disk, or know no
more than ASCII. None of these may cost a result that the command still has to compute or to write.
"""

import io
import os
import select
import sys
from contextlib import suppress
from errno import EBADF, EPIPE
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from typing_extensions import Buffer

_READER_IS_GONE = (EPIPE, EBADF)
_UNICODE_CONSOLE = os.name == "nt"


class _Output(io.FileIO):
    """A descriptor that drops what it is given once a write has failed."""

    error: OSError | None = None
    """The failure of a write."""

    def write(self, data: "Buffer") -> int:
        """Write some of the bytes, or drop them all; return how many."""
        size = memoryview(data).nbytes
        if self.error is not None:
            return size
        try:
            # None: another program has made the pipe non-blocking, and it is full.
            while (written := super().write(data)) is None:
                select.select([], [self.fileno()], [])
        except OSError as error:
            self.error = error
            return size
        return written


def replace_streams() -> None:
    r"""Put such streams in the places of stdout and stderr, and the null device where one is closed.

    What a stream cannot encode is written as an escape, such as `\u2026`.
    """
    if sys.stdin is None:
        sys.stdin = _null_device()
    elif isinstance(sys.stdin, io.TextIOWrapper):
        # In the C locale, Python would pass bytes that are no text as surrogates.
        sys.stdin.reconfigure(errors="strict")
    sys.stdout = _lasting(sys.stdout, 1)
    sys.stderr = _lasting(sys.stderr, 2)


def flush_streams() -> OSError | None:
    """Flush both streams; return the error that made stdout lose text, None if its reader left."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    output = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    error = output.error if isinstance(output, _Output) else None
    return None if error is None or error.errno in _READER_IS_GONE else error


def _lasting(stream: TextIO | None, number: int) -> TextIO:
    # A console of Windows takes Unicode from Python's own stream alone.
    if _UNICODE_CONSOLE and isinstance(stream, io.TextIOWrapper) and stream.isatty():
        stream.reconfigure(errors="backslashreplace")
        return stream
    try:
        output = _Output(number, "w", closefd=False)
    except OSError:
        stream = None
    if stream is None:
        return _null_device()
    with suppress(OSError):
        stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(output),
        encoding=stream.encoding or "utf-8",
        errors="backslashreplace",
        # A line of the log must not be lost with the process.
        line_buffering=number == 2 or stream.isatty(),
    )


def _null_device() -> TextIO:
    return open(os.devnull, "r+", encoding="utf-8")

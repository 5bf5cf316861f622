"""Operations on files, counted in a process, with a function called in the place of each.

The writes of Python's file objects are counted too. What C libraries write themselves (SQLite, NumPy's
arrays) is not: a limit on the size of files reaches those.
"""

import builtins
import io
import os
from collections.abc import Callable
from functools import partial
from typing import Any

OPERATIONS = ("write", "fsync", "replace", "rename", "ftruncate", "truncate", "mkdir", "unlink")
"""Functions of `os`; opening a file to write it is an operation too, `open`."""
_open = io.open
_os_open = os.open
_os_write = os.write

Act = Callable[[int, str, Callable[..., Any], tuple[Any, ...]], Any]
"""Called with (number of the operation from 1, its name, the real function, its arguments)."""


def arm(act: Act) -> None:
    """Let every operation on files of this process go through a function, for good."""
    operations = _Operations(act)
    for name in OPERATIONS:
        setattr(os, name, partial(operations.count, name, getattr(os, name)))
    os.open = operations.os_open
    builtins.open = io.open = operations.open


def append_uncounted(descriptor: int, content: bytes) -> None:
    """Write to a descriptor past the count: for the notes of the tests themselves."""
    _os_write(descriptor, content)


class _Operations:
    def __init__(self, act: Act) -> None:
        self._act = act
        self._number = 0

    def count(self, name: str, real: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        self._number += 1
        return self._act(self._number, name, partial(real, **options), arguments)

    def os_open(self, path: Any, flags: int, *arguments: Any, **options: Any) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR):
            return self.count("open", _os_open, path, flags, *arguments, **options)
        return _os_open(path, flags, *arguments, **options)

    def open(
        self,
        file: Any,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        closefd: bool = True,
        opener: Any = None,
    ) -> Any:
        if not set(mode) & set("wax+"):
            return _open(file, mode, buffering, encoding, errors, newline, closefd, opener)
        if not isinstance(file, int):
            # A descriptor was counted when it was opened.
            self.count("open", lambda _: None, file)
        raw = _CountedFile(file, mode.replace("b", "").replace("t", ""), closefd, opener)
        raw.operations = self
        if not buffering:
            return raw
        binary = (io.BufferedRandom if "+" in mode else io.BufferedWriter)(raw)
        return binary if "b" in mode else io.TextIOWrapper(binary, encoding, errors, newline)


class _CountedFile(io.FileIO):
    operations: _Operations

    def write(self, content: Any) -> int:
        return self.operations.count("write", super().write, content)

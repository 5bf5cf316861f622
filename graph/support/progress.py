"""The progress of long work on stderr: a bar on a terminal, log lines elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Protocol

from graph.support.logger import log

_SECONDS_BETWEEN_LINES = 15.0


class Progress(Protocol):
    """The receiver of finished work."""

    def advance(self, count: int, note: str = "") -> None:
        """Report that `count` more pieces are done, with a note on the newest of them."""
        ...


class _Lines:
    def __init__(self, label: str, total: int, done: int) -> None:
        self._label, self._total, self._done, self._done_before = label, total, done, done
        self._start = self._last = monotonic()

    def advance(self, count: int, note: str = "") -> None:
        self._done += count
        now = monotonic()
        if now - self._last >= _SECONDS_BETWEEN_LINES or self._done >= self._total:
            self._last = now
            rate = (self._done - self._done_before) / max(now - self._start, 1e-9)
            pace = ""
            if rate:
                left = (self._total - self._done) / rate
                pace = f", {rate:.{0 if rate >= 10 else 2}f} a second, {left:.0f} s left"
            remark = f", {note}" if note else ""
            log.info("%s: %d of %d%s%s", self._label, self._done, self._total, pace, remark)


@contextmanager
def progress(label: str, total: int, *, done: int = 0, unit: str = "") -> Iterator[Progress]:
    """Report progress on `total` pieces of work, `done` of which are finished already."""
    if not sys.stderr.isatty():
        yield _Lines(label, total, done)
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with RichProgress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(label, total=total, completed=done, note="")

        class _Bar:
            def advance(self, count: int, note: str = "") -> None:
                bar.update(task, advance=count, note=note)

        yield _Bar()

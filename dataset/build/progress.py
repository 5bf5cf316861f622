"""How a builder says how far it is: megabytes read, to whatever its caller shows."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

_MEGABYTE = 1_000_000


class Bar(Protocol):
    """Something to report finished work to."""

    def advance(self, count: int, note: str = "") -> None:
        """Say that `count` more pieces are done."""
        ...


class Progress(Protocol):
    """Opens a bar for `total` pieces of work."""

    def __call__(self, label: str, total: int) -> AbstractContextManager[Bar]:
        """Return the bar as a context."""
        ...


@contextmanager
def reading(progress: Progress, label: str, size: int) -> Iterator[Callable[[int], None]]:
    """Yield a function that is told of bytes read, `size` in all, and shows whole megabytes."""
    total = max(1, -(-size // _MEGABYTE))
    with progress(f"{label}, MB", total) as bar:
        read = shown = 0

        def advance(count: int) -> None:
            nonlocal read, shown
            read += count
            megabytes = min(read // _MEGABYTE, total)
            if megabytes > shown:
                bar.advance(megabytes - shown)
                shown = megabytes

        yield advance
        if shown < total:
            bar.advance(total - shown)

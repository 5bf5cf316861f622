"""Progress of reading large files, in megabytes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from graph.support.progress import progress

_MEGABYTE = 1_000_000


@contextmanager
def byte_progress(label: str, size: int) -> Iterator[Callable[[int], None]]:
    """Yield a function that adds bytes to a bar of `size` bytes; the bar counts megabytes."""
    total = max(1, -(-size // _MEGABYTE))
    with progress(f"{label}, MB", total) as bar:
        bytes_read = megabytes = 0

        def advance(count: int) -> None:
            nonlocal bytes_read, megabytes
            bytes_read += count
            current = min(bytes_read // _MEGABYTE, total)
            if current > megabytes:
                bar.advance(current - megabytes)
                megabytes = current

        yield advance
        # The last megabyte is rarely a whole one.
        if megabytes < total:
            bar.advance(total - megabytes)

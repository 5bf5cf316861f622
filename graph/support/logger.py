"""The logger of the project; `graph/support/terminal.py` sends its lines to stderr."""

import logging
from functools import cache

log = logging.getLogger("opencoder")


@cache
def log_once(line: str) -> None:
    """Log a warning, unless this process has logged the same one before.

    A file is read several times: for its number of rows, its ids, its leaks.
    """
    log.warning("%s", line)

"""The check that a path is a regular file: reading a pipe or a device could wait or run for ever."""

import stat
from collections.abc import Callable
from pathlib import Path

from graph.support.errors import DatasetError

_OTHER_KINDS: dict[str, Callable[[int], bool]] = {
    "a folder": stat.S_ISDIR,
    "a named pipe": stat.S_ISFIFO,
    "a socket": stat.S_ISSOCK,
    "a device": lambda mode: stat.S_ISCHR(mode) or stat.S_ISBLK(mode),
}


def check_regular_file(path: Path, hint: str = "") -> None:
    """Check that a path leads to a regular file; links are followed.

    Args:
        path: The path of a file that is to be read.
        hint: What to give instead, for the message.

    Raises:
        DatasetError: there is no such file, or it is a folder, a named pipe, a socket or a device.
    """
    advice = f"; {hint}" if hint else ""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise DatasetError(f"{path}: there is no such file{advice}") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise DatasetError(f"{path}: cannot be read: {error}") from None
    if not stat.S_ISREG(mode):
        kind = next((name for name, test in _OTHER_KINDS.items() if test(mode)), "special")
        raise DatasetError(f"{path}: is {kind}; {hint or 'give a regular file'}")

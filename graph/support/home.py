"""The home folder in paths."""

import os


def expand_home(path: str) -> str:
    """Return a path in which a leading `~` or `~user` is the home folder.

    Raises:
        ValueError: there is no such home folder.
    """
    expanded = os.path.expanduser(path)
    if path.startswith("~") and expanded == path:
        raise ValueError(f"{path!r}: this home folder is unknown; give the whole path")
    return expanded

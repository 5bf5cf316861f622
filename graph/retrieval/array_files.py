"""Arrays of an index on disk."""

from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ONE_AT_A_TIME = Lock()


def open_array(path: Path, *, mapped: bool = True) -> NDArray[Any]:
    """Return the array of an `.npy` file, mapped into memory or read.

    Raises:
        OSError: The file cannot be read.
        ValueError: It holds no array of numbers.
    """
    # numpy reads the header with `ast`. In Python 3.11, two threads that do so at once can get a SystemError.
    with _ONE_AT_A_TIME:
        array: NDArray[Any] = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    return array

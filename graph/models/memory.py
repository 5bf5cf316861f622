"""Out of memory: the batch is halved, down to one row, and the run says so."""

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

log = logging.getLogger("opencoder")
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def halving(
    items: Sequence[_Item],
    run: Callable[[Sequence[_Item], int], Sequence[_Result | Exception]],
    depth: int = 0,
) -> list[_Result | Exception]:
    """Run a batch; where memory does not suffice, run its halves, in order.

    `run` gets the rows and how often they were halved. Any other error is the outcome of every
    row of its batch and is not tried again.
    """
    try:
        return list(run(items, depth))
    except Exception as error:
        if not is_out_of_memory(error) or len(items) == 1:
            return [error] * len(items)
    # Outside the except block: the traceback held the failed batch's tensors alive.
    _free()
    middle = (len(items) + 1) // 2
    log.warning("out of memory on a batch of %d: halved to %d", len(items), middle)
    return halving(items[:middle], run, depth + 1) + halving(items[middle:], run, depth + 1)


def is_out_of_memory(error: Exception) -> bool:
    """Tell a lack of GPU or CPU memory from any other error."""
    import torch

    cpu = isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)
    return cpu or isinstance(error, torch.OutOfMemoryError | MemoryError)


def _free() -> None:
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()

"""Batches that fit into memory: the longest rows first, halved when memory runs out."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from graph.support.environment import lacks_memory
from graph.support.logger import log

_Row = TypeVar("_Row")
_Result = TypeVar("_Result")


def run_in_batches(
    rows: Sequence[_Row | Exception],
    run: Callable[[Sequence[_Row]], Sequence[_Result | Exception]],
    *,
    batch_size: int,
    tokens: Callable[[_Row], int],
) -> list[_Result | Exception]:
    """Run rows in batches, the longest first so that a batch pads little; keep the caller's order.

    Args:
        rows: The rows; one that is an exception is its own outcome.
        run: Computes the outcome of each row of a batch.
        batch_size: The largest number of rows in a batch.
        tokens: Returns the length of a row.
    """
    outcomes: dict[int, _Result | Exception] = {}
    ordered: list[tuple[int, _Row]] = []
    for index, row in enumerate(rows):
        if isinstance(row, Exception):
            outcomes[index] = row
        else:
            ordered.append((index, row))
    ordered.sort(key=lambda pair: (-tokens(pair[1]), pair[0]))
    for start in range(0, len(ordered), batch_size):
        batch = ordered[start : start + batch_size]
        results = run([row for _, row in batch])
        outcomes.update((index, r) for (index, _), r in zip(batch, results, strict=True))
    return [outcomes[index] for index in range(len(rows))]


def run_or_halve(
    rows: Sequence[_Row],
    run: Callable[[Sequence[_Row], int], Sequence[_Result | Exception]],
    halvings: int = 0,
) -> list[_Result | Exception]:
    """Run a batch; when memory runs out, run its halves, in order, down to single rows.

    Any other error is the outcome of every row of its batch, which is not run again.

    Args:
        rows: The rows of the batch.
        run: Computes the outcomes of rows; its second argument is the number of halvings.
        halvings: How often the batch was halved before.
    """
    try:
        return list(run(rows, halvings))
    except Exception as error:
        if not lacks_memory(error) or len(rows) == 1:
            return [error] * len(rows)
    # Outside the except block: the error's traceback keeps the tensors of the batch alive.
    _free()
    middle = (len(rows) + 1) // 2
    log.warning("out of memory on a batch of %d: halved to %d", len(rows), middle)
    halves = (rows[:middle], rows[middle:])
    return [outcome for half in halves for outcome in run_or_halve(half, run, halvings + 1)]


def _free() -> None:
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()

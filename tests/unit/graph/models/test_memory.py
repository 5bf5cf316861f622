"""Batches: the longest rows first, halved until they fit into memory, and no other error tried again."""

import logging
import weakref

import pytest
import torch

from graph.models import memory
from graph.models.memory import run_in_batches, run_or_halve
from graph.support.environment import lacks_memory


@pytest.fixture(autouse=True)
def freed(monkeypatch) -> list[str]:
    """Count how often memory is freed, without the cost of a garbage collection each time."""
    calls: list[str] = []
    monkeypatch.setattr(memory, "_free", lambda: calls.append("freed"))
    return calls


class Gpu:
    """Runs batches of at most `rows` rows, and records each try."""

    def __init__(self, rows: int, error: Exception | None = None) -> None:
        self.rows = rows
        self.error = error or torch.OutOfMemoryError("CUDA out of memory")
        self.tries: list[tuple[list[int], int]] = []

    def run(self, rows, halvings):
        self.tries.append((list(rows), halvings))
        if len(rows) > self.rows:
            raise self.error
        return [row * 10 for row in rows]


@pytest.mark.parametrize(
    ("rows", "sizes", "halvings"),
    [
        (8, [8], [0]),
        (7, [8, 4, 4], [0, 1, 1]),
        (4, [8, 4, 4], [0, 1, 1]),
        (2, [8, 4, 2, 2, 4, 2, 2], [0, 1, 2, 2, 1, 2, 2]),
        (
            1,
            [8, 4, 2, 1, 1, 2, 1, 1, 4, 2, 1, 1, 2, 1, 1],
            [0, 1, 2, 3, 3, 2, 3, 3, 1, 2, 3, 3, 2, 3, 3],
        ),
    ],
)
def test_a_batch_is_halved_until_it_fits(rows, sizes, halvings):
    gpu = Gpu(rows)
    results = run_or_halve(list(range(8)), gpu.run)
    assert results == [0, 10, 20, 30, 40, 50, 60, 70]
    assert [len(items) for items, _ in gpu.tries] == sizes
    assert [count for _, count in gpu.tries] == halvings


def test_memory_is_freed_before_each_half_is_tried(freed):
    run_or_halve(list(range(8)), Gpu(2).run)
    assert len(freed) == 3


def test_the_tensors_of_a_failed_batch_are_freed_when_its_halves_run():
    class Tensor:
        pass

    held: list[weakref.ref] = []

    def run(items, halvings):
        assert [ref() for ref in held] == [None] * len(held)
        tensor = Tensor()
        held.append(weakref.ref(tensor))
        if len(items) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return items

    assert run_or_halve([1, 2, 3, 4], run) == [1, 2, 3, 4]
    assert len(held) == 7


def test_the_rows_of_each_half_are_in_order():
    gpu = Gpu(4)
    run_or_halve(list(range(7)), gpu.run)
    assert gpu.tries == [(list(range(7)), 0), ([0, 1, 2, 3], 1), ([4, 5, 6], 1)]


def test_where_not_even_one_row_fits_every_row_has_the_error():
    gpu = Gpu(0)
    results = run_or_halve(list(range(8)), gpu.run)
    assert results == [gpu.error] * 8
    assert sum(len(items) == 1 for items, _ in gpu.tries) == 8


def test_only_the_rows_that_do_not_fit_fail():
    def run(items, halvings):
        if 5 in items:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return [item * 10 for item in items]

    results = run_or_halve(list(range(8)), run)
    assert [r for r in results if not isinstance(r, Exception)] == [0, 10, 20, 30, 40, 60, 70]
    assert isinstance(results[5], torch.OutOfMemoryError)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_lack_of_memory_is_recognised(error):
    assert lacks_memory(error)
    gpu = Gpu(1, error)
    assert run_or_halve([1, 2], gpu.run) == [10, 20]
    assert len(gpu.tries) == 3


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA error: device-side assert triggered"),
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        ValueError("DefaultCPUAllocator"),
        IndexError("index out of range in self"),
    ],
    ids=str,
)
def test_any_other_error_is_not_tried_again(error):
    gpu = Gpu(0, error)
    assert run_or_halve(list(range(8)), gpu.run) == [error] * 8
    assert len(gpu.tries) == 1


def test_an_error_of_a_half_is_not_tried_again():
    calls = []

    def run(items, halvings):
        calls.append(len(items))
        if len(items) == 8:
            raise torch.OutOfMemoryError("CUDA out of memory")
        if 0 in items:
            raise ValueError("bad row")
        return [item * 10 for item in items]

    results = run_or_halve(list(range(8)), run)
    assert [str(result) for result in results[:4]] == ["bad row"] * 4
    assert results[4:] == [40, 50, 60, 70]
    assert calls == [8, 4, 4]


def test_errors_of_single_rows_pass_through():
    error = ValueError("NaN")
    assert run_or_halve([1, 2], lambda items, _: [10, error]) == [10, error]


def test_each_halving_is_logged(caplog):
    with caplog.at_level(logging.WARNING, logger="opencoder"):
        run_or_halve(list(range(8)), Gpu(2).run)
    assert [record.getMessage() for record in caplog.records] == [
        "out of memory on a batch of 8: halved to 4",
        "out of memory on a batch of 4: halved to 2",
        "out of memory on a batch of 4: halved to 2",
    ]


def test_an_interrupt_is_not_swallowed():
    def run(items, halvings):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_or_halve([1, 2], run)


def test_the_longest_rows_run_first_and_outcomes_keep_the_callers_order():
    batches = []

    def run(rows):
        batches.append(list(rows))
        return [row.upper() for row in rows]

    error = ValueError("does not fit")
    rows = ["aa", error, "b", "dd", "ccc"]
    assert run_in_batches(rows, run, batch_size=2, tokens=len) == ["AA", error, "B", "DD", "CCC"]
    assert batches == [["ccc", "aa"], ["dd", "b"]]


def test_rows_that_are_all_errors_run_nothing():
    errors = [ValueError("one"), ValueError("two")]
    assert run_in_batches(errors, lambda rows: 1 / 0, batch_size=2, tokens=len) == errors
    assert run_in_batches([], lambda rows: 1 / 0, batch_size=2, tokens=len) == []

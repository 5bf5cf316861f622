"""Cases in parallel, each in a folder of its own, and the table of what came of them."""

import multiprocessing
import os
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import perf_counter
from typing import NamedTuple

from graph.support.terminal import safe_text
from tests.fakes.processes import Ended

ENDS = ("unchanged", "refused", "resumed")
"""The right ends of a case: the right result as ever, one line with an exit code, or the right result
after the same command ran again or work was done again."""
FAULTS = ("lost", "twice", "wrong", "traceback", "hang", "false exit code")


class Outcome(NamedTuple):
    """The end of a case; `faults` is empty for a right one."""

    end: str
    faults: tuple[str, ...] = ()
    detail: str = ""


@dataclass(frozen=True)
class Case:
    """One input: everything in it comes from `random`, a generator of its own, or from `number`."""

    kind: str
    number: int
    seed: int
    folder: Path
    """An empty folder, deleted after the case."""
    limit: float
    """Seconds after which a command hangs."""
    random: Random = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "random", Random(f"{self.seed} {self.kind} {self.number}"))


@dataclass(frozen=True)
class Kind:
    """A kind of fault."""

    name: str
    inputs: int
    """Number of cases of a full run."""
    sample: int
    """Number of cases of a share, drawn from those of the full run."""
    check: Callable[[Case], Outcome]
    prepare: Callable[[], object] = lambda: None
    """Computes once what the cases share; it is called before processes are forked."""

    def numbers(self, *, full: bool) -> list[int]:
        """Return the numbers of the cases to run."""
        if full:
            return list(range(self.inputs))
        return sorted(Random(self.name).sample(range(self.inputs), self.sample))


def faults_of(ended: Ended, codes: Sequence[int]) -> tuple[str, ...]:
    """Return the faults in the end of a command that must have one of these exit codes.

    An exit code must fit the output: 2 comes with an error in one line, 0 without, and 1 with an error
    in one line or with output.
    """
    output = ended.out + ended.err
    if ended.code == -signal.SIGALRM:
        return ("hang",)
    if "Traceback (most recent call last)" in output or "a fault of OpenCoder" in output:
        return ("traceback",)
    errors = [line for line in ended.err.splitlines() if line.startswith("opencoder: error: ")]
    told = len(errors) == 1
    expected = {0: not errors, 1: told or (not errors and ended.out), 2: told}.get(ended.code, True)
    return () if ended.code in codes and expected else ("false exit code",)


def detail_of(ended: Ended) -> str:
    """Return the exit code of a command and the end of its output."""
    return f"exit code {ended.code}: {ended.err.strip()[-600:] or ended.out.strip()[-600:]}"


def run_kinds(
    kinds: Sequence[Kind], seed: int, *, full: bool, limit: float, processes: int
) -> bool:
    """Run kinds of faults; print the failing cases and a Markdown table of counts.

    Returns:
        Whether no case has a fault.
    """
    rows = [("kind", "inputs", *ENDS, *FAULTS, "seconds")]
    sound = True
    for kind in kinds:
        start, counts = perf_counter(), Counter[str]()
        for number, outcome in _outcomes(kind, kind.numbers(full=full), seed, limit, processes):
            counts.update(["inputs", *(outcome.faults or [outcome.end])])
            if outcome.faults:
                sound = False
                case = f"python -m tests.faults --seed {seed} --case '{kind.name}:{number}'"
                _print(f"{', '.join(outcome.faults)}: {case}\n    {outcome.detail}")
        cells = [f"{counts[name]:,}" for name in rows[0][1:-1]]
        rows.append((kind.name, *cells, f"{perf_counter() - start:.0f}"))
        _print(f"{kind.name}: {', '.join(f'{count} {name}' for name, count in counts.items())}")
    alignment = "|---" + "|--:" * (len(rows[0]) - 1) + "|"
    lines = [f"| {' | '.join(row)} |" for row in rows]
    _print("\n".join([lines[0], alignment, *lines[1:]]))
    return sound


def _print(text: str) -> None:
    sys.stdout.write(f"{safe_text(text)}\n")
    sys.stdout.flush()


def check_case(kind: Kind, number: int, seed: int, limit: float) -> Outcome:
    """Run one case."""
    with tempfile.TemporaryDirectory(prefix="fault-") as folder:
        try:
            return kind.check(Case(kind.name, number, seed, Path(folder), limit))
        except Exception as error:
            return Outcome("", ("wrong",), f"the case itself failed: {error!r}")


def _outcomes(
    kind: Kind, numbers: Sequence[int], seed: int, limit: float, processes: int
) -> Iterator[tuple[int, Outcome]]:
    global _work
    kind.prepare()
    _work = (kind, seed, limit)
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        yield from pool.imap_unordered(_check_work, numbers, chunksize=4)


_work: tuple[Kind, int, float] | None = None
"""The kind at work, its seed and limit. Forked processes inherit it: a function cannot be sent to them."""


def _check_work(number: int) -> tuple[int, Outcome]:
    kind, seed, limit = _work
    return number, check_case(kind, number, seed, limit)


def cpu_count() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

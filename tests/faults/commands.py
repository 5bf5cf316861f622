"""The commands that the cases run: warm, forked from this process, with scripted models."""

import os
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

import dataset.__main__ as dataset_main
import evaluation.__main__ as evaluation_main
import graph.__main__ as graph_main
from evaluation.commands import eval_command

# Imported by name alone when they run; what they import is patched here.
from graph.commands import ask_command, index_command  # noqa: F401
from graph.retrieval.cross_encoder import CrossEncoder
from graph.retrieval.encoder_configuration import EncoderPrompts
from graph.support import terminal
from graph.support.errors import ConfigError
from tests.fakes.corpora import FakeEncoder
from tests.fakes.processes import Ended, in_child
from tests.fakes.scripted_runs import without_weights
from tests.faults.file_operations import append_uncounted
from tests.faults.harness import Case

PROGRAMS: dict[str, Callable[[], object]] = {
    "eval.py": lambda: terminal.run(eval_command.main),
    "evaluation": lambda: terminal.run(evaluation_main.main),
    "dataset": dataset_main.main,
    "graph": graph_main.main,
}
FAST = ("--profile", "embedded", "--no-report")
"""Options of eval.py: no test of faults needs the report of each run."""


def answer(prompt: str) -> str:
    """Answer differently for every prompt."""
    if _notes is not None:
        append_uncounted(_notes, b".")
    for act in _before_answer:
        act()
    return f"because of reason {len(prompt)}, as {prompt[-20:].split()[-1:]} says"


def run_command(
    case: Case, program: str, *arguments: object, before: Callable[[], object] = lambda: None
) -> Ended:
    """Run a command in a child whose working folder and cache are those of a case.

    Args:
        case: The case.
        program: A key of `PROGRAMS`.
        arguments: The command line.
        before: Called in the child at first; it arms the faults.
    """

    def action() -> None:
        arm_limit(case)
        os.chdir(case.folder)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.environ["OPENCODER_CACHE"] = str(case.folder / "cache")
        sys.argv = [program, *map(str, arguments)]
        before()
        PROGRAMS[program]()

    return in_child(action)


def arm_limit(case: Case) -> None:
    """End this process when it hangs, in the code of a library too."""
    signal.setitimer(signal.ITIMER_REAL, case.limit)


@contextmanager
def scripted_commands() -> Iterator[None]:
    """Let all commands run on scripted models, encoders without weights and no synced disk."""
    with pytest.MonkeyPatch.context() as patch:
        without_weights(patch, answer)
        for module in _project_modules():
            if hasattr(module, "open_encoder"):
                patch.setattr(module, "open_encoder", FakeEncoder)
            if hasattr(module, "open_models"):
                patch.setattr(module, "open_models", eval_command.open_models)
        no_prompts = EncoderPrompts("", "")
        patch.setattr("graph.retrieval.encoder.read_prompts", lambda *_: no_prompts)
        patch.setattr("graph.retrieval.encoder.read_modules", lambda *_: [])
        patch.setattr(CrossEncoder, "load", _no_cross_encoder)
        # Ray takes longer to start than a case may take.
        patch.setattr("graph.support.worker_pool.find_spec", lambda _: None)
        # Journals of equal runs have equal bytes: no seconds that differ.
        patch.setattr("nodes.retrieve.perf_counter", lambda: 0.0)
        patch.setattr("evaluation.calibration.score_agreement.AGREEMENT_DRAWS", 60)
        # A missing extra, as far as the commands can see: it takes seconds to import.
        patch.setitem(sys.modules, "ragas", None)
        # Syncs protect from power cuts, which no case has; the tests of the journal check them.
        patch.setattr(os, "fsync", lambda _: None)
        for name in ("OPENCODER_POSTGRES", "OPENCODER_DATA"):
            patch.delenv(name, raising=False)
        patch.setenv("COLUMNS", "100")
        patch.setenv("HF_HUB_OFFLINE", "1")
        _warm()
        yield


def _no_cross_encoder(self: CrossEncoder) -> None:
    raise ConfigError("there are no cross-encoders here")


def _project_modules() -> Sequence[types.ModuleType]:
    rooms = ("graph", "evaluation", "dataset", "nodes", "prompts")
    return [module for name, module in sys.modules.items() if name.partition(".")[0] in rooms]


@cache
def _warm() -> None:
    """Import what commands import inside functions: each forked child would import it again.

    Nothing is computed with it: threads of libraries do not outlive a fork.
    """
    import duckdb  # noqa: F401
    import faiss  # noqa: F401
    import ir_measures  # noqa: F401
    import py7zr  # noqa: F401
    import pyarrow.csv  # noqa: F401
    import pyarrow.parquet  # noqa: F401
    import rich.progress  # noqa: F401
    import rouge_score.rouge_scorer  # noqa: F401
    import scipy.stats  # noqa: F401


@contextmanager
def in_folder(folder: Path) -> Iterator[None]:
    """Change the working folder for a block."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


_notes: int | None = None
"""The descriptor of the file that counts answers, in a child that counts them."""


def open_notes(path: Path) -> int:
    """Open a file that counts: it has a byte for each time."""
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def note_answers(path: Path) -> None:
    """Count the answers of this process in a file, which survives a kill."""
    global _notes
    _notes = open_notes(path)


_before_answer: list[Callable[[], object]] = []
"""Called before each answer."""


def fail_answers(nth: int, error: Callable[[], Exception], *, lasting: bool) -> None:
    """Let the Nth answer of this process raise an error, and all later ones if it lasts."""
    count = 0

    def before() -> None:
        nonlocal count
        count += 1
        if count == nth or (lasting and count > nth):
            raise error()

    _before_answer.append(before)


def count_calls(path: Path) -> None:
    """Count every call of a function in this process in a file."""
    descriptor = open_notes(path)
    _on_call(lambda: append_uncounted(descriptor, b"."))


def act_at_call(nth: int, act: Callable[[], object]) -> None:
    """Do something at the Nth call of a function of this process, in whatever thread."""
    count = 0

    def on_call() -> None:
        nonlocal count
        count += 1
        if count == nth:
            act()

    _on_call(on_call)


def _on_call(on_call: Callable[[], object]) -> None:
    def profile(frame: object, event: str, argument: object) -> None:
        if event in ("call", "c_call"):
            on_call()

    threading.setprofile(profile)
    sys.setprofile(profile)

"""Runs of eval.py that cases disturb: the data, the undisturbed results, and the comparison with them."""

import atexit
import json
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.fakes.corpora import SUBJECTS, row, write_corpus
from tests.fakes.processes import Ended
from tests.fakes.scripted_runs import question, write_dataset
from tests.faults import commands, file_operations
from tests.faults.commands import FAST, run_command
from tests.faults.harness import Case, detail_of

QUESTIONS, BATCH = 8, 2
CONFIGS = ("baseline", "hybrid_cot")
FILES = ("journal.jsonl", "metrics.json", "summary.md")
"""The files of a run that hold no times."""


class Undisturbed(NamedTuple):
    """A run that nothing disturbed."""

    folder: Path
    """Holds `runs` and `cache`."""
    results: dict[str, bytes]
    operations: int
    """Operations on files of the process, whose number depends on nothing else."""
    calls: int
    """Function calls of the process, roughly: they depend on the order of threads."""
    answers: int
    """Texts that models wrote."""


@cache
def data() -> Path:
    """Return a folder with `questions.csv` and `corpus.csv`, of which one post is a leak."""
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    write_dataset(folder / "questions.csv", QUESTIONS)
    rows = [
        row(number, f"How to {text}?", f"<p>{text}</p>") for number, text in enumerate(SUBJECTS)
    ]
    rows.append(row(77, question(3), f"<p>{question(3)}</p>"))
    write_corpus(folder / "corpus.csv", rows)
    return folder


@cache
def undisturbed(config: str) -> Undisturbed:
    """Return the run of a config to its end."""
    folder = data() / config
    folder.mkdir()
    case = Case("undisturbed", 0, 0, folder, limit=600)
    answers = folder / "answers"
    ended = evaluate(case, config, before=lambda: commands.note_answers(answers))
    assert ended.code == 0, ended.err
    return Undisturbed(
        folder,
        results(folder),
        operations=_count(config, _count_operations),
        calls=_count(config, commands.count_calls),
        answers=len(answers.read_bytes()),
    )


def _count(config: str, counting: Callable[[Path], object]) -> int:
    """Return how often something happens in a run, which writes a byte to a file each time."""
    with tempfile.TemporaryDirectory(dir=data()) as folder:
        case, notes = Case("count", 0, 0, Path(folder), limit=600), Path(folder, "notes")
        ended = evaluate(case, config, before=lambda: counting(notes))
        assert ended.code == 0, ended.err
        return notes.stat().st_size


def _count_operations(notes: Path) -> None:
    descriptor = commands.open_notes(notes)

    def act(number, name, real, arguments):
        file_operations.append_uncounted(descriptor, b".")
        return real(*arguments)

    file_operations.arm(act)


def evaluate(
    case: Case, config: str, *more: object, before: Callable[[], object] = lambda: None
) -> Ended:
    """Run eval.py on the data in the folder of a case."""
    files = ("--dataset", data() / "questions.csv", "--corpus", data() / "corpus.csv")
    options = ("--config", config, "--batch_size", BATCH, "--runs", case.folder / "runs", *FAST)
    return run_command(case, "eval.py", *options, *files, *more, before=before)


def run_folder(folder: Path) -> Path:
    """Return the only run below a folder."""
    (run,) = (folder / "runs").iterdir()
    return run


def results(folder: Path) -> dict[str, bytes]:
    """Return the bytes of the results below a folder; nothing for a file that is missing."""
    run = run_folder(folder)
    return {name: (run / name).read_bytes() if (run / name).exists() else b"" for name in FILES}


def _holds(path: Path) -> bool:
    """Tell whether a file or a folder is not empty."""
    return any(path.iterdir()) if path.is_dir() else path.stat().st_size > 0


def differences(case: Case, config: str, ended: Ended) -> tuple[tuple[str, ...], str]:
    """Return the faults of a run that ended with success, and their detail."""
    expected, actual = undisturbed(config).results, results(case.folder)
    if actual == expected:
        folders = (case.folder / "runs", case.folder / "cache")
        # What is empty may stay until the next writer of the folder removes it: a lock file, and the
        # mark that a cache is in use.
        work = [str(path) for folder in folders for path in folder.rglob(".*") if _holds(path)]
        return (("wrong",), f"work files are left: {work[:5]}") if work else ((), "")
    indices = [_index(line) for line in actual["journal.jsonl"].splitlines()]
    faults = ["lost"] * (set(range(QUESTIONS)) > {*indices}) + ["twice"] * (
        len(indices) > len({*indices})
    )
    names = [name for name in FILES if actual[name] != expected[name]]
    return tuple(faults or ["wrong"]), f"{', '.join(names)} differ; {detail_of(ended)}"


def _index(line: bytes) -> object:
    try:
        return json.loads(line)["record"]["index"]
    except (ValueError, KeyError, TypeError):
        return None


def copy_of_run(case: Case, config: str, *, records: int = QUESTIONS) -> Path:
    """Copy the undisturbed run and its cache into a case; return the run folder.

    Args:
        case: The case.
        config: The config.
        records: Records that the journal has; without all of them there are no results either.
    """
    shutil.copytree(undisturbed(config).folder, case.folder, dirs_exist_ok=True)
    run = run_folder(case.folder)
    if records < QUESTIONS:
        lines = (run / "journal.jsonl").read_bytes().splitlines(keepends=True)
        (run / "journal.jsonl").write_bytes(b"".join(lines[:records]))
        for name in FILES[1:]:
            (run / name).unlink()
    return run


def flip_bit(path: Path, random: Random) -> str:
    """Flip one bit of a file; return which."""
    content = bytearray(path.read_bytes())
    position, bit = random.randrange(len(content)), random.randrange(8)
    content[position] ^= 1 << bit
    path.write_bytes(content)
    return f"bit {bit} of byte {position} of {path.name}"

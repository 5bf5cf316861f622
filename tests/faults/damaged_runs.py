"""Damaged run folders, read by the commands that show, check or score finished runs."""

import os
import re
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

from tests.fakes.processes import Ended
from tests.faults.commands import run_command
from tests.faults.harness import Case, Kind, Outcome, detail_of, faults_of
from tests.faults.runs import data, flip_bit, undisturbed

_CONFIG, _OTHER = "hybrid_rerank_initial", "baseline"
"""The config of the damaged run, whose drafts `headroom` reads, and of the run beside it."""
_JUDGE = ("judge", "RUN", "--judge", "model", "--profile", "embedded", "--json")
_READERS = (
    ("verify", "RUN", "--no-encoder"),
    ("compare", "RUN", "OTHER", "--json"),
    ("headroom", "RUN", "--json"),
    ("slices", "RUN", "OTHER", "--json"),
    _JUDGE,
    ("report", "RUN", "OTHER", "--out", "page.html"),
    ("export", "RUN", "OTHER", "--to", "jsonl"),
)
_REPLACEMENTS: tuple[Callable[[Path], object], ...] = (
    os.mkfifo,
    Path.mkdir,
    lambda path: path.symlink_to("/dev/zero"),
    lambda path: path.symlink_to(path),
    lambda path: path.symlink_to("missing"),
    lambda path: path.write_bytes(b"[" * 200_000),
    lambda path: path.write_bytes(bytes(9_000)),
)
"""What stands in the place of a file. An empty file is missing here: before its first line is written,
a file of scores is empty too."""


def _check(case: Case) -> Outcome:
    """Damage a file of a finished run, and read the run with one command."""
    reader = _READERS[case.number % len(_READERS)]
    run = _copy_of_runs(case.folder)
    files = sorted(path for path in run.rglob("*") if path.is_file() and path.stat().st_size)
    path = case.random.choice(files)
    if case.random.randrange(2):
        damage = flip_bit(path, case.random)
    else:
        number = case.random.randrange(len(_REPLACEMENTS))
        damage = f"replacement {number} of {path.name}"
        path.unlink()
        _REPLACEMENTS[number](path)
    states = _states(run)
    ended = _read(case, reader)
    detail = f"{damage}; {detail_of(ended)}"
    # `verify` tells of a figure that differs with exit code 1.
    if faults := faults_of(ended, [0, 1, 2] if reader[0] == "verify" else [0, 2]):
        return Outcome("", faults, detail)
    if not _is_kept(states, _states(run), path.relative_to(run) if reader is _JUDGE else None):
        return Outcome("", ("wrong",), f"the run folder was changed; {detail}")
    if ended.code:
        return Outcome("refused")
    if "torn by an interrupted write: it is left out" in ended.err:
        return Outcome("refused")
    if _results(case, ended) != _sound_results(reader):
        return Outcome("", ("wrong",), f"other results than those of the sound run; {detail}")
    return Outcome("unchanged")


def _read(case: Case, reader: tuple[str, ...]) -> Ended:
    folders = {"RUN": _run(case.folder, _CONFIG), "OTHER": _run(case.folder, _OTHER)}
    return run_command(case, "evaluation", *(folders.get(word, word) for word in reader))


def _run(folder: Path, config: str) -> Path:
    (run,) = (folder / "runs").glob(f"{config}-*")
    return run


def _copy_of_runs(folder: Path) -> Path:
    """Copy both finished runs, the first with scores of another judge; return the first one."""
    shutil.copytree(_runs() / "runs", folder / "runs")
    return _run(folder, _CONFIG)


@cache
def _runs() -> Path:
    folder = data() / "damaged"
    for config in (_CONFIG, _OTHER):
        shutil.copytree(undisturbed(config).folder / "runs", folder / "runs", dirs_exist_ok=True)
    ended = _read(Case("runs", 0, 0, folder, limit=600), _JUDGE)
    assert ended.code == 0, ended.err
    return folder


@cache
def _sound_results(reader: tuple[str, ...]) -> tuple[str, str]:
    """Return the results of a command that reads the sound runs."""
    folder = data() / "sound" / reader[0]
    _copy_of_runs(folder)
    case = Case("sound", 0, 0, folder, limit=600)
    ended = _read(case, reader)
    assert ended.code == 0, ended.err
    return _results(case, ended)


def _results(case: Case, ended: Ended) -> tuple[str, str]:
    """Return what a command printed, and the page that it wrote.

    The folder's name and the digest of the files that were read are left out.
    """
    page = case.folder / "page.html"
    written = page.read_text() if page.exists() else ""
    out, written = (text.replace(str(case.folder), "") for text in (ended.out, written))
    return out, re.sub(r'<meta name="sources"[^>]*>', "", written)


def _states(run: Path) -> dict[Path, bytes | int]:
    """Return the bytes of each file in a run, except its lock, and the mode of all else.

    A link that leads nowhere counts as no file: `judge` writes the file in its place.
    """
    return {
        path.relative_to(run): path.read_bytes() if path.is_file() else path.lstat().st_mode
        for path in run.rglob("*")
        if path != run / "lock" and path.exists()
    }


def _is_kept(
    before: dict[Path, bytes | int], after: dict[Path, bytes | int], damaged: Path | None
) -> bool:
    """Tell whether a command changed nothing, or only added scores if it is `judge`.

    Args:
        before: The states of the run before the command.
        after: Those after it.
        damaged: For `judge`, the damaged file, whose last line is replaced if it is torn; else None.
    """
    if damaged is None:
        return before == after
    changed = [path for path in before.keys() | after if before.get(path) != after.get(path)]
    for path in changed:
        old, new = before.get(path, b""), after.get(path)
        if path.parent != Path("scores") or not (isinstance(old, bytes) and isinstance(new, bytes)):
            return False
        lines = old[: old.rfind(b"\n", 0, -1) + 1] if path == damaged else old
        if not new.startswith(lines):
            return False
    return True


def _prepare() -> None:
    for reader in _READERS:
        _sound_results(reader)


KINDS = [Kind("damaged runs that are read", 1_000, 25, _check, _prepare)]

"""Write one HTML page of runs: what is distinguishable, plots, every question with its trace.

The page loads nothing and opens from disk. Its place goes to stdout.
"""

import argparse
import sys
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from evaluation.commands.compare_command import named
from graph.support.errors import ConfigError
from graph.support.terminal import log


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run folders")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("report.html"),
        metavar="FILE",
        help="the page (default report.html)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the page, and say where it is."""
    out: Path = arguments.out
    if out.is_dir() or not out.parent.is_dir():
        raise ConfigError(f"--out {out} is no file in a folder that is there: name another")
    write_report(arguments.runs, out)
    sys.stdout.write(f"report: {out}\n")
    return 0


def write_report(folders: Sequence[Path], out: Path) -> None:
    """Write the page of these runs; nothing in their folders is changed.

    Raises:
        ConfigError: a run is named twice, or the page cannot be written.
        DatasetError: a folder is no run, damaged, or shares no question with the control.
    """
    from evaluation.report.figures import figures_of
    from evaluation.report.further import read_with_scores
    from evaluation.report.page import render
    from evaluation.report.question_blocks import blocks_of
    from graph.support.storage import write_atomically

    read = [read_with_scores(folder) for folder in folders]
    runs = named([each.run for each in read])
    further = dict(zip(runs, (each.notes for each in read), strict=True))
    figures = figures_of(runs, further)
    for each in figures.runs:
        if not each.run.finished:
            done = len(each.run.records)
            log.warning("%s: unfinished, %d of %d", each.run.folder, done, each.run.questions)
    blocks = blocks_of(figures.runs, figures.metrics)
    text = render(figures, blocks)
    try:
        write_atomically(out, text)
    except OSError as error:
        raise ConfigError(f"{out} cannot be written: {error.strerror}") from None


def report_on(folders: Sequence[Path], out: Path) -> None:
    """Write the page at the end of a run; what goes wrong costs the page alone, never the run."""
    try:
        if not _is_current(folders, out):
            write_report(folders, out)
        log.info("report: %s", out)
    except Exception as error:
        said = " ".join(str(error).split())
        log.warning("no report was written (%s: %s)", type(error).__name__, said)


def page_of(folders: Sequence[Path]) -> Path:
    """Return where the page of several runs of one command goes: equal runs, equal place."""
    names = "\n".join(folder.name for folder in folders)
    digest = sha256(names.encode("utf-8", "surrogateescape")).hexdigest()
    return folders[0].parent / f"report-{digest[:12]}.html"


def _is_current(folders: Sequence[Path], out: Path) -> bool:
    """Whether the page is newer than all that was answered and scored."""
    if not out.exists():
        return False
    read = [
        path
        for folder in folders
        for path in (folder / "journal.jsonl", *folder.glob("scores/*.jsonl"))
    ]
    return all(path.stat().st_mtime_ns <= out.stat().st_mtime_ns for path in read)

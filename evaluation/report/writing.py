"""Writing the report: the page of some runs, by its command or at the end of eval.py."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from evaluation.analysis.comparison import named_runs
from graph.support.errors import ConfigError
from graph.support.terminal import log


def write_report(folders: Sequence[Path], out: Path) -> None:
    """Write the page of these runs; nothing in their folders is changed.

    Raises:
        ConfigError: a run is named twice, or the page cannot be written.
        DatasetError: a folder is no run, damaged, or shares no question with the control.
    """
    from evaluation.report.figures import figures_of, read_with_scores
    from evaluation.report.page import render
    from evaluation.report.question_blocks import blocks_of
    from graph.support.storage import write_atomically

    read = [read_with_scores(folder) for folder in folders]
    runs = named_runs([each.run for each in read])
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

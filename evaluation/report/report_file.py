"""The report's file: written by its own command, or at the end of eval.py."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from evaluation.analysis.comparison import named_runs
from graph.support.errors import ConfigError
from graph.support.logger import log
from graph.support.text import one_line


def write_report(folders: Sequence[Path], out: Path) -> None:
    """Write the page of these runs; nothing in their folders is changed.

    Raises:
        ConfigError: a run is named twice, or the page cannot be written.
        DatasetError: a folder is no run, is damaged, or shares no question with the control.
    """
    # Imported here, since eval.py imports this module and its --help needs none of these.
    from evaluation.report.html_page import render_page
    from evaluation.report.question_blocks import blocks_of
    from evaluation.report.run_figures import figures_of, read_with_scores
    from graph.support.storage import write_atomically

    scored_runs = [read_with_scores(folder) for folder in folders]
    runs = named_runs([scored.run for scored in scored_runs])
    pass_notes = dict(zip(runs, (scored.notes for scored in scored_runs), strict=True))
    figures = figures_of(runs, pass_notes)
    for run in runs.values():
        if not run.finished:
            log.warning("%s: unfinished, %d of %d", run.folder, len(run.records), run.questions)
    page = render_page(figures, blocks_of(figures.runs, figures.metrics))
    try:
        write_atomically(out, page)
    except OSError as error:
        raise ConfigError(f"{out} cannot be written: {error.strerror}") from None


def report_on(folders: Sequence[Path], out: Path) -> None:
    """Write the page at the end of a run, unless it is up to date; an error is only a warning."""
    try:
        if not _is_current(folders, out):
            write_report(folders, out)
        log.info("report: %s", out)
    # The runs are finished and saved: no error of the report may end eval.py as a failure.
    except Exception as error:
        message = one_line(error)
        log.warning("no report was written (%s: %s)", type(error).__name__, message)


def page_of(folders: Sequence[Path]) -> Path:
    """Return the path of the page of several runs of one command: the same for the same runs."""
    names = "\n".join(folder.name for folder in folders)
    digest = sha256(names.encode("utf-8", "surrogateescape")).hexdigest()
    return folders[0].parent / f"report-{digest[:12]}.html"


def _is_current(folders: Sequence[Path], out: Path) -> bool:
    """Tell whether the page is newer than all answers and scores of the runs."""
    if not out.exists():
        return False
    sources = [
        path
        for folder in folders
        for path in (folder / "journal.jsonl", *folder.glob("scores/*.jsonl"))
    ]
    return all(path.stat().st_mtime_ns <= out.stat().st_mtime_ns for path in sources)

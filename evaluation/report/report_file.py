"""The report's file: written by its own command, or at the end of eval.py."""

import os
from collections.abc import Sequence
from hashlib import sha256
from importlib.resources import as_file, files
from pathlib import Path

from evaluation.analysis.comparison import named_runs
from evaluation.calibration.known_judges import own_figures
from graph.support.errors import ConfigError
from graph.support.logger import log
from graph.support.storage import file_sha256, open_regular, read_regular, write_atomically
from graph.support.text import one_line

_HEAD_BYTES = 4096
"""The start of a page that holds the digest of its sources."""
_CODE_SUFFIXES = {".py", ".js", ".j2", ".css"}


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

    # Before they are read: what is appended meanwhile makes the page outdated.
    sources = _sources_sha256(folders)
    scored_runs = [read_with_scores(folder) for folder in folders]
    runs = named_runs([scored.run for scored in scored_runs])
    pass_notes = dict(zip(runs, (scored.notes for scored in scored_runs), strict=True))
    figures = figures_of(runs, pass_notes)
    for run in runs.values():
        if not run.finished:
            log.warning("%s: unfinished, %s", run.folder, run.progress)
    page = render_page(figures, blocks_of(figures.runs, figures.metrics), sources)
    try:
        write_atomically(out, page)
    except OSError as error:
        raise ConfigError(f"{out} cannot be written: {error.strerror}") from None


def report_on(folders: Sequence[Path], out: Path) -> None:
    """Write the page at the end of a run, unless it is up to date; an error is only a warning."""
    try:
        if not _is_current(_sources_sha256(folders), out):
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


def _sources_sha256(folders: Sequence[Path]) -> str:
    """Return the digest of what a page is made from: code, files of its runs, measured judges."""
    total = sha256()
    for package in ("evaluation", "graph.html"):
        with as_file(files(package)) as code:
            modules = [path for path in code.rglob("*") if path.suffix in _CODE_SUFFIXES]
            for path in sorted(modules):
                total.update(f"{path.relative_to(code)}\0{file_sha256(path)}\0".encode())
    paths = [own_figures()]
    for folder in folders:
        paths += [folder / "manifest.json", folder / "journal.jsonl"]
        paths += sorted(folder.glob("scores/*.jsonl"))
    for path in paths:
        # Checked, since a link or a pipe could be read for ever.
        digest = sha256(read_regular(path)).hexdigest() if os.path.lexists(path) else "absent"
        total.update(f"{path.name}\0{digest}\0".encode("utf-8", "surrogateescape"))
    return total.hexdigest()


def _is_current(sources: str, out: Path) -> bool:
    """Tell whether the page was made from the same content; dates can be wrong."""
    if not out.is_file():
        return False
    with open(open_regular(out, os.O_RDONLY), "rb") as file:
        return f'content="{sources}"'.encode() in file.read(_HEAD_BYTES)

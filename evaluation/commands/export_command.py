"""Export runs as CSV, JSON lines, parquet, LaTeX, Markdown or an Inspect log.

csv, jsonl and parquet hold a row for each question and metric, or for each question (--wide). latex
and markdown hold the comparison of the runs. docs/export.md describes all formats.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from evaluation.analysis.comparison import named_runs
from evaluation.commands.run_arguments import add_runs
from evaluation.export.comparison_text import comparison_of, latex, markdown
from evaluation.export.inspect_log import inspect_log
from evaluation.export.row_formats import csv_bytes, jsonl_bytes, parquet_bytes
from evaluation.export.rows import (
    LONG_COLUMNS,
    exported_runs,
    long_rows,
    wide_columns,
    wide_rows,
)
from evaluation.store.recorded_run import RecordedRun, read_run
from graph.support import terminal
from graph.support.arguments import output_file
from graph.support.errors import ConfigError
from graph.support.logger import log
from graph.support.storage import write_bytes_atomically

_ROW_FORMATS = {"csv": csv_bytes, "jsonl": jsonl_bytes, "parquet": parquet_bytes}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_runs(parser)
    parser.add_argument(
        "--to",
        required=True,
        choices=[*_ROW_FORMATS, "latex", "markdown", "inspect"],
        help="the format; inspect, a log of inspect_ai, holds one run",
    )
    parser.add_argument(
        "--out", type=output_file, metavar="FILE", help="the file (default: stdout)"
    )
    parser.add_argument(
        "--wide",
        action="store_true",
        help="csv, jsonl, parquet: a row for each question, with its texts and a column for each "
        "metric, instead of a row for each question and metric",
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the export to the file or to stdout."""
    if arguments.wide and arguments.to not in _ROW_FORMATS:
        raise ConfigError(f"--wide is for {', '.join(_ROW_FORMATS)}: leave it out")
    if arguments.to == "inspect" and len(arguments.runs) > 1:
        raise ConfigError("an Inspect log holds one run: export each run into a file of its own")
    if arguments.out is not None:
        _check_outside(arguments.out, arguments.runs)
    elif arguments.to == "parquet" and sys.stdout.isatty():
        raise ConfigError("parquet is no text: name a file with --out")
    runs = [read_run(folder) for folder in arguments.runs]
    if arguments.to not in _TABLES or len(runs) == 1:
        _check_runs(runs)
    content = _content(arguments.to, runs, wide=arguments.wide)
    if arguments.out is None:
        _print(content)
    else:
        _write(arguments.out, content)
    return 0


def _check_runs(runs: list[RecordedRun]) -> None:
    """Refuse a run that is named twice, and log those that are unfinished, as a comparison does."""
    named_runs(runs)
    for recorded in runs:
        if not recorded.finished:
            log.warning("%s: unfinished, %s", recorded.folder, recorded.progress)


def _content(kind: str, runs: list[RecordedRun], *, wide: bool) -> bytes:
    if kind in _TABLES:
        return _TABLES[kind](runs)
    exported = exported_runs(runs)
    if kind == "inspect":
        return inspect_log(exported[0])
    if wide:
        columns = wide_columns(exported)
        return _ROW_FORMATS[kind](columns, wide_rows(exported, columns))
    return _ROW_FORMATS[kind](LONG_COLUMNS, long_rows(exported))


_TABLES: dict[str, Callable[[list[RecordedRun]], bytes]] = {
    "latex": lambda runs: latex(comparison_of(runs)).encode("utf-8"),
    "markdown": lambda runs: markdown(comparison_of(runs)).encode("utf-8"),
}


def _check_outside(out: Path, folders: Sequence[Path]) -> None:
    for folder in folders:
        if out.resolve().is_relative_to(folder.resolve()):
            raise ConfigError(f"{out} lies in the run folder {folder}: name a file elsewhere")


def _print(content: bytes) -> None:
    if sys.stdout.isatty():
        # A control character of an answer could move the cursor or change the title.
        terminal.print_document(content.decode("utf-8"))
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(content)


def _write(out: Path, content: bytes) -> None:
    try:
        write_bytes_atomically(out, content)
    except OSError as error:
        raise ConfigError(f"{out} cannot be written: {error.strerror}") from None
    log.info("export: %s", out)

"""Compare runs question by question: paired differences, intervals, tests, effect sizes.

The table goes to stdout; with --json, one JSON document is all that goes there.
"""

import argparse

from evaluation.analysis.comparison_document import ComparisonDocument, comparison_document
from evaluation.rescoring.pass_summary import with_shared_scores
from evaluation.store.recorded_run import read_run
from evaluation.tables.comparison_table import EXPLANATION, differences_table
from graph.support import terminal
from graph.support.arguments import path
from graph.support.errors import ConfigError
from graph.support.text import plural


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "runs",
        nargs="+",
        type=path,
        metavar="RUN",
        help="run folders, two or more; each is compared with those named before it",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(arguments: argparse.Namespace) -> int:
    """Compare the runs, and print the differences."""
    if len(arguments.runs) < 2:
        raise ConfigError("compare needs two run folders or more: name another")
    runs, score_notes = with_shared_scores([read_run(folder) for folder in arguments.runs])
    document = comparison_document(runs, score_notes)
    if arguments.json:
        terminal.print_json(document)
    else:
        _show(document)
    return 0


def _show(document: ComparisonDocument) -> None:
    console = terminal.console()
    for summary in document["runs"]:
        line = (
            f"{summary['name']}, profile {summary['profile']}: {summary['finished']} of "
            f"{summary['questions']} {plural(summary['questions'], 'question')}, "
            f"{summary['failed']} failed"
        )
        terminal.print_text(console, line)
    console.print(differences_table(document["pairs"]))
    terminal.print_text(console, EXPLANATION)
    for note in document["notes"]:
        terminal.print_text(console, f"note: {note}")

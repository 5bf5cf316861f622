"""Compare runs question by question: paired differences, intervals, tests, effect sizes.

The table goes to stdout; with --json, one JSON document is all that goes there. With --fail-if-worse
the exit code is 1 if a later run is worse than the first.
"""

import argparse
from collections.abc import Sequence

from evaluation.analysis.comparison_document import ComparisonDocument, comparison_document
from evaluation.analysis.regression_gate import GateDocument, gate_document
from evaluation.commands.run_arguments import add_runs
from evaluation.rescoring.pass_summary import with_shared_scores
from evaluation.store.recorded_run import read_run
from evaluation.tables.comparison_table import EXPLANATION, differences_table, gate_lines
from graph.support import terminal
from graph.support.arguments import add_json
from graph.support.errors import ConfigError
from graph.support.text import plural


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_runs(parser, "run folders, two or more; each is compared with those named before it")
    add_json(parser)
    parser.add_argument(
        "--fail-if-worse",
        type=_metrics,
        metavar="METRIC[,METRIC]",
        help="test only each later run against the first, the baseline, by these metrics, and end "
        "with exit code 1 if a test (Holm's p below .05) finds one worse, 0 if none does, 2 if the "
        "runs cannot be tested",
    )


def _metrics(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise argparse.ArgumentTypeError(f"{text!r} is no list of metrics such as ROUGE-1,BLEU")
    return list(dict.fromkeys(names))


def run(arguments: argparse.Namespace) -> int:
    """Compare the runs, and print the differences; return 1 if the gate finds a run worse, else 0."""
    if len(arguments.runs) < 2:
        raise ConfigError("compare needs two run folders or more: name another")
    runs, score_notes = with_shared_scores([read_run(folder) for folder in arguments.runs])
    if arguments.fail_if_worse is None:
        _print(comparison_document(runs, score_notes), as_json=arguments.json)
        return 0
    document: GateDocument = gate_document(runs, arguments.fail_if_worse, score_notes)
    _print(document, as_json=arguments.json, further_lines=gate_lines(document))
    return 1 if document["gate"]["worse"] else 0


def _print(
    document: ComparisonDocument, *, as_json: bool, further_lines: Sequence[str] = ()
) -> None:
    if as_json:
        terminal.print_json(document)
        return
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
    for line in further_lines:
        terminal.print_text(console, line)

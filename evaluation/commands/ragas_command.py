"""Score finished runs with ragas: metrics from references, and others that ask the local model.

Scores go to RUN/scores; the same command again goes on, or shows them. The table goes to stdout;
with --json one JSON document and nothing else does. Nothing is sent anywhere.
"""

import argparse
from pathlib import Path

from evaluation.answering.flags import add_models
from evaluation.rescoring.ragas.ragas_metrics import (
    PREFIX,
    REFERENCE_BASED,
)
from evaluation.rescoring.ragas.ragas_pass import RagasResult, score_with_ragas
from evaluation.tables.rescoring_table import reason_lines, scores_table
from graph.config import load_settings
from graph.support import terminal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run folders")
    parser.add_argument(
        "--no-model",
        action="store_true",
        help="only the metrics that need none: " + ", ".join(REFERENCE_BASED),
    )
    add_models(parser, whose="which models", example="judge.window=2048")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(arguments: argparse.Namespace) -> int:
    """Score the runs with ragas, and print each metric's mean and what is not in it."""
    profile = load_settings("baseline", arguments.profile, arguments.set).profile
    asked = None if arguments.no_model else profile
    found = [score_with_ragas(folder, asked) for folder in arguments.runs]
    if arguments.json:
        terminal.print_json(found)
    else:
        for each in found:
            show_ragas(each)
    return 0


def show_ragas(found: RagasResult) -> None:
    """Print the table, and why questions are unscored."""
    console = terminal.console()
    model = "no model" if found["model"] is None else found["model"]
    rows = [
        (metric, "ragas" if metric in _OF_REFERENCES else model, each)
        for metric, each in found["metrics"].items()
    ]
    headline = f"ragas over {found['run']}, {found['questions']} questions, asking {model}"
    terminal.print_text(console, headline, wrap=False)
    console.print(scores_table(rows))
    for line in reason_lines(rows):
        terminal.print_text(console, line)
    terminal.print_text(console, f"scores: {found['run']}/{found['scores']}", wrap=False)


_OF_REFERENCES = tuple(PREFIX + name for name in REFERENCE_BASED)

"""Score finished runs with metrics of ragas, most of which ask the local model.

The scores go to RUN/scores. The same command scores what is still unscored, or only shows the
scores. The table goes to stdout; with --json, one JSON document goes there instead. Nothing is
sent over a network.
"""

import argparse

from evaluation.commands.run_arguments import add_runs
from evaluation.rescoring.ragas.ragas_metrics import PREFIX, REFERENCE_BASED
from evaluation.rescoring.ragas.ragas_pass import RagasResult, score_with_ragas
from evaluation.tables.rescoring_table import reason_lines, scores_table
from graph.commands.settings_arguments import add_models
from graph.config import load_settings
from graph.support import terminal
from graph.support.arguments import add_json
from graph.support.text import plural

_WITHOUT_MODEL = {PREFIX + name for name in REFERENCE_BASED}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_runs(parser)
    parser.add_argument(
        "--no-model",
        action="store_true",
        help="compute only the metrics that ask no model: " + ", ".join(REFERENCE_BASED),
    )
    add_models(parser, whose="which models", example="judge.window=2048")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Score the runs with ragas, and print each metric's mean and the counts beside it."""
    profile = load_settings("baseline", arguments.profile, arguments.set).profile
    used_profile = None if arguments.no_model else profile
    results = [score_with_ragas(folder, used_profile) for folder in arguments.runs]
    if arguments.json:
        terminal.print_json(results)
    else:
        for result in results:
            show_ragas(result)
    return 0


def show_ragas(result: RagasResult) -> None:
    """Print the scores of a run, and why questions are unscored."""
    console = terminal.console()
    model = result["model"] or "no model"
    rows = [
        (metric, "ragas" if metric in _WITHOUT_MODEL else model, summary)
        for metric, summary in result["metrics"].items()
    ]
    count = result["questions"]
    headline = f"ragas over {result['run']}, {count} {plural(count, 'question')}, asking {model}"
    terminal.print_text(console, headline, wrap=False)
    console.print(scores_table(rows))
    for line in reason_lines(rows):
        terminal.print_text(console, line)
    terminal.print_text(console, f"scores: {result['run']}/{result['scores']}", wrap=False)

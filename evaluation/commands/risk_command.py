"""Show risk against coverage: how good the answers are if only the most confident questions are answered.

The confidence of a question is the expected score of its answer where the run has it (learned reranking),
else the retrieval score of its first passage. The tables go to stdout; with --json, one JSON document is
all that goes there.
"""

import argparse

from evaluation.analysis.comparison import named_runs
from evaluation.analysis.risk_coverage import run_curves
from evaluation.commands.run_arguments import add_runs
from evaluation.rescoring.pass_summary import pass_notes, with_scores
from evaluation.rescoring.score_files import read_scores
from evaluation.store.recorded_run import read_run
from evaluation.tables.risk_table import counts_line, explanation, gain_lines, risk_table
from graph.support import terminal
from graph.support.arguments import add_json
from graph.support.errors import DatasetError

_COLUMNS = 110
"""Width of the output: the table has a column for each metric."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_runs(parser, "run folders, as of --config hybrid_pick --judge calibrated")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure the curves of the runs, and print them."""
    results, notes = {}, {}
    for name, recorded in named_runs([read_run(folder) for folder in arguments.runs]).items():
        passes = read_scores(recorded)
        curves = run_curves(with_scores(recorded, passes))
        if curves is None:
            raise DatasetError(
                f"{recorded.folder} has no question with an expected score or a retrieval score: name a run "
                "that retrieves passages, such as hybrid_pick"
            )
        results[name] = curves
        notes[name] = pass_notes(passes)
    if arguments.json:
        terminal.print_json({"runs": results, "notes": notes})
        return 0
    console = terminal.console(_COLUMNS)
    for name, curves in results.items():
        terminal.print_text(console, counts_line(name, curves))
        if curves["points"]:
            console.print(risk_table(curves))
        for line in [*gain_lines(curves), *(f"note: {note}" for note in notes[name])]:
            terminal.print_text(console, line)
        if curves["points"]:
            terminal.print_text(console, explanation(curves))
        console.print()
    return 0

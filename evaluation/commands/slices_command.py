"""Slice the questions of runs by length, code, type, retrieval and tag: means, paired differences.

One run gives means; with several, each run's differences from the control are shown: `extract` if
it is among them, else `baseline`, else the first. The tables go to stdout; with --json, one JSON
document is all that goes there.
"""

import argparse

from rich.console import Console

from evaluation.analysis.slices_document import SlicedRuns, left_out_lines, slices_document
from evaluation.commands.run_arguments import add_runs
from evaluation.rescoring.pass_summary import pass_notes, with_scores, with_shared_scores
from evaluation.rescoring.score_files import read_scores
from evaluation.store.recorded_run import RecordedRun, read_run
from evaluation.tables.numbers import NumberStyle, number, signed
from evaluation.tables.slices_table import (
    DIFFERENCES_EXPLANATION,
    EXPLANATION,
    MEANS_EXPLANATION,
    slices_tables,
)
from graph.support import terminal
from graph.support.arguments import add_json
from graph.support.text import plural

_COLUMNS = 110
"""Width of the output: the tables have a column for each metric."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_runs(parser, "run folders; with two or more, differences from the control by slice")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Slice the questions of the runs, and print means or differences."""
    runs, notes = _with_scores([read_run(folder) for folder in arguments.runs])
    document = slices_document(runs, notes)
    if arguments.json:
        terminal.print_json(document)
        return 0
    console = terminal.console(_COLUMNS)
    for summary in document["runs"]:
        line = (
            f"{summary['name']}, profile {summary['profile']}: {summary['finished']} of "
            f"{summary['questions']} {plural(summary['questions'], 'question')}, "
            f"{summary['failed']} failed"
        )
        terminal.print_text(console, line)
    results = document["differences"] or document["means"]
    for result in results:
        _show(console, result)
    for line in left_out_lines(results):
        terminal.print_text(console, line)
    explanation = DIFFERENCES_EXPLANATION if document["differences"] else MEANS_EXPLANATION
    terminal.print_text(console, f"{explanation} {EXPLANATION}")
    for note in document["notes"]:
        terminal.print_text(console, f"note: {note}")
    return 0


def _with_scores(runs: list[RecordedRun]) -> tuple[list[RecordedRun], list[str]]:
    """Return the runs with the scores of their passes: of several runs, those that two have."""
    if len(runs) > 1:
        return with_shared_scores(runs)
    passes = read_scores(runs[0])
    return [with_scores(runs[0], passes)], pass_notes(passes)


def _show(console: Console, result: SlicedRuns) -> None:
    if result["b"] is not None:
        terminal.print_text(console, f"\na = {result['a']}, b = {result['b']}")
    style: NumberStyle = number if result["b"] is None else signed
    for table in slices_tables(result["dimensions"], style):
        console.print(table)

"""Measure the headroom of reranking: random pick, first candidate, consensus, learned, the model's picks, best.

Reads finished runs whose config reranks; asks no language model. The tables go to stdout; with --json, one
JSON document is all that goes there.
"""

import argparse
from functools import partial

from rich.console import Console

from evaluation.analysis.headroom import Headroom, run_headroom
from evaluation.commands.run_arguments import add_runs
from evaluation.store.recorded_run import read_run, recorded_embedder
from evaluation.tables.headroom_table import EXPLANATION, headroom_table, verdict_lines
from graph.reranking.formula import load_reranker
from graph.reranking.scorer import LearnedScorer
from graph.retrieval.encoder import open_encoder
from graph.support import terminal
from graph.support.arguments import add_json
from graph.support.text import plural

_COLUMNS = 110
"""Width of the output: the table has a column for each metric."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_runs(
        parser,
        "run folders whose config reranks, as of --config semantic_rerank_initial --set "
        "rerank.drafts=4",
    )
    parser.add_argument(
        "--no-encoder",
        action="store_true",
        help="leave out learned reranking and the nearest to the question where the run did not score "
        "them, so that no weights are loaded",
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure each run, and print the headroom of its reranking steps."""
    results = {}
    for folder in arguments.runs:
        recorded = read_run(folder)
        scorer = None
        if not arguments.no_encoder:
            embedder = recorded_embedder(recorded, "; leave it out with --no-encoder")
            scorer = LearnedScorer(load_reranker(), partial(open_encoder, embedder), None)
        results[str(folder)] = run_headroom(recorded, scorer)
    if arguments.json:
        terminal.print_json({"runs": results})
        return 0
    console = terminal.console(_COLUMNS)
    for folder, steps in results.items():
        for step, headroom in steps.items():
            _show(console, folder, step, headroom)
    console.print(EXPLANATION)
    return 0


def _show(console: Console, folder: str, step: str, headroom: Headroom) -> None:
    counts = ", ".join(f"{n} with {size}" for size, n in headroom["candidates"].items())
    questions = plural(headroom["n"], "question")
    headline = f"{folder}, {step}: {headroom['n']} {questions} ({counts} candidates)"
    terminal.print_text(console, headline, wrap=False)
    console.print(headroom_table(headroom))
    for line in verdict_lines(headroom):
        terminal.print_text(console, line)
    console.print()

"""Show what reranking could win and does: random, first, consensus, the model's picks, the best.

Reads finished runs whose config reranks; asks no model. The table goes to stdout; with --json one
JSON document and nothing else does.
"""

import argparse
from pathlib import Path

from rich.console import Console

from evaluation.analysis.headroom import Choice, Headroom, choices, headroom
from evaluation.store.recorded_run import RecordedRun, known_records, read_run
from evaluation.tables.headroom_table import EXPLANATION, headroom_table, verdict_lines
from graph.support import terminal
from graph.support.errors import DatasetError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "runs",
        nargs="+",
        type=Path,
        metavar="RUN",
        help="run folders whose config reranks, as of --config semantic_rerank_initial --set "
        "rerank.drafts=4",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(arguments: argparse.Namespace) -> int:
    """Measure each run, and print what was found."""
    found = {
        str(folder): {step: headroom(each) for step, each in _choices(read_run(folder)).items()}
        for folder in arguments.runs
    }
    if arguments.json:
        terminal.print_json({"runs": found})
        return 0
    console = terminal.console(110)
    for folder, steps in found.items():
        for step, each in steps.items():
            _show(console, folder, step, each)
    console.print(EXPLANATION)
    return 0


def _choices(run: RecordedRun) -> dict[str, list[Choice]]:
    with known_records(run.folder):
        found = choices([record for record in run.records if record["error"] is None])
    if not found:
        raise DatasetError(
            f"{run.folder} chose among no drafts: name a run whose config reranks, as "
            "semantic_rerank_initial"
        )
    return found


def _show(console: Console, folder: str, step: str, found: Headroom) -> None:
    counts = ", ".join(f"{n} with {size}" for size, n in found["candidates"].items())
    headline = f"{folder}, {step}: {found['n']} questions ({counts} candidates)"
    terminal.print_text(console, headline, wrap=False)
    console.print(headroom_table(found))
    for line in verdict_lines(found):
        terminal.print_text(console, line)
    console.print()

"""Compare runs question by question: paired differences, intervals, tests, effect sizes.

The table goes to stdout; with --json one JSON document and nothing else does.
"""

import argparse
from pathlib import Path
from typing import TypedDict

from evaluation.analysis.comparison import Difference, compare, named_runs
from evaluation.rescoring.pass_summary import with_shared_scores
from evaluation.statistics.paired_tests import ALPHA, PERMUTATIONS
from evaluation.store.recorded_run import RecordedRun, read_run
from evaluation.tables.comparison_table import EXPLANATION, differences_table
from graph.support import terminal
from graph.support.errors import ConfigError, DatasetError
from graph.support.terminal import log, safe_text


class RunSummary(TypedDict):
    """One run of the document."""

    name: str
    folder: str
    config: str
    profile: str
    questions: int
    """How many it was to answer."""
    finished: int
    """How many have a record, failed ones among them."""
    failed: int


class Comparison(TypedDict):
    """The JSON document."""

    pairs: list[Difference]
    runs: list[RunSummary]
    notes: list[str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "runs",
        nargs="+",
        type=Path,
        metavar="RUN",
        help="run folders, two or more; each is compared with those named_runs before it",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(arguments: argparse.Namespace) -> int:
    """Compare the runs, and print what was found."""
    if len(arguments.runs) < 2:
        raise ConfigError("compare needs two run folders or more: name another")
    read, scored = with_shared_scores([read_run(folder) for folder in arguments.runs])
    runs = named_runs(read)
    for name, each in runs.items():
        if not each.records:
            raise DatasetError(f"{each.folder} holds no finished question: nothing to compare")
        if not each.finished:
            log.warning("%s: %s", " ".join(name.split()), _unfinished(each))
    differences, notes = compare(runs)
    found: Comparison = {
        "pairs": differences,
        "runs": [_run(name, each) for name, each in runs.items()],
        "notes": [
            *(f"{name}: {_unfinished(each)}" for name, each in runs.items() if not each.finished),
            *notes,
            *scored,
            *_too_many(differences),
        ],
    }
    if arguments.json:
        terminal.print_json(found)
    else:
        _show(found)
    return 0


def _unfinished(each: RecordedRun) -> str:
    done = len(each.records)
    return f"unfinished, {done} of {each.questions} questions are done: compared on those alone."


def _too_many(differences: list[Difference]) -> list[str]:
    tests = sum(each["test"] == "permutation" for each in differences)
    if tests / (PERMUTATIONS + 1) < ALPHA:
        return []
    return [
        f"{tests} tests at once: after Holm's adjustment no permutation test of {PERMUTATIONS:,} "
        "draws can find a difference; compare fewer runs."
    ]


def _run(name: str, each: RecordedRun) -> RunSummary:
    return {
        "name": name,
        "folder": str(each.folder),
        "config": each.config,
        "profile": each.profile,
        "questions": each.questions,
        "finished": len(each.records),
        "failed": each.failed,
    }


def _show(found: Comparison) -> None:
    console = terminal.console()
    for each in found["runs"]:
        line = (
            f"{each['name']}, profile {each['profile']}: {each['finished']} of "
            f"{each['questions']} questions, {each['failed']} failed"
        )
        terminal.print_text(console, line)
    console.print(differences_table(found["pairs"]))
    terminal.print_text(console, EXPLANATION)
    for note in found["notes"]:
        terminal.print_text(console, f"note: {safe_text(note)}")

"""Compare runs question by question: paired differences, intervals, tests, effect sizes.

The table goes to stdout; with --json one JSON document and nothing else does.
"""

import argparse
import json
import sys
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import TypedDict

from rich.console import Console

from evaluation.analysis.comparison import Difference, compare
from evaluation.rescoring.pass_summary import with_shared_scores
from evaluation.statistics.paired_tests import ALPHA, PERMUTATIONS
from evaluation.store.recorded_run import RecordedRun, read_run
from evaluation.tables.comparison_table import EXPLANATION, differences_table
from graph.support.errors import ConfigError, DatasetError
from graph.support.terminal import log, safe_text


class Run(TypedDict):
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
    runs: list[Run]
    notes: list[str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "runs",
        nargs="+",
        type=Path,
        metavar="RUN",
        help="run folders, two or more; each is compared with those named before it",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(arguments: argparse.Namespace) -> int:
    """Compare the runs, and print what was found."""
    if len(arguments.runs) < 2:
        raise ConfigError("compare needs two run folders or more: name another")
    read, scored = with_shared_scores([read_run(folder) for folder in arguments.runs])
    runs = named(read)
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
        sys.stdout.write(json.dumps(found, indent=1, allow_nan=False) + "\n")
    else:
        _show(found)
    return 0


def named(runs: list[RecordedRun]) -> dict[str, RecordedRun]:
    """Return the runs by config name, with the digest behind it where that is not one run's alone.

    Raises:
        ConfigError: a run stands there twice.
    """
    for first, second in combinations(runs, 2):
        if first.digest == second.digest and first.records == second.records:
            raise ConfigError(
                f"{first.folder} and {second.folder} are the same run: name each run once"
            )
    configs = Counter(each.config for each in runs)
    named: dict[str, RecordedRun] = {}
    for each in runs:
        name = each.config if configs[each.config] == 1 else f"{each.config}-{each.digest[:12]}"
        # Two answers to the very same question: a run and the one that --fresh moved aside.
        named[f"{name}-{len(named) + 1}" if name in named else name] = each
    return named


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


def _run(name: str, each: RecordedRun) -> Run:
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
    console = Console(width=None if sys.stdout.isatty() else 100)
    for each in found["runs"]:
        line = (
            f"{each['name']}, profile {each['profile']}: {each['finished']} of "
            f"{each['questions']} questions, {each['failed']} failed"
        )
        console.print(safe_text(line), markup=False, highlight=False)
    console.print(differences_table(found["pairs"]))
    console.print(EXPLANATION, markup=False, highlight=False)
    for note in found["notes"]:
        console.print(f"note: {safe_text(note)}", markup=False, highlight=False)

"""python -m dataset check FILE: say what is wrong with a corpus or an evaluation dataset."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from dataset.build.progress import Progress
from dataset.check.duplicates import Ids, Place, Texts
from dataset.check.fields import Shape, check_row, id_of, shape_of
from dataset.check.findings import Findings
from dataset.check.leaks import Leaks, Probe, probe_of_row, search
from dataset.check.report import Report, show
from dataset.check.words import html_words, markdown_words
from dataset.errors import InputError
from dataset.schema import CORPUS

Row = dict[str, str]
_STEP = 500


class ReadRows(Protocol):
    """Reads a table strictly."""

    def __call__(self, path: Path, required: Sequence[str] = ()) -> Iterator[tuple[int, Row]]:
        """Yield (row number from 1, row) of a table with the required columns."""
        ...


class Tools(NamedTuple):
    """What the command gets from above, since this package imports nothing of it."""

    read_rows: ReadRows
    progress: Progress
    safe_text: Callable[[str], str]
    """Makes control characters visible: all that is shown comes from a file."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a corpus or an evaluation dataset")
    parser.add_argument(
        "--against",
        type=Path,
        metavar="CORPUS",
        help="find the questions of the dataset FILE that stand in this corpus",
    )
    parser.add_argument(
        "--examples",
        type=_count,
        default=3,
        metavar="N",
        help="rows to name for each finding (default 3)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def _count(text: str) -> int:
    if not text.isdecimal() or len(text) > 6:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def run(arguments: argparse.Namespace, tools: Tools) -> int:
    """Check a file and print a report; return 0 if nothing is wrong with it, else 1.

    Raises:
        InputError: the file is neither a corpus nor a dataset, or --against does not go with it.
            What `read_rows` raises for a file that cannot be read whole passes through.
    """
    report = check(arguments.file, arguments.against, arguments.examples, tools)
    if arguments.json:
        sys.stdout.write(json.dumps(report.to_data(), indent=1, allow_nan=False) + "\n")
    else:
        show(report, arguments.examples, tools.safe_text)
    return 1 if report.problems else 0


def check(path: Path, against: Path | None, examples: int, tools: Tools) -> Report:
    """Check a file, and a dataset against a corpus (see `run`)."""
    try:
        _, first = next(tools.read_rows(path))
        shape = shape_of(first)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    if against and shape.name == "corpus":
        raise InputError(f"{path} is a corpus: --against is for an evaluation dataset")
    findings = Findings(examples)
    rows, probes = _check_rows(path, shape, findings, tools)
    leaks = _leaks(probes, against, tools) if against else None
    return Report(path, shape, tuple(first), rows, findings.ordered(rows), against, leaks)


def _check_rows(
    path: Path, shape: Shape, findings: Findings, tools: Tools
) -> tuple[int, list[Probe]]:
    ids = Ids("question_id/answer_id" if shape.name == "corpus" else "eval_id")
    questions = Texts("question", near=True, problem=True)
    # "Fixed in the next release" may well answer two questions.
    answers = Texts("answer", near=False, problem=False)
    probes = []
    number = 0
    for number, row in rows_of(path, shape.columns, tools):
        check_row(shape, number, row, findings)
        name = id_of(shape, number, row)
        ids.add(Place(number, name), findings)
        question, answer = _words(shape, row)
        asked = row["question_id"].strip() or name if shape.name == "corpus" else name
        questions.add(Place(number, asked), question, findings)
        answers.add(Place(number, name), answer, findings)
        if shape.name == "dataset":
            probes.append(probe_of_row(number, row))
    questions.finish(findings)
    return number, probes


def _words(shape: Shape, row: Row) -> tuple[list[str], list[str]]:
    if "question_body" in shape.columns:
        title = html_words(row["question_title"])
        return title + html_words(row["question_body"]), html_words(row["answer_body"])
    return markdown_words(row["question"]), markdown_words(row["answer"])


def _leaks(probes: Sequence[Probe], corpus: Path, tools: Tools) -> Leaks:
    return search(probes, rows_of(corpus, CORPUS, tools))


def rows_of(path: Path, required: Sequence[str], tools: Tools) -> Iterator[tuple[int, Row]]:
    """Yield the rows of a table and show how far it is; the table is read once to count them."""
    total = sum(1 for _ in tools.read_rows(path, required))
    with tools.progress(f"checking {path.name}", total) as bar:
        number = 0
        for number, row in tools.read_rows(path, required):
            yield number, row
            if number % _STEP == 0:
                bar.advance(_STEP)
        bar.advance(number % _STEP)

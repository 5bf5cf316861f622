"""The command `python -m dataset check FILE`: faults of a corpus or of an evaluation dataset."""

import argparse
from pathlib import Path

from dataset.check.check_report import CheckReport, print_report
from dataset.check.duplicates import Ids, Origin, Texts
from dataset.check.fields import Shape, check_row, id_of, shape_of
from dataset.check.findings import Example, Findings
from dataset.check.foreign_marks import ForeignMarks
from dataset.leaks.leak_search import Probe, probe_of_row, search
from dataset.leaks.words import body_words, html_words
from dataset.load import rows_with_progress
from graph.support.arguments import add_json, path
from graph.support.body_markup import Markup, peek_markup
from graph.support.errors import ConfigError
from graph.support.table_files import CORPUS_COLUMNS, Row, read_rows
from graph.support.table_values import id_or_text
from graph.support.terminal import print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("file", type=path, metavar="FILE", help="a corpus or an evaluation dataset")
    parser.add_argument(
        "--against",
        type=path,
        metavar="CORPUS",
        help="find the questions of the dataset FILE that are also in this corpus",
    )
    parser.add_argument(
        "--examples",
        type=_count,
        default=3,
        metavar="N",
        help="rows to name for each finding (default 3)",
    )
    add_json(parser)


def _count(text: str) -> int:
    if not text.isdecimal() or len(text) > 6:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    """Check a file and print a report; return 0 if it has no problems, else 1.

    Raises:
        ConfigError: --against is given for a corpus.
        DatasetError: a file cannot be read, or is neither a corpus nor a dataset.
    """
    report = check(arguments.file, arguments.against, arguments.examples)
    if arguments.json:
        print_json(report.to_json())
    else:
        print_report(report, arguments.examples)
    return 1 if report.problems else 0


def check(path: Path, corpus: Path | None, examples: int) -> CheckReport:
    """Check a file, and a dataset against a corpus (see `run`)."""
    _, first_row = next(read_rows(path))
    shape = shape_of(path, first_row)
    if corpus and shape.name == "corpus":
        raise ConfigError(f"{path} is a corpus: --against is for an evaluation dataset")
    findings = Findings(examples)
    foreign_marks = ForeignMarks(shape, findings)
    rows, probes = _check_rows(path, shape, findings, foreign_marks)
    leaks = None
    if corpus:
        ids: set[str] = set()
        corpus_rows = rows_with_progress(corpus, CORPUS_COLUMNS, f"checking {corpus.name}")
        leaks = search(probes, foreign_marks.collect_ids(corpus_rows, ids))
        foreign_marks.finish_ids(ids)
    return CheckReport(path, shape, tuple(first_row), rows, findings.ordered(rows), corpus, leaks)


def _check_rows(
    path: Path, shape: Shape, findings: Findings, foreign_marks: ForeignMarks
) -> tuple[int, list[Probe]]:
    """Add the findings of all rows; return the number of rows and the probes of a dataset."""
    is_corpus = shape.name == "corpus"
    ids = Ids("question_id/answer_id" if is_corpus else "eval_id")
    questions = Texts("question", near=True, problem=True)
    # "Fixed in the next release" may well answer two questions.
    answers = Texts("answer", near=False, problem=False)
    probes = []
    number = 0
    all_rows = rows_with_progress(path, shape.columns, f"checking {path.name}")
    markup, rows = peek_markup(all_rows, shape.bodies)
    if not shape.is_html:
        markup = "markdown"
    for number, row in rows:
        check_row(shape, number, row, findings)
        row_id = id_of(shape, number, row)
        foreign_marks.add(row, Example(number, row_id))
        ids.add(Origin(number, row_id), findings)
        question, answer = _words(shape, row, markup)
        # A question of a corpus has a row per answer, and these rows share its text.
        question_id = id_or_text(row["question_id"]) or row_id if is_corpus else row_id
        questions.add(Origin(number, question_id), question, findings)
        answers.add(Origin(number, row_id), answer, findings)
        if not is_corpus:
            probes.append(probe_of_row(number, row, markup))
    questions.finish(findings)
    foreign_marks.finish()
    return number, probes


def _words(shape: Shape, row: Row, markup: Markup) -> tuple[list[str], list[str]]:
    """Return the words of the question and of the answer."""
    question, answer = (body_words(row[name], markup) for name in shape.bodies)
    return (html_words(row["question_title"]) if shape.is_html else []) + question, answer

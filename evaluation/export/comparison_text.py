"""The comparison of runs as Markdown or LaTeX: means of each run, paired differences, notes."""

import re
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import NamedTuple

from evaluation.analysis.comparison import Difference, named_runs, verdict
from evaluation.analysis.comparison_document import comparison_document
from evaluation.metrics.registry import metric_names
from evaluation.rescoring.pass_summary import pass_notes, with_scores, with_shared_scores
from evaluation.rescoring.score_files import read_scores
from evaluation.statistics.summaries import summarise
from evaluation.store.recorded_run import RecordedRun
from evaluation.tables.numbers import interval_text, number, p_text, signed
from evaluation.tables.summary_columns import SUMMARY_COLUMNS, summary_cells
from graph.support.errors import DatasetError
from graph.support.terminal import safe_line

_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    # Active in some languages of babel.
    '"': r"\symbol{34}",
    "'": r"\symbol{39}",
    "`": r"\symbol{96}",
    # After the end of a row they would be arguments of it.
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
}
_SIGN = re.compile(r"(?<![\w.])([+-])(?=[.\d])")
_MARKDOWN = re.compile(r"[\\`*_{}\[\]<>#|~&!$@:^=]|\.(?=\S)|^[-+]|(?<=\d)[.)]")
_REFERENCE = re.compile(r"[@#]|(?<=gh)-(?=\d)", re.IGNORECASE)
"""The characters by which GitHub reads a name, an issue or an e-mail address after Markdown."""
_NOT_ASCII = re.compile(r"[^\x20-\x7e]")


class Table(NamedTuple):
    """A table of text: the first `texts` columns are untrusted text, the others numbers."""

    title: str
    headings: tuple[str, ...]
    texts: int
    """Number of the columns of text."""
    named: int
    """Number of the first columns that name a run, or a pair of runs."""
    rows: list[list[str]]


class Comparison(NamedTuple):
    """The tables of some runs, and the notes on them."""

    tables: list[Table]
    notes: list[str]


def comparison_of(recorded: list[RecordedRun]) -> Comparison:
    """Return the means of each run and, of several runs, the paired differences.

    Raises:
        ConfigError: Two of the runs are the same.
        DatasetError: A run has no finished question, or two runs share none.
    """
    passes_by_run = [read_scores(run) for run in recorded]
    scored = [with_scores(run, passes) for run, passes in zip(recorded, passes_by_run, strict=True)]
    score_notes = pass_notes(p for passes in passes_by_run for p in passes)
    means = Table(
        "Means",
        ("run", "metric", *SUMMARY_COLUMNS, "failed"),
        2,
        1,
        [row for name, run in named_runs(scored).items() for row in _mean_rows(name, run)],
    )
    if len(scored) == 1:
        return Comparison([means], [_INTERVAL, *_single_notes(scored[0]), *score_notes])
    shared, _ = with_shared_scores(recorded)
    document = comparison_document(shared, score_notes)
    differences = Table(
        "Paired differences",
        (
            "a",
            "b",
            "metric",
            "verdict on a",
            "n",
            "unscored",
            "failed",
            "a - b",
            "95 % interval",
            "p",
            "p (Holm)",
            "smallest detectable",
        ),
        4,
        2,
        [_difference_row(difference) for difference in document["pairs"]],
    )
    return Comparison([means, differences], [*_EXPLANATIONS, *document["notes"]])


_INTERVAL = (
    "The 95 % interval of a mean over n scored questions is the range in which it would likely lie with "
    "other questions of this kind."
)
_EXPLANATIONS = (
    _INTERVAL,
    "a - b is the mean over the n questions that both runs scored. p is of the paired permutation "
    "test, or of McNemar's exact test where all scores are 0 or 1, and p (Holm) is adjusted for all "
    "tests of the table. smallest detectable is the difference that n such questions show with a "
    "probability of 80 % in a single test at .05, before Holm's adjustment.",
    "not distinguishable does not say that two runs are equal.",
)


def _mean_rows(name: str, run: RecordedRun) -> list[list[str]]:
    rows = []
    for metric in metric_names(record["metrics"] for record in run.records):
        summary = summarise([record["metrics"].get(metric) for record in run.answered])
        rows.append([name, metric, *summary_cells(summary), str(run.failed)])
    return rows


def _single_notes(run: RecordedRun) -> list[str]:
    if not run.records:
        raise DatasetError(f"{run.folder} holds no finished question: nothing to export")
    return [] if run.finished else [f"{run.config}: unfinished, {run.progress}."]


def _difference_row(difference: Difference) -> list[str]:
    return [
        difference["a"],
        difference["b"],
        difference["metric"],
        verdict(difference),
        str(difference["n"]),
        str(difference["unscored"]),
        str(difference["failed"]),
        signed(difference["mean_difference"]),
        interval_text(difference["ci95"], signed),
        p_text(difference["p"]),
        p_text(difference["p_holm"]),
        number(difference["smallest_detectable"]),
    ]


def markdown(comparison: Comparison) -> str:
    """Return the tables and notes as GitHub's Markdown; no name or note is read as markup."""
    lines: list[str] = []
    for table in comparison.tables:
        lines += [f"## {table.title}", ""]
        lines.append(_markdown_row(table.headings))
        aligned = ["---"] * table.texts + ["---:"] * (len(table.headings) - table.texts)
        lines += [
            _markdown_row(aligned),
            *(_markdown_row(_cells(row, table.texts, markdown_text, str)) for row in table.rows),
        ]
        lines.append("")
    lines += [f"- {markdown_text(note)}" for note in comparison.notes]
    return "\n".join(lines).rstrip() + "\n"


def latex(comparison: Comparison) -> str:
    r"""Return a `tabular` of booktabs for each table, for `\input`; the notes are comments above it."""
    lines = [r"% Needs \usepackage{booktabs}.", *(f"% {_ascii(note)}" for note in comparison.notes)]
    for table in comparison.tables:
        columns = "l" * table.texts + "r" * (len(table.headings) - table.texts)
        lines += ["", f"% {table.title}", rf"\begin{{tabular}}{{{columns}}}", r"\toprule"]
        lines.append(_latex_row([latex_text(heading) for heading in table.headings]))
        for _, rows in groupby(table.rows, lambda row: row[: table.named]):  # noqa: B023
            lines.append(r"\midrule")
            lines += [
                _latex_row(_cells(row, table.texts, latex_text, latex_number)) for row in rows
            ]
        lines += [r"\bottomrule", r"\end{tabular}"]
    return "\n".join(lines) + "\n"


def markdown_text(text: str) -> str:
    """Return untrusted text as Markdown that shows it word for word."""
    # Spaces at the start of an item would make it code.
    line = " ".join(safe_line(text).split())
    escaped = _MARKDOWN.sub(lambda match: f"\\{match[0]}", line)
    # GitHub reads the text of the page, where a backslash is gone: a space of no width is not.
    return _REFERENCE.sub(lambda match: f"{match[0]}&#8203;", escaped)


def latex_text(text: str) -> str:
    """Return untrusted text as LaTeX that shows it; other characters than ASCII by their numbers."""
    escaped = "".join(_LATEX.get(char, char) for char in _ascii(text))
    # Two hyphens would become a dash.
    return re.sub("-(?=-)", "-{}", escaped)


def latex_number(text: str) -> str:
    """Return numbers as LaTeX, their signs in mathematical type."""
    return _SIGN.sub(r"$\1$", latex_text(text))


def _ascii(text: str) -> str:
    return _NOT_ASCII.sub(lambda match: f"<U+{ord(match[0]):04X}>", text)


def _cells(
    row: Sequence[str], texts: int, text: Callable[[str], str], numbers: Callable[[str], str]
) -> list[str]:
    return [*map(text, row[:texts]), *map(numbers, row[texts:])]


def _markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _latex_row(cells: Sequence[str]) -> str:
    return rf"{' & '.join(cells)} \\"

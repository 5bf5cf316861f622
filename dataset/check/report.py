"""The report of a check: as a table, and as plain data."""

import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from dataset.check import duplicates, overlap
from dataset.check.fields import MAX_CHARACTERS, MAX_TITLE, Shape
from dataset.check.findings import Example, Finding
from dataset.check.leaks import REASONS, Leak, Leaks

LIMITS: dict[str, float] = {
    "max_characters": MAX_CHARACTERS,
    "max_title_characters": MAX_TITLE,
    "near_duplicate_jaccard": duplicates.JACCARD,
    "near_duplicate_shingle_words": duplicates.SHINGLE,
    "leak_run_words": overlap.RUN,
    "leak_share": overlap.SHARE,
}


@dataclass(frozen=True)
class Report:
    """What a check found."""

    path: Path
    shape: Shape
    columns: tuple[str, ...]
    rows: int
    findings: list[Finding]
    corpus: Path | None
    leaks: Leaks | None
    """None where no corpus was given."""

    @property
    def problems(self) -> int:
        """The number of problems: rows with a finding, by kind and column, and leaked questions."""
        leaked = len(self.leaks.eval_ids) if self.leaks else 0
        return sum(finding.count for finding in self.findings if finding.problem) + leaked

    def to_data(self) -> dict[str, object]:
        """Return the report as plain data, for JSON."""
        return {
            "file": str(self.path),
            "taken_for": self.shape.name,
            "rows": self.rows,
            "columns": list(self.columns),
            "problems": self.problems,
            "findings": [asdict(finding) for finding in self.findings],
            "corpus": str(self.corpus) if self.corpus else None,
            "leaks": self.leaks.to_data() if self.leaks else None,
            "limits": LIMITS,
        }


def show(report: Report, examples: int, safe_text: Callable[[str], str]) -> None:
    """Print a report on stdout."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(width=None if sys.stdout.isatty() else 100)

    def line(text: str) -> None:
        console.print(safe_text(text), markup=False, highlight=False, soft_wrap=True)

    line(f"{report.path}: {_named(report.shape)} of {report.rows} rows")
    if report.findings:
        table = Table()
        for name in ("finding", "column", "rows", "for example"):
            table.add_column(name, justify="right" if name == "rows" else "left")
        for finding in report.findings:
            cells = _cells(finding)
            table.add_row(*(Text(safe_text(cell)) for cell in cells))
        console.print(table)
    for text in _explained(report):
        line(text)
    if report.leaks:
        for text in _leaked(report.leaks, str(report.corpus), examples):
            line(text)
    line(f"problems: {report.problems or 'none'}")


def _named(shape: Shape) -> str:
    return "a corpus" if shape.name == "corpus" else "an evaluation dataset"


def _cells(finding: Finding) -> tuple[str, str, str, str]:
    kind = finding.kind if finding.problem else f"({finding.kind})"
    shown = ", ".join(_example(example) for example in finding.examples)
    return kind, _short(finding.column), str(finding.count), shown


def _example(example: Example) -> str:
    shown = f"row {example.row}"
    if example.id and example.id != str(example.row):
        shown += f" ({_short(example.id)})"
    if example.like_row is not None:
        shown += f" like row {example.like_row}"
    if example.jaccard is not None:
        shown += f" ({example.jaccard:.2f})"
    return shown


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:57] + "..."


def _explained(report: Report) -> list[str]:
    """Return what the kinds that were found mean, where their names do not say it."""
    said = {
        "oversized": f"oversized: more than {MAX_CHARACTERS} characters, a title {MAX_TITLE}",
        "mojibake": "mojibake: it looks like UTF-8 that was once read as another encoding",
        "conflicting text": "conflicting text: rows of one question differ in its title or body",
        "decimal id": "decimal id: as spreadsheets write it; nothing with the whole id matches it",
        "near-duplicate": f"near-duplicate: a Jaccard similarity of {duplicates.JACCARD} or more "
        f"of runs of {duplicates.SHINGLE} words with another row of its group",
    }
    found = {finding.kind for finding in report.findings}
    lines = [text for kind, text in said.items() if kind in found]
    if not all(finding.problem for finding in report.findings):
        lines.append("in brackets: may well be right, and is not counted as a problem")
    return lines


def _leaked(leaks: Leaks, corpus: str, examples: int) -> list[str]:
    by_reason = ", ".join(f"same {reason} {leaks.counts()[reason]}" for reason in REASONS)
    lines = [
        f"leaks: {len(leaks.eval_ids)} of the dataset's questions stand in {corpus}, in "
        f"{len(leaks.question_ids)} of its questions: {by_reason}"
    ]
    return lines + [f"  {_leak(leak)}" for leak in leaks.found[:examples]]


def _leak(leak: Leak) -> str:
    share = f", {leak.share:.0%} of the shorter text" if leak.share else ""
    reasons = ", ".join(f"same {reason}" for reason in leak.reasons)
    return f"{_short(leak.eval_id)} stands in {_short(leak.question_id)}: {reasons}{share}"

"""The report of a check, as a table on a terminal and as plain data."""

from dataclasses import asdict, dataclass
from pathlib import Path

from dataset.check import duplicates
from dataset.check.fields import MAX_CHARACTERS, MAX_TITLE, Shape
from dataset.check.findings import Example, Finding
from dataset.leaks import overlap
from dataset.leaks.leak_search import REASONS, Leak, LeakReport
from graph.support.terminal import console, print_text, safe_text

LIMITS: dict[str, float] = {
    "max_characters": MAX_CHARACTERS,
    "max_title_characters": MAX_TITLE,
    "near_duplicate_jaccard": duplicates.JACCARD,
    "near_duplicate_shingle_words": duplicates.SHINGLE,
    "leak_run_words": overlap.RUN,
    "leak_share": overlap.SHARE,
}


@dataclass(frozen=True)
class CheckReport:
    """The findings of a check."""

    path: Path
    shape: Shape
    columns: tuple[str, ...]
    rows: int
    findings: list[Finding]
    corpus: Path | None
    leaks: LeakReport | None
    """None without a corpus."""

    @property
    def problems(self) -> int:
        """The number of problems: rows with a finding, by kind and column, and leaked questions."""
        leaked_questions = len(self.leaks.eval_ids) if self.leaks else 0
        return sum(finding.count for finding in self.findings if finding.problem) + leaked_questions

    def to_json(self) -> dict[str, object]:
        """Return the report as plain data."""
        return {
            "file": str(self.path),
            "taken_for": self.shape.name,
            "rows": self.rows,
            "columns": list(self.columns),
            "problems": self.problems,
            "findings": [asdict(finding) for finding in self.findings],
            "corpus": str(self.corpus) if self.corpus else None,
            "leaks": self.leaks.to_json() if self.leaks else None,
            "limits": LIMITS,
        }


def print_report(report: CheckReport, examples: int) -> None:
    """Print a report on stdout with at most `examples` leaks."""
    from rich.table import Table
    from rich.text import Text

    out = console()
    kind = "a corpus" if report.shape.name == "corpus" else "an evaluation dataset"
    print_text(out, f"{report.path}: {kind} of {report.rows} rows", wrap=False)
    if report.findings:
        table = Table()
        for name in ("finding", "column", "rows", "for example"):
            table.add_column(name, justify="right" if name == "rows" else "left")
        for finding in report.findings:
            table.add_row(*(Text(safe_text(cell)) for cell in _cells(finding)))
        out.print(table)
    lines = _explanations(report)
    if report.leaks:
        lines += _leak_lines(report.leaks, str(report.corpus), examples)
    for line in [*lines, f"problems: {report.problems or 'none'}"]:
        print_text(out, line, wrap=False)


def _cells(finding: Finding) -> tuple[str, str, str, str]:
    kind = finding.kind if finding.problem else f"({finding.kind})"
    examples = ", ".join(_format_example(example) for example in finding.examples)
    return kind, _shorten(finding.column), str(finding.count), examples


def _format_example(example: Example) -> str:
    text = f"row {example.row}"
    if example.id and example.id != str(example.row):
        text += f" ({_shorten(example.id)})"
    if example.like_row is not None:
        text += f" like row {example.like_row}"
    if example.jaccard is not None:
        text += f" ({example.jaccard:.2f})"
    return text


def _shorten(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:57] + "..."


def _explanations(report: CheckReport) -> list[str]:
    """Return a line for each kind of finding whose name does not explain it."""
    explanations = {
        "oversized": f"oversized: more than {MAX_CHARACTERS} characters, a title {MAX_TITLE}",
        "mojibake": "mojibake: looks like UTF-8 that was once read as another encoding",
        "conflicting text": "conflicting text: rows of one question differ in its title or body",
        "decimal id": "decimal id: a float, as spreadsheets and pandas write a whole number; read as "
        "that number, or refused where digits may be lost",
        "CR line end": "CR line end: a line ends with CRLF or CR, as on Windows; read as LF",
        "Markdown body": "Markdown body: the column should be HTML; build the file with --bodies",
        "HTML body": "HTML body: the column should be Markdown; name it question_body or answer_body",
        "character reference": "character reference: text such as &lt; outside code; kept as it is",
        "doubled backslash": "doubled backslash: all backslashes of the file come in pairs, as a CSV "
        "writer with an escape character doubles them",
        "list of ids": "list of ids: not separated by |; read as its ids",
        "unreadable id": "unreadable id: not one id for sure; an evaluation refuses the file",
        "id not in the corpus": "id not in the corpus: retrieval cannot find this relevant question",
        "near-duplicate": f"near-duplicate: a Jaccard similarity of {duplicates.JACCARD} or more "
        f"of runs of {duplicates.SHINGLE} words with another row of its group",
    }
    kinds = {finding.kind for finding in report.findings}
    lines = [text for kind, text in explanations.items() if kind in kinds]
    if not all(finding.problem for finding in report.findings):
        lines.append("in brackets: may well be right, and is not counted as a problem")
    return lines


def _leak_lines(report: LeakReport, corpus: str, examples: int) -> list[str]:
    counts = report.counts()
    by_reason = ", ".join(f"same {reason} {counts[reason]}" for reason in REASONS)
    lines = [
        f"leaks: {len(report.eval_ids)} of the dataset's questions are also in {corpus}, in "
        f"{len(report.question_ids)} of its questions: {by_reason}"
    ]
    return lines + [f"  {_format_leak(leak)}" for leak in report.leaks[:examples]]


def _format_leak(leak: Leak) -> str:
    share = f", {leak.share:.0%} of the shorter text" if leak.share else ""
    reasons = ", ".join(f"same {reason}" for reason in leak.reasons)
    return f"{_shorten(leak.eval_id)} is in {_shorten(leak.question_id)}: {reasons}{share}"

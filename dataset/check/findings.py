"""The findings of a check: their number, and a few rows as examples."""

from dataclasses import dataclass, field
from typing import Literal, get_args

Kind = Literal[
    "empty",
    "oversized",
    "NUL character",
    "control character",
    "lone surrogate",
    "replacement character",
    "mojibake",
    "CR line end",
    "Markdown body",
    "HTML body",
    "character reference",
    "doubled backslash",
    "decimal id",
    "list of ids",
    "unreadable id",
    "id not in the corpus",
    "id beyond 2^53",
    "duplicate id",
    "conflicting text",
    "exact duplicate",
    "near-duplicate",
]
"""The kinds of findings in the order of the report."""

MAX_SHARE = 0.02
"""The largest share of rows with a kind of `_BY_SHARE` that is no problem: a few posts are about
encodings or markup, but a file that was read or written wrongly has it throughout."""
_BY_SHARE = frozenset(["mojibake", "Markdown body", "HTML body", "character reference"])


@dataclass(frozen=True)
class Example:
    """A row with a finding, and the earlier row that it repeats."""

    row: int
    """From 1, without the header."""
    id: str
    like_row: int | None = None
    like_id: str | None = None
    jaccard: float | None = None


@dataclass
class Finding:
    """One kind of fault in one column."""

    kind: Kind
    column: str
    problem: bool
    """False for a hint, which may be right and does not change the exit code."""
    count: int = 0
    examples: list[Example] = field(default_factory=list)


class Findings:
    """Findings by kind and column, with the first `limit` examples of each."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._findings: dict[tuple[Kind, str], Finding] = {}

    def add(self, kind: Kind, column: str, example: Example, *, problem: bool = True) -> None:
        """Count one more row, or one more pair of rows."""
        finding = self._findings.setdefault((kind, column), Finding(kind, column, problem))
        finding.count += 1
        if len(finding.examples) < self._limit:
            finding.examples.append(example)

    def ordered(self, rows: int) -> list[Finding]:
        """Return the findings of a file of `rows`, problems first, then in the order of `Kind`."""
        for finding in self._findings.values():
            if finding.kind in _BY_SHARE:
                finding.problem = finding.count > MAX_SHARE * rows
        kinds = get_args(Kind)
        return sorted(self._findings.values(), key=lambda f: (not f.problem, kinds.index(f.kind)))

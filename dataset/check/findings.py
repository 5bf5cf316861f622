"""What a check found: how often, and a few places to look at."""

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
    "decimal id",
    "id beyond 2^53",
    "duplicate id",
    "conflicting text",
    "exact duplicate",
    "near-duplicate",
]
"""In the order in which they are reported."""

MAX_MOJIBAKE = 0.02
"""A few posts are about encodings; a file that was read in a wrong one has it throughout."""


@dataclass(frozen=True)
class Example:
    """A row that a finding is about, and the earlier row that it repeats."""

    row: int
    """From 1, the header not counted."""
    id: str
    like_row: int | None = None
    like_id: str | None = None
    jaccard: float | None = None


@dataclass
class Finding:
    """One kind of trouble in one column."""

    kind: Kind
    column: str
    problem: bool
    """False for what is worth knowing and may well be right: it does not change the exit code."""
    count: int = 0
    examples: list[Example] = field(default_factory=list)


class Findings:
    """Findings by kind and column, each with its first `limit` examples."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._found: dict[tuple[Kind, str], Finding] = {}

    def add(self, kind: Kind, column: str, example: Example, *, problem: bool = True) -> None:
        """Count one more row, or one more pair of rows."""
        finding = self._found.setdefault((kind, column), Finding(kind, column, problem))
        finding.count += 1
        if len(finding.examples) < self._limit:
            finding.examples.append(example)

    def ordered(self, rows: int) -> list[Finding]:
        """Return the findings of a file of `rows`, problems first, then in the order of `Kind`."""
        for finding in self._found.values():
            if finding.kind == "mojibake":
                finding.problem = finding.count > MAX_MOJIBAKE * rows
        kinds = get_args(Kind)
        return sorted(self._found.values(), key=lambda f: (not f.problem, kinds.index(f.kind)))

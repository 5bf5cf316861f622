"""The counts of a build: every input row is kept, or rejected for one reason."""

from collections import Counter
from collections.abc import Mapping


class RowCounts:
    """Kept rows by kind and rejected rows by reason."""

    def __init__(self) -> None:
        self.rows_in = 0
        self.kept_by_kind: Counter[str] = Counter()
        self.rejected_by_reason: Counter[str] = Counter()

    def reject(self, reason: str, count: int = 1) -> None:
        """Count rejected rows."""
        if count:
            self.rejected_by_reason[reason] += count

    def reject_all(self, counts: Mapping[str, int]) -> None:
        """Count rejected rows by reason."""
        for reason, count in counts.items():
            self.reject(reason, count)

    def reasons(self) -> str:
        """Return the reasons in one line, the most frequent first."""
        ordered = sorted(self.rejected_by_reason.items(), key=lambda item: (-item[1], item[0]))
        return ", ".join(f"{count} {reason}" for reason, count in ordered)

    def summary(self) -> str:
        """Return the lines that a build ends with.

        Raises:
            AssertionError: a row was lost or counted twice, which is a defect of the builder.
        """
        kept_total, rejected_total = self.kept_by_kind.total(), self.rejected_by_reason.total()
        if self.rows_in != kept_total + rejected_total:
            raise AssertionError(
                f"{self.rows_in} rows in, {kept_total} kept, {rejected_total} rejected"
            )
        lines = [f"rows in = kept + rejected: {self.rows_in} = {kept_total} + {rejected_total}"]
        if kept_total:
            kinds = (f"{count} {kind}" for kind, count in self.kept_by_kind.items())
            lines.append("kept: " + ", ".join(kinds))
        if rejected_total:
            lines.append("rejected: " + self.reasons())
        return "\n".join(lines) + "\n"

"""What became of the rows: every row read is kept or rejected for one reason."""

from collections import Counter
from collections.abc import Mapping


class Counts:
    """Rows kept, by kind, and rows rejected, by reason."""

    def __init__(self) -> None:
        self.rows_in = 0
        self.kept: Counter[str] = Counter()
        self.rejected: Counter[str] = Counter()

    def reject(self, reason: str, count: int = 1) -> None:
        """Count rows that are left out."""
        if count:
            self.rejected[reason] += count

    def add(self, reasons: Mapping[str, int]) -> None:
        """Count rows that are left out for several reasons."""
        for reason, count in reasons.items():
            self.reject(reason, count)

    def reasons(self) -> str:
        """Return the reasons in one line, the most frequent first."""
        ordered = sorted(self.rejected.items(), key=lambda item: (-item[1], item[0]))
        return ", ".join(f"{count} {reason}" for reason, count in ordered)

    def summary(self) -> str:
        """Return what is said at the end.

        Raises:
            AssertionError: a row was lost or counted twice, which is a defect of the builder.
        """
        kept, rejected = self.kept.total(), self.rejected.total()
        if self.rows_in != kept + rejected:
            raise AssertionError(f"{self.rows_in} rows in, {kept} kept, {rejected} rejected")
        lines = [f"rows in = kept + rejected: {self.rows_in} = {kept} + {rejected}"]
        if kept:
            lines.append("kept: " + ", ".join(f"{n} {kind}" for kind, n in self.kept.items()))
        if rejected:
            lines.append("rejected: " + self.reasons())
        return "\n".join(lines) + "\n"

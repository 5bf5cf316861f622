"""The layout of tables on the terminal: 100 columns wide, in blocks where a terminal is narrower."""

from collections.abc import Sequence
from itertools import zip_longest

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from graph.support.terminal import safe_text

_FOLDED_WIDTH = 16
"""Least width of a column whose cells may be broken."""
_ANY_WIDTH = 10_000

_Lines = list[Text]


class FittingTable(Table):
    """A table that prints a block of lines for each row where its columns do not fit.

    A table of rich shortens cells to fit, and two metrics with one beginning look the same then.
    """

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table, or a block for each row if a cell would be shortened."""
        columns = [[_lines(column.header), *map(_lines, column.cells)] for column in self.columns]
        if self._least_width(console, options, columns) <= options.max_width:
            yield from super().__rich_console__(console, options)
            return
        for row in range(1, self.row_count + 1):
            yield from _block(
                [column[0] for column in columns], [column[row] for column in columns]
            )

    def _least_width(
        self, console: Console, options: ConsoleOptions, columns: Sequence[Sequence[_Lines]]
    ) -> int:
        widest = [max(line.cell_len for lines in column for line in lines) for column in columns]
        whole = Measurement.get(console, options.update_width(_ANY_WIDTH), self).maximum
        least = [
            width if column.no_wrap else min(width, _FOLDED_WIDTH)
            for width, column in zip(widest, self.columns, strict=True)
        ]
        # The rest of the whole width is padding and borders.
        return whole - sum(widest) + sum(least)


def _block(headings: Sequence[_Lines], cells: Sequence[_Lines]) -> list[Text]:
    """Return the lines of a row: the first of its first cell, then all others after their headings."""
    lines = [cells[0][0]]
    headings, cells = [headings[0][1:], *headings[1:]], [cells[0][1:], *cells[1:]]
    for heading, cell in zip(headings, cells, strict=True):
        if len(cell) == 1 < len(heading):
            heading = [Text(" ").join(heading)]
        for name, value in zip_longest(heading, cell, fillvalue=Text()):
            if value:
                lines.append(Text.assemble("  ", name, ": " if name else "", value))
    return [*lines, Text()]


def _lines(cell: object) -> _Lines:
    text = cell if isinstance(cell, Text) else Text.from_markup(str(cell))
    return list(text.split("\n", allow_blank=True))


def new_table() -> Table:
    """Return an empty table with a line under its head and one space between its cells."""
    return FittingTable(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))


def add_number_columns(table: Table, *headings: str) -> None:
    """Add columns that are aligned at the right and never broken."""
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)


def untrusted(text: str) -> Text:
    """Return untrusted text as a cell: no markup, control characters visible."""
    return Text(safe_text(text))

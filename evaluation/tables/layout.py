"""The layout of tables on the terminal, which has 100 columns."""

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from graph.support.terminal import safe_text


def new_table() -> Table:
    """Return an empty table with a line under its head and one space between its cells."""
    return Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))


def add_number_columns(table: Table, *headings: str) -> None:
    """Add columns that are aligned at the right and never broken."""
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)


def untrusted(text: str) -> Text:
    """Return untrusted text as a cell: no markup, control characters visible."""
    return Text(safe_text(text))

"""The layout that all tables on the terminal share."""

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from graph.support.terminal import safe_text


def new_table() -> Table:
    """Return an empty table that fits 100 columns: a line under its head, one space between cells."""
    return Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))


def untrusted(text: str) -> Text:
    """Return untrusted text as a cell: no markup, control characters visible."""
    return Text(safe_text(text))

"""Tables of a Markdown text, and what to do with tables that Markdown cannot hold."""

from dataclasses import dataclass, field

from graph.markdown.blocks import Blocks


@dataclass(slots=True)
class _Table:
    rows: list[list[str]] = field(default_factory=list)
    heads: int = 0
    """How many cells of the first row are headers."""
    cell: list[str] | None = None
    """The texts of the open cell."""
    is_layout: bool = False
    """Whether it holds what no cell of a Markdown table can: its cells become blocks."""


class Tables:
    """Takes the texts between two breaks: they go to the open cell, else they are paragraphs."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks
        self._open: list[_Table] = []

    @property
    def cell(self) -> list[str] | None:
        """The open cell, None where text goes to a paragraph of its own."""
        return self._open[-1].cell if self._open and not self._open[-1].is_layout else None

    def add(self, text: str) -> None:
        """Add a text."""
        if (cell := self.cell) is not None:
            cell.append(text)
        else:
            self._blocks.add(text.split("\n"))

    def make_room(self) -> None:
        """Give up the table whose cell is open: a block comes that no cell can hold."""
        if (cell := self.cell) is not None:
            table = self._open[-1]
            table.is_layout = True
            self._write(table)
            for text in cell:
                self._blocks.add(text.split("\n"))

    def open_table(self) -> None:
        """Begin a table."""
        self._open.append(_Table())

    def open_row(self) -> None:
        """Begin a row."""
        if self._open:
            self._open[-1].rows.append([])

    def open_cell(self, *, is_header: bool) -> None:
        """Begin a cell."""
        if self._open:
            table = self._open[-1]
            table.cell = []
            if not table.rows:
                table.rows.append([])
            table.heads += is_header and len(table.rows) == 1

    def close_cell(self) -> None:
        """End a cell."""
        if (texts := self.cell) is not None:
            # Markdown reads this bar as text, in code too.
            text = " ".join(texts).replace("\n", " ").replace("|", "\\|")
            self._open[-1].rows[-1].append(text)
        if self._open:
            self._open[-1].cell = None

    def close_table(self) -> None:
        """End a table."""
        if self._open:
            self.close_cell()
            self._write(self._open.pop())

    def close(self) -> None:
        """End all tables."""
        while self._open:
            self.close_table()

    def _write(self, table: _Table) -> None:
        """Write the rows read so far; a single column is no table."""
        rows = [row for row in table.rows if any(row)]
        has_header = bool(rows) and rows[0] is table.rows[0] and table.heads == len(rows[0])
        table.rows = [[]]
        width = max(map(len, rows), default=0)
        if width < 2:
            for row in rows:
                self._blocks.add([row[0]])
            return
        # Without a header of its own a table gets an empty one: Markdown wants one.
        head = rows.pop(0) if has_header else []
        head += [""] * (width - len(head))
        cells = [head, ["---"] * width, *rows]
        self._blocks.add(["| " + " | ".join(row) + " |" for row in cells])

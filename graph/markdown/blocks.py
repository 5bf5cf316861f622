"""The blocks of a Markdown text: paragraphs, fenced code, lists, quotes and tables."""

import re
from dataclasses import dataclass, field

# A deeper nesting is a mistake or an attack; each level indents every line in it.
_MAX_DEPTH = 12
_BACKTICKS = re.compile(r"`+")


@dataclass(slots=True)
class _Container:
    """A list item or a quote: the marks at the start of its lines."""

    first_mark: str
    mark: str
    """The mark of all lines but the first."""
    is_tight: bool
    """Whether no blank line comes before it."""
    has_content: bool = False


@dataclass(slots=True)
class _List:
    number: int | None
    """The number of the next item, None in a list with bullets."""
    has_items: bool = False


class Blocks:
    """Lines of Markdown, to which blocks are added with the marks of their lists and quotes."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._containers: list[_Container] = []
        self._lists: list[_List] = []
        self._too_deep = 0

    def add(self, lines: list[str]) -> None:
        """Add a block after a blank line."""
        marks = "".join([container.mark for container in self._containers])
        new = [container for container in self._containers if not container.has_content]
        if self.lines and not (new and new[0].is_tight):
            shared = [container.mark for container in self._containers if container.has_content]
            self.lines.append("".join(shared).rstrip())
        first_marks = marks
        if new:
            first_marks = "".join(
                [
                    container.mark if container.has_content else container.first_mark
                    for container in self._containers
                ]
            )
            for container in new:
                container.has_content = True
            if not lines[0].strip("- "):  # with the mark of a list item it would be a rule
                first_marks += "\\"
        self.lines.append(first_marks + lines[0])
        if not marks:
            self.lines += lines[1:]
        else:
            bare = marks.rstrip()
            self.lines += [marks + line if line else bare for line in lines[1:]]

    def add_code(self, code: str, language: str) -> None:
        """Add code between fences that are longer than any run of backticks in it."""
        longest = max(map(len, _BACKTICKS.findall(code)), default=0)
        fence = "`" * max(3, longest + 1)
        self.add([fence + language, *code.removesuffix("\n").split("\n"), fence])

    def open_quote(self) -> None:
        """Begin a quote."""
        self._open(_Container("> ", "> ", is_tight=False))

    def close_quote(self) -> None:
        """End a quote."""
        self._close()

    def open_list(self, number: int | None) -> None:
        """Begin a list with bullets, or one that counts from `number`."""
        self._lists.append(_List(number))

    def close_list(self) -> None:
        """End a list."""
        if self._lists:
            self._lists.pop()

    def open_item(self) -> None:
        """Begin a list item."""
        own_list = self._lists[-1] if self._lists else _List(None)
        mark = "- " if own_list.number is None else f"{own_list.number}. "
        # Markdown needs a blank line before a list, except below the text of an item.
        below_text = bool(self._containers) and self._containers[-1].mark.isspace()
        is_tight = own_list.has_items or (below_text and own_list.number in {None, 1})
        self._open(_Container(mark, " " * len(mark), is_tight))

    def close_item(self) -> None:
        """End a list item; one without content leaves no trace."""
        item = self._close()
        if self._lists and item is not None and item.has_content:
            own_list = self._lists[-1]
            own_list.has_items = True
            own_list.number = None if own_list.number is None else own_list.number + 1

    def _open(self, container: _Container) -> None:
        if len(self._containers) < _MAX_DEPTH:
            self._containers.append(container)
        else:
            self._too_deep += 1

    def _close(self) -> _Container | None:
        if self._too_deep:
            self._too_deep -= 1
            return None
        return self._containers.pop() if self._containers else None


@dataclass(slots=True)
class _Table:
    rows: list[list[str]] = field(default_factory=list)
    header_cells: int = 0
    """The number of header cells in the first row."""
    cell: list[str] | None = None
    """The texts of the open cell."""
    is_layout: bool = False
    """Whether it holds a block that no cell of a Markdown table can: its cells become blocks."""


class Tables:
    """The open tables: a text goes to the open cell, or else becomes a paragraph."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks
        self._open: list[_Table] = []

    @property
    def cell(self) -> list[str] | None:
        """The open cell, None where text becomes a paragraph."""
        return self._open[-1].cell if self._open and not self._open[-1].is_layout else None

    def add(self, text: str) -> None:
        """Add a text."""
        if (cell := self.cell) is not None:
            cell.append(text)
        else:
            self._blocks.add(text.split("\n"))

    def turn_into_layout(self) -> None:
        """Turn the table of the open cell into blocks, since a block comes that no cell can hold."""
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
            table.header_cells += is_header and len(table.rows) == 1

    def close_cell(self) -> None:
        """End a cell."""
        if (texts := self.cell) is not None:
            # Markdown reads an escaped bar as text, in code too.
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
        """Write the rows read so far; the rows of a single column become paragraphs."""
        rows = [row for row in table.rows if any(row)]
        has_header = bool(rows) and rows[0] is table.rows[0] and table.header_cells == len(rows[0])
        table.rows = [[]]
        width = max(map(len, rows), default=0)
        if width < 2:
            for row in rows:
                self._blocks.add([row[0]])
            return
        # Markdown requires a header, so that a table without one gets an empty one.
        header = rows.pop(0) if has_header else []
        header += [""] * (width - len(header))
        cells = [header, ["---"] * width, *rows]
        self._blocks.add(["| " + " | ".join(row) + " |" for row in cells])

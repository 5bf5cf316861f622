"""The blocks of a Markdown text: paragraphs, fenced code, lists and quotes."""

from dataclasses import dataclass

from graph.markdown.inlines import longest_run

# Deeper than this a post is a mistake or an attack; each level indents every line in it.
_DEEPEST = 12


@dataclass(slots=True)
class _Container:
    """A list item or a quote: what its first line and all others begin with."""

    first: str
    rest: str
    close_up: bool
    """Whether no blank line comes before it."""
    used: bool = False


@dataclass(slots=True)
class _List:
    number: int | None
    """The next item's, None in a list with bullets."""
    inside: int
    """How many containers the list stands in."""
    begun: bool = False


class Blocks:
    """Lines of Markdown as they grow, each with the marks of the lists and quotes it is in."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._containers: list[_Container] = []
        self._lists: list[_List] = []
        self._too_deep = 0

    def add(self, lines: list[str]) -> None:
        """Add a block after a blank line."""
        rest = "".join([container.rest for container in self._containers])
        new = [container for container in self._containers if not container.used]
        if self.lines and not (new and new[0].close_up):
            shared = [container.rest for container in self._containers if container.used]
            self.lines.append("".join(shared).rstrip())
        start = rest
        if new:
            start = "".join([each.rest if each.used else each.first for each in self._containers])
            for container in new:
                container.used = True
            if not lines[0].strip("- "):  # with the marks of the list it would be a rule
                start += "\\"
        self.lines.append(start + lines[0])
        if not rest:
            self.lines += lines[1:]
        else:
            bare = rest.rstrip()
            self.lines += [rest + line if line else bare for line in lines[1:]]

    def add_code(self, code: str, language: str) -> None:
        """Add code between fences of more backticks than it holds."""
        fence = "`" * max(3, longest_run(code) + 1)
        self.add([fence + language, *code.removesuffix("\n").split("\n"), fence])

    def open_quote(self) -> None:
        """Begin a quote."""
        self._open(_Container("> ", "> ", close_up=False))

    def close_quote(self) -> None:
        """End a quote."""
        self._close()

    def open_list(self, number: int | None) -> None:
        """Begin a list with bullets, or one that counts from `number`."""
        self._lists.append(_List(number, len(self._containers)))

    def close_list(self) -> None:
        """End a list."""
        if self._lists:
            self._lists.pop()

    def open_item(self) -> None:
        """Begin a list item."""
        inside = len(self._containers)
        own = self._lists[-1] if self._lists else _List(None, 0)
        mark = "- " if own.number is None else f"{own.number}. "
        # Markdown wants a blank line before a list, but not below the text of an item.
        nested = bool(inside) and self._containers[-1].rest.isspace() and own.number in {None, 1}
        self._open(_Container(mark, " " * len(mark), close_up=own.begun or nested))

    def close_item(self) -> None:
        """End a list item; one without content has left no trace."""
        item = self._close()
        if self._lists and item is not None and item.used:
            own = self._lists[-1]
            own.begun = True
            own.number = None if own.number is None else own.number + 1

    def _open(self, container: _Container) -> None:
        if len(self._containers) < _DEEPEST:
            self._containers.append(container)
        else:
            self._too_deep += 1

    def _close(self) -> _Container | None:
        if self._too_deep:
            self._too_deep -= 1
            return None
        return self._containers.pop() if self._containers else None

"""The reader of a post: the target of an HTML parser, which writes Markdown."""

from collections.abc import Callable

from graph.markdown.blocks import Blocks, Tables
from graph.markdown.elements import (
    CODE,
    DROPPED,
    EMPHASIS,
    HEADINGS,
    PARAGRAPHS,
    Attributes,
    is_hidden,
    language,
    link_target,
    list_start,
)
from graph.markdown.inlines import Inlines

# The parser takes time linear in the open elements to close one. Real posts have far fewer.
_MAX_DEPTH = 250


class TooDeepError(Exception):
    """Error for HTML with more open elements than the parser can close in a reasonable time."""


class Reader:
    """Markdown of the elements read so far; elements may stay open or be closed twice."""

    def __init__(self) -> None:
        self.depth = 0
        """The number of open elements."""
        self._blocks = Blocks()
        self._inlines = Inlines()
        self._tables = Tables(self._blocks)
        self._heading = 0
        self._dropped = 0
        # The text of the open <pre>, and below that of the open <code> in a sentence.
        self._pre: list[str] = []
        self._pre_depth = 0
        self._language: str | None = None
        self._code: list[str] = []
        self._code_depth = 0

    def start(self, tag: str, attributes: Attributes) -> None:
        """Begin an element.

        Raises:
            TooDeepError: it is in 250 others.
        """
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise TooDeepError
        if self._pre_depth or tag == "pre":
            self._start_in_pre(tag, attributes)
        elif tag in DROPPED:
            self._dropped += 1
        elif not self._dropped and (handler := _STARTS.get(tag)):
            handler(self, tag, attributes)

    def end(self, tag: str) -> None:
        """End an element."""
        self.depth -= 1
        if self._pre_depth:
            if tag == "pre":
                self._end_pre()
        elif tag in DROPPED:
            self._dropped = max(0, self._dropped - 1)
        elif not self._dropped and (handler := _ENDS.get(tag)):
            handler(self, tag)

    def data(self, text: str) -> None:
        """Add text, a piece of any size."""
        if self._pre_depth:
            self._pre.append(text)
        elif self._dropped:
            return
        elif self._code_depth:
            self._code.append(text)
        else:
            self._inlines.text(text)

    def close(self) -> str:
        """End all elements and return the Markdown."""
        if self._pre_depth:
            self._pre_depth = 1
            self._end_pre()
        self._break()
        self._tables.close()
        return "\n".join(self._blocks.lines)

    def _break(self, tag: str = "", attributes: Attributes | None = None) -> None:
        """End the paragraph. The arguments let it serve as a handler of elements."""
        if self._code:
            self._add_code()
        text = self._inlines.take()
        if not text:
            return
        if self._heading and self._tables.cell is None:
            text = "#" * self._heading + " " + text.replace("\n", " ")
            self._heading = 0  # only the first paragraph of an unclosed heading is one
        self._tables.add(text)

    def _break_for_block(self) -> None:
        self._break()
        self._tables.turn_into_layout()

    def _start_in_pre(self, tag: str, attributes: Attributes) -> None:
        if tag == "pre":
            self._pre_depth += 1
            if self._pre_depth == 1:
                self._break_for_block()
                self._language = language(attributes)
        elif tag == "br":
            self._pre.append("\n")
        elif tag == "code" and self._language is None:
            self._language = language(attributes)

    def _end_pre(self) -> None:
        self._pre_depth -= 1
        if self._pre_depth == 0:
            self._blocks.add_code("".join(self._pre), self._language or "")
            self._pre = []

    def _start_code(self, tag: str, attributes: Attributes) -> None:
        self._code_depth += 1

    def _end_code(self, tag: str) -> None:
        self._code_depth = max(0, self._code_depth - 1)
        if self._code_depth == 0:
            self._add_code()

    def _add_code(self) -> None:
        code = "".join(self._code)
        self._code = []
        lines = code.strip("\n")
        if (
            lines.count("\n") > 1 and self._tables.cell is None
        ):  # one line break may be a wrapped line
            self._break_for_block()
            self._blocks.add_code(lines, "")
        else:
            self._inlines.code(code)

    def _start_emphasis(self, tag: str, attributes: Attributes) -> None:
        self._inlines.open(EMPHASIS[tag])

    def _end_emphasis(self, tag: str) -> None:
        self._inlines.close(EMPHASIS[tag])

    def _start_link(self, tag: str, attributes: Attributes) -> None:
        if self._code:
            self._add_code()
        if target := link_target(attributes.get("href", "")):
            self._inlines.open("a", target)

    def _end_link(self, tag: str) -> None:
        if self._code:
            self._add_code()
        self._inlines.close("a")

    def _image(self, tag: str, attributes: Attributes) -> None:
        if not self._code_depth and not is_hidden(attributes):
            description = " ".join(attributes.get("alt", "").split()) or "no description"
            self._inlines.text(f"[image: {description}]")

    def _line_break(self, tag: str, attributes: Attributes) -> None:
        if self._code_depth:
            self._code.append("\n")
        else:
            self._inlines.line_break()

    def _superscript(self, tag: str, attributes: Attributes) -> None:
        if not self._code_depth:
            self._inlines.superscript()

    def _start_heading(self, tag: str, attributes: Attributes) -> None:
        self._break()
        self._heading = int(tag[1])

    def _end_heading(self, tag: str) -> None:
        self._break()
        self._heading = 0

    def _start_block(self, tag: str, attributes: Attributes) -> None:
        self._break_for_block()
        match tag:
            case "hr":
                self._blocks.add(["---"])
            case "li":
                self._blocks.open_item()
            case "blockquote":
                self._blocks.open_quote()
            case "table":
                self._tables.open_table()
            case _:
                self._blocks.open_list(list_start(attributes) if tag == "ol" else None)

    def _end_block(self, tag: str) -> None:
        self._break()
        match tag:
            case "li":
                self._blocks.close_item()
            case "blockquote":
                self._blocks.close_quote()
            case "table":
                self._tables.close_table()
            case "td" | "th":
                self._tables.close_cell()
            case _:
                self._blocks.close_list()

    def _start_cell(self, tag: str, attributes: Attributes) -> None:
        self._break()
        if tag == "tr":
            self._tables.open_row()
        else:
            self._tables.open_cell(is_header=tag == "th")


_BLOCKS = ("ul", "ol", "menu", "dir", "li", "blockquote", "table")
_CELLS = ("td", "th")
_STARTS: dict[str, Callable[[Reader, str, Attributes], None]] = {
    **dict.fromkeys(PARAGRAPHS, Reader._break),
    **dict.fromkeys(EMPHASIS, Reader._start_emphasis),
    **dict.fromkeys(CODE, Reader._start_code),
    **dict.fromkeys(HEADINGS, Reader._start_heading),
    **dict.fromkeys((*_BLOCKS, "hr"), Reader._start_block),
    **dict.fromkeys((*_CELLS, "tr"), Reader._start_cell),
    "a": Reader._start_link,
    "img": Reader._image,
    "br": Reader._line_break,
    "sup": Reader._superscript,
}
_ENDS: dict[str, Callable[[Reader, str], None]] = {
    **dict.fromkeys(PARAGRAPHS, Reader._break),
    **dict.fromkeys(EMPHASIS, Reader._end_emphasis),
    **dict.fromkeys(CODE, Reader._end_code),
    **dict.fromkeys(HEADINGS, Reader._end_heading),
    **dict.fromkeys((*_BLOCKS, *_CELLS), Reader._end_block),
    "a": Reader._end_link,
}

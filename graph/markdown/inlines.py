"""The text inside one block of Markdown: emphasis, links, code and pictures in a sentence."""

import re
from itertools import groupby

MARKS = {"strong": "**", "em": "*", "del": "~~"}

_SPACES = re.compile(r"[ \t\n\f\r]{2,}|[\t\n\f\r]")
_PAIRED = re.compile(r"[^`\\]+(?:`[^`\\]+`[^`\\]+)*+")
_BACKTICKS = re.compile(r"`+")
# The start of a line after which a reader of Markdown takes the next lines for code or HTML.
_BLOCK_START = re.compile(
    r"^((?:[^\S\n]|>|[-+*][^\S\n]|\d{1,9}[.)][^\S\n])*)"
    r"(?=`{3,}[^`\n]*$|~~~|<(?:script|pre|style|textarea)(?:[\s>]|$)|<[!?])",
    re.MULTILINE | re.IGNORECASE,
)
# Positions in a text that spells a link, its definition or a picture; links to the web, to a part of
# the page and to a plain name are allowed.
_SPELT_LINK = re.compile(
    r"(?<=\])(?=\((?!\s*<?(?:https?://|mailto:|[/#]|[^:&\\()\n]*\))))"
    r"|^[^\S\n]*(?=\[(?:[^\]\\\n]|\\.)*\]:\s*<?(?!https?://|mailto:|[/#])\S*[:&\\])"
    r"|(?<=<)(?=(?:javascript|vbscript|data|file):)"
    r"|(?<=!)(?=\[)",
    re.IGNORECASE | re.MULTILINE,
)


class Verbatim(str):
    """A piece of Markdown, among pieces of text."""

    __slots__ = ()


def code_span(code: str) -> str:
    """Return code of one line as a code span with exactly its characters."""
    if "\n" in code or "\r" in code:  # HTML shows a line break as a space
        lines = code.replace("\r", "\n").split("\n")
        code = " ".join(line for line in map(str.strip, lines) if line)
    if not code:
        return ""
    # A run of backticks of the same length in the code would close the span.
    lengths = set(map(len, _BACKTICKS.findall(code)))
    fence = "`" * next(n for n in range(1, len(lengths) + 2) if n not in lengths)
    # Markdown removes one space from each end if both ends have one.
    both = code[0] == code[-1] == " " and not code.isspace()
    pad = " " if both or code[0] == "`" or code[-1] == "`" else ""
    return f"{fence}{pad}{code}{pad}{fence}"


def _fold(space: re.Match[str]) -> str:
    # HTML and Markdown both show a line end as a space, so the writer's line ends can stay.
    return "\n" if "\n" in space[0] else " "


class Inlines:
    """The pieces of a block; white space is collapsed as in HTML."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        # Kind, link target, and the position of the empty piece for the opening mark.
        self._open: list[tuple[str, str, int]] = []
        self._depth: dict[str, int] = {}
        self._spaced = True

    def text(self, text: str) -> None:
        """Add text."""
        text = _SPACES.sub(_fold, text)
        if self._spaced and text[:1] in {" ", "\n"}:
            text = text[1:]
        if text:
            self._pieces.append(text)
            self._spaced = text[-1] in {" ", "\n"}

    def code(self, code: str) -> None:
        """Add code of one line."""
        if span := code_span(code):
            # Two adjacent spans would read as one.
            if self._pieces and self._pieces[-1].endswith("`"):
                self._pieces.append(" ")
            self._pieces.append(Verbatim(span))
            self._spaced = False

    def line_break(self) -> None:
        """End the line."""
        if self._pieces and type(self._pieces[-1]) is not Verbatim:
            self._pieces[-1] = self._pieces[-1].rstrip(" \n")
        self._pieces.append(Verbatim("\n"))
        self._spaced = True

    def superscript(self) -> None:
        """Begin a superscript: 2<sup>32</sup> must not become 232."""
        if self._pieces and (self._pieces[-1][-1:].isalnum() or self._pieces[-1][-1:] == ")"):
            self._pieces.append("^")

    def open(self, kind: str, target: str = "") -> None:
        """Begin emphasis (see `MARKS`) or, with a target, a link; one within its own kind is ignored."""
        self._depth[kind] = self._depth.get(kind, 0) + 1
        if self._depth[kind] > 1:
            return
        self._open.append((kind, target, len(self._pieces)))
        self._pieces.append("")

    def close(self, kind: str) -> None:
        """End the outermost emphasis or link of a kind, and all that began within it."""
        self._depth[kind] = max(0, self._depth.get(kind, 0) - 1)
        if self._depth[kind] == 0:
            while any(name == kind for name, _, _ in self._open):
                self._wrap(*self._open.pop())

    def take(self) -> str:
        """Return the text of the block and begin the next one; open emphasis continues in it."""
        opened = self._open
        if len(self._pieces) == len(opened):
            return ""
        for frame in reversed(opened):
            self._wrap(*frame)
        text = _joined(self._pieces)
        self._pieces = [""] * len(opened)
        self._open = [(kind, target, start) for start, (kind, target, _) in enumerate(opened)]
        self._spaced = True
        return text

    def _wrap(self, kind: str, target: str, start: int) -> None:
        inner = self._pieces[start + 1 :]
        del self._pieces[start:]
        before, after = _trim(inner)
        if inner:
            self._pieces += [before, *_marked(inner, kind, target), after]
        else:
            self._pieces += [before + after]


def _trim(pieces: list[str]) -> tuple[str, str]:
    """Remove the white space at both ends and return it: a mark must touch its text."""
    before = after = ""
    first = 0
    while first < len(pieces) and not pieces[first].strip(" \n"):
        first += 1
    before = "".join(pieces[:first])
    del pieces[:first]
    while pieces and not pieces[-1].strip(" \n"):
        after = pieces.pop() + after
    if pieces and pieces[0][0] in {" ", "\n"}:
        before, pieces[0] = pieces[0][0], pieces[0][1:]
    if pieces and pieces[-1][-1] in {" ", "\n"}:
        after, pieces[-1] = pieces[-1][-1], pieces[-1][:-1]
    return before, after


def _marked(pieces: list[str], kind: str, target: str) -> list[str]:
    if not target:
        return [MARKS[kind], *pieces, MARKS[kind]]
    if "".join(pieces) == target and ":" in target:
        return [Verbatim(f"<{target}>")]
    linked = [" " if piece == "\n" else piece for piece in pieces]
    return [Verbatim("["), *linked, Verbatim(f"]({target})")]


def _joined(pieces: list[str]) -> str:
    """Join the pieces; escape text that would begin a block of code or spell a link."""
    text = "".join(pieces)
    spans = "`" in text and any(type(piece) is Verbatim and piece[0] == "`" for piece in pieces)
    if spans or "\\" in text or _SPELT_LINK.search(text):
        runs: list[str] = []
        for verbatim, group in groupby(pieces, lambda piece: type(piece) is Verbatim):
            run = "".join(group)
            if verbatim and runs:
                runs[-1] = _before(runs[-1], run)
            runs.append(run if verbatim else _plain(run, spans))
        text = "".join(runs)
    return _BLOCK_START.sub(r"\1\\", text.strip())


def _before(text: str, verbatim: str) -> str:
    """Return text that comes before a code span or a link, escaped so that it does not change it."""
    if (len(text) - len(text.rstrip("\\"))) % 2:
        return text + "\\"
    if verbatim[0] == "[" and text.endswith("!"):
        return text[:-1] + "&#33;"  # a link after an exclamation mark is a picture
    return text


def _plain(text: str, spans: bool) -> str:
    # A stray backtick would pair with one of a code span.
    if spans and "`" in text and not _PAIRED.fullmatch(text):
        text = text.replace("\\", "\\\\").replace("`", "\\`")
    return _SPELT_LINK.sub(r"\g<0>\\", text)

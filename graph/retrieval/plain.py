"""Plain text of Markdown for a sentence encoder: prose first, then code."""

import re

_MARKS = r"(?:[ >]|[-*+] |\d{1,9}[.)] )*"
_FENCE = re.compile(rf"{_MARKS}(`{{3,}}|~{{3,}})[^`]*")
_LIST_ITEM = re.compile(r" {0,3}(?:[-*+]|\d{1,9}[.)]) ")
_INDENT = ("    ", "\t")
_LINE_START = re.compile(rf"{_MARKS}#*")
_LINK = re.compile(r"\[([^\[\]]*)\]\([^()\s]*\)")
_EMPHASIS = re.compile(r"\*\*([^*]+)\*\*")


def plain_text(markdown: str) -> str:
    """Return the prose without marks and link targets, followed by the code of all fences.

    An encoder truncates a long text at its end, and the prose of a post about its code tells more
    about the post than the code. Takes time linear in the length.
    """
    prose, code = prose_and_code(markdown)
    lines = (*(_prose(line) for line in prose), *code)
    return "\n".join(line for line in lines if line.strip())


def prose_and_code(markdown: str) -> tuple[list[str], list[str]]:
    """Return the lines of prose, as they are, and the lines of code: inside fences, or indented.

    Lines indented by four spaces are code after an empty line, except below an item of a list.
    """
    prose: list[str] = []
    code: list[str] = []
    fence = ""
    in_list, may_indent = False, True
    for line in markdown.split("\n"):
        if fence:
            bare = line.strip(" >")
            if len(bare) >= len(fence) and not bare.strip(fence[0]):
                fence = ""
            else:
                code.append(line)
        elif may_indent and line.startswith(_INDENT) and line.strip():
            code.append(line)
        elif opening := _FENCE.fullmatch(line):
            fence = opening[1]
        else:
            prose.append(line)
            if not line.startswith((" ", "\t")) and line:
                in_list = bool(_LIST_ITEM.match(line))
            may_indent = not in_list and not line.strip()
    return prose, code


def without_line_marks(line: str) -> str:
    """Return a line of prose without the marks of lists, quotes and headings at its start."""
    return _LINE_START.sub("", line, count=1)


def _prose(line: str) -> str:
    line = without_line_marks(line)
    return _EMPHASIS.sub(r"\1", _LINK.sub(r"\1", line)).replace("`", "").strip()

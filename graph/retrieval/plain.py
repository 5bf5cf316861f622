"""What a sentence encoder reads of a Markdown text: its words first, then its code."""

import re

_MARKS = r"(?:[ >]|[-*+] |\d{1,9}[.)] )*"
_FENCE = re.compile(rf"{_MARKS}(`{{3,}})[^`]*")
_LINE_START = re.compile(rf"{_MARKS}#*")
_LINK = re.compile(r"\[([^\[\]]*)\]\([^()\s]*\)")
_EMPHASIS = re.compile(r"\*\*([^*]+)\*\*")


def plain_text(markdown: str) -> str:
    """Return the prose without marks and link targets, and after it the code of all fences.

    An encoder cuts a long text off at its end: what a post says about its code tells more about it
    than the code does. Takes time in proportion to the length.
    """
    prose: list[str] = []
    code: list[str] = []
    fence = ""
    for line in markdown.split("\n"):
        if fence:
            bare = line.strip(" >")
            if len(bare) >= len(fence) and not bare.strip("`"):
                fence = ""
            else:
                code.append(line)
        elif opened := _FENCE.fullmatch(line):
            fence = opened[1]
        else:
            prose.append(_prose(line))
    return "\n".join(line for line in (*prose, *code) if line.strip())


def _prose(line: str) -> str:
    line = _LINE_START.sub("", line, count=1)
    return _EMPHASIS.sub(r"\1", _LINK.sub(r"\1", line)).replace("`", "").strip()

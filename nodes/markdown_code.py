"""The code in a Markdown text: its fenced blocks and its inline code."""

import re
from bisect import bisect_right

_CODE = re.compile(
    r"^ {0,3}(?P<fence>`{3,}|~{3,})(?s:.*?)^ {0,3}(?P=fence)[`~]*[ \t]*$|(?<!`)`[^`\n]+`(?!`)",
    re.MULTILINE,
)


class CodeSpans:
    """The positions of code in a text. A fence that is never closed encloses none."""

    def __init__(self, text: str) -> None:
        spans = [match.span() for match in _CODE.finditer(text)]
        self._starts = [start for start, _ in spans]
        self._ends = [end for _, end in spans]

    def __contains__(self, position: int) -> bool:
        index = bisect_right(self._starts, position) - 1
        return index >= 0 and position < self._ends[index]

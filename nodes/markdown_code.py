"""The code in a Markdown text: fenced blocks, indented lines and inline code."""

import re
from bisect import bisect_right

_FENCE = re.compile(r"[ \t]*(?:(?:[-*+>]|\d{1,3}[.)])[ \t]+)*(?P<fence>`{3,}(?=[^`]*$)|~{3,})")
_END = re.compile(r"[ \t]*(?P<fence>`{3,}|~{3,})[ \t]*(?=$|<|\[)")
"""The end of a fenced block; a model that does not stop writes a control token right after it."""
_INDENTED = re.compile(r"(?: {4}| {0,3}\t)[ \t]*\S")
_BACKTICKS = re.compile(r"`+")


class CodeSpans:
    """The positions of code in a text.

    A fence can stand at any indent and in a list. It ends at a line that is a fence of the same
    character and at least its length, or else at the end of the text. A line that is indented by
    four spaces or a tab is code. Inline code stands between two equal runs of backticks in a line.
    """

    def __init__(self, text: str) -> None:
        spans = _spans(text)
        self._starts = [start for start, _ in spans]
        self._ends = [end for _, end in spans]

    def __contains__(self, position: int) -> bool:
        index = bisect_right(self._starts, position) - 1
        return index >= 0 and position < self._ends[index]


def code_in(text: str) -> str:
    """Return the code of a text, its pieces on lines of their own."""
    return "\n".join(text[start:end] for start, end in _spans(text))


def _spans(text: str) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    fence, start = "", 0
    for line in text.split("\n"):
        end = start + len(line) + 1
        if fence:
            closing = _END.match(line)
            is_end = closing is not None and closing["fence"].startswith(fence)
            spans.append((start, start + closing.end() if closing and is_end else end))
            fence = "" if is_end else fence
        elif opening := _FENCE.match(line):
            fence = opening["fence"]
            spans.append((start, end))
        elif _INDENTED.match(line):
            spans.append((start, end))
        else:
            spans += [(start + first, start + last) for first, last in _inline_spans(line)]
        start = end
    return spans


def _inline_spans(line: str) -> list[tuple[int, int]]:
    """Return the spans of inline code in a line, in time linear in its length."""
    runs = [match.span() for match in _BACKTICKS.finditer(line)]
    ends: list[int] = []
    next_end: dict[int, int] = {}
    for start, end in reversed(runs):
        ends.append(next_end.get(end - start, 0))
        next_end[end - start] = end
    spans = []
    position = 0
    for (start, _), end in zip(runs, reversed(ends), strict=True):
        if start >= position and end:
            spans.append((start, end))
            position = end
    return spans

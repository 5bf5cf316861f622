"""The thinking of reasoning models, which is removed from a reply before anything reads the reply.

Such models write their thoughts into the reply, between marks of their own, and then the answer.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from nodes.markdown_code import CodeSpans

_TAG_NAMES = ("think", "thinking", "thought", "thoughts", "reasoning", "scratchpad", "seed:think")
_PAIRS = (
    *((rf"<\s*{name}\s*>", rf"<\s*/\s*{name}\s*>") for name in _TAG_NAMES),
    (r"\[THINK\]", r"\[/THINK\]"),  # Magistral
    (r"<\|begin_of_thought\|>", r"<\|end_of_thought\|>"),  # OpenThinker, Sky-T1
    (r"<\|START_THINKING\|>", r"<\|END_THINKING\|>"),  # Command A
    (r"◁think▷", r"◁/think▷"),  # Kimi
)
"""The opening and the closing mark of a thinking block, as regular expressions."""
_ANY = "|".join(f"(?P<o{i}>{start})|(?P<c{i}>{end})" for i, (start, end) in enumerate(_PAIRS))
_MARK = re.compile(rf"(?=[<\[◁])(?:{_ANY})", re.IGNORECASE)
_PREFILLED = re.compile(f"(?:{'|'.join(start for start, _ in _PAIRS)})\\s*\\Z", re.IGNORECASE)
_BEFORE_FENCE = re.compile(f"(?:{'|'.join(end for _, end in _PAIRS)})(?=```|~~~)", re.IGNORECASE)
_AROUND_ANSWER = re.compile(
    r"<\|(?:begin_of_solution|end_of_solution|START_RESPONSE|END_RESPONSE)\|>"
)
"""Marks around the answer, which OpenThinker, Sky-T1 and Command A write after their thoughts."""
_CHANNELS = re.compile(r"(?:<\|start\|>assistant)?<\|channel\|>")
_FINAL_CHANNEL = re.compile(r"<\|channel\|>final[^\n]*?<\|message\|>")
_CHANNEL_END = re.compile(r"<\|(?:end|return|call|start)\|>")
_DECODED_CHANNELS = re.compile(r"analysis(?s:.*)assistantfinal")
"""The channels of gpt-oss where its special tokens were left out."""


class _Mark(NamedTuple):
    pair: int
    opens: bool
    start: int
    end: int
    in_code: bool


def without_thinking(text: str, prompt: str = "") -> str:
    """Return a reply without its thinking blocks.

    - An opening mark counts at the start of a line. Its block ends at the next closing mark, or at
      the end of the reply: a reply that is one unfinished thought has an empty answer.
    - A closing mark without an opening one ends a thought that began with the reply.
    - Marks in code, and marks that a sentence mentions, belong to the answer.

    Args:
        text: The reply.
        prompt: The prompt as the model read it; the chat formats of some models end with an opening
            mark.
    """
    if prefilled := _PREFILLED.search(prompt[-40:]):
        text = prefilled[0] + text
    text = _final_channel(text)
    marks = _marks(text)
    if not marks:
        return text
    return _AROUND_ANSWER.sub("", _outside_blocks(text, marks))


def _outside_blocks(text: str, marks: Sequence[_Mark]) -> str:
    """Return the parts of a text that are in no thinking block."""
    parts: list[str] = []
    position = mentions = blocks = 0
    for mark, block_end in zip(marks, _block_ends(text, marks), strict=True):
        if mark.in_code or mark.start < position:
            continue
        if mark.opens and _starts_line(text, mark, position):
            parts.append(text[position : mark.start])
            position, blocks = block_end, blocks + 1
        elif mark.opens:
            mentions += 1
        elif mentions and not _is_line(text, mark):
            mentions -= 1
        elif not _is_mention(text, mark):
            # After a block, a closing mark that nothing follows is only a slip of the model.
            is_slip = blocks and not text[mark.end :].strip()
            parts = [*parts, text[position : mark.start]] if is_slip else []
            position = mark.end
    return "".join([*parts, text[position:]])


def _marks(text: str) -> list[_Mark]:
    # A fence is code also where it follows a closing mark in its line.
    code = CodeSpans(_BEFORE_FENCE.sub(lambda match: f"{match[0][:-1]}\n", text))
    marks = []
    for match in _MARK.finditer(text):
        group = str(match.lastgroup)
        in_code = match.start() in code
        marks.append(_Mark(int(group[1:]), group[0] == "o", *match.span(), in_code))
    return marks


def _block_ends(text: str, marks: Sequence[_Mark]) -> list[int]:
    """Return for each mark the end of the block that it would open."""
    outside_code: dict[int, int] = {}
    anywhere: dict[int, int] = {}
    ends = []
    for mark in reversed(marks):
        # A thought that leaves a code fence open has its closing mark in what looks like code.
        nearest = anywhere.get(mark.pair, len(text))
        ends.append(outside_code.get(mark.pair, nearest))
        if not mark.opens:
            anywhere[mark.pair] = mark.end
        if not mark.opens and not mark.in_code:
            outside_code[mark.pair] = mark.end
    return ends[::-1]


def _starts_line(text: str, mark: _Mark, start: int = 0) -> bool:
    """Tell whether at most three spaces are before a mark in its line: more would be code.

    The line begins at `start` or after it.
    """
    indent = text[max(start, text.rfind("\n", 0, mark.start) + 1) : mark.start]
    return len(indent) <= 3 and not indent.strip(" ")


def _is_line(text: str, mark: _Mark) -> bool:
    """Tell whether a mark is a whole line."""
    return _starts_line(text, mark) and not text[mark.end :].partition("\n")[0].strip()


def _is_mention(text: str, mark: _Mark) -> bool:
    """Tell whether the sentence around a mark goes on after it: "the closing </think> tag"."""
    before, after = text[: mark.start][-2:], text[mark.end :][:2]
    return before[-1:] == " " and before.strip() != "" and after[:1] == " " and after[1:].islower()


def _final_channel(text: str) -> str:
    """Return the message of the final channel of gpt-oss, or else the text.

    Empty if the model wrote channels and none of them is final.
    """
    reply = text.lstrip()
    if decoded := _DECODED_CHANNELS.match(reply):
        return reply[decoded.end() :]
    if not _CHANNELS.match(reply):
        return text
    messages = _FINAL_CHANNEL.split(reply)[1:]
    return _CHANNEL_END.split(messages[-1])[0] if messages else ""

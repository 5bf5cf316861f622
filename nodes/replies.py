"""Replies of models made fit to keep: no thinking, run-on turns, endless repetition or control characters.

The raw reply stays in the step's record. Nothing here raises, whatever the model wrote.
"""

import re

from nodes.thinking import without_thinking
from nodes.turns import own_turn, without_label

MAX_CHARS = 20_000
"""Longest text that is kept, in characters: a bound for any model or server."""

_MAX_RAW_CHARS = 20 * MAX_CHARS
"""Longest reply that is read: thoughts can be much longer than the answer after them."""
_MAX_PASSES = 5
"""A cut can move a label to the start of the text, so a reply is cleaned until nothing changes."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_INVISIBLE = re.compile(r"[\s\ufeff\u200b\u200e\u200f\u2060]*")
"""White space and characters without width, as a byte order mark."""
_MAX_REPEATS = 3
_MAX_PERIOD = 4


def clean(text: str, prompt: str = "") -> str:
    """Return the part of a reply that is an answer.

    Leaves out thinking blocks, the label of the model's turn and the turns after it (phi-2 goes on
    with the next question), drops control characters and lone surrogates, and keeps three rounds of
    a repetition at the end.

    Args:
        text: The reply.
        prompt: The prompt as the model read it: it can begin the thinking block (`nodes/thinking.py`).
    """
    text = text[:_MAX_RAW_CHARS].replace("\r\n", "\n").replace("\r", "\n")
    text = _stripped(_CONTROL.sub("", text))
    text = _stripped(without_thinking(without_label(text), prompt)[:MAX_CHARS])
    for _ in range(_MAX_PASSES):
        cleaned = _stripped(_without_loop(own_turn(without_thinking(text))))
        if cleaned == text:
            break
        text = cleaned
    return text


def _stripped(text: str) -> str:
    start = _INVISIBLE.match(text)
    return text[start.end() if start else 0 :].rstrip()


def _without_loop(text: str) -> str:
    """Shorten a repetition at the end of a text, first of sentences, then of lines."""
    sentences = re.split(r"(?<=[.!?])(?= )", text)
    text = "".join(_collapse(sentences, [sentence.strip() for sentence in sentences]))
    # Lines keep their indentation: the closing braces of nested code are no repetition.
    lines = text.split("\n")
    return "\n".join(_collapse(lines, [line.rstrip() for line in lines]))


def _collapse(units: list[str], keys: list[str]) -> list[str]:
    """Keep at most three rounds of a cycle of up to four units that ends the list.

    `keys` are the units as they are compared, one for each unit.
    """
    # A token limit often cuts the last unit of a loop: the second pass looks without it.
    for cut in (0, 1):
        end = len(units) - cut
        for period in range(1, _MAX_PERIOD + 1):
            cycle = keys[max(end - period, 0) : end]
            if len(cycle) < period or not any(map(_has_letters, cycle)):
                continue
            if cut and not cycle[0].startswith(keys[-1]):
                continue
            repeats = 1
            while keys[max(end - (repeats + 1) * period, 0) : end - repeats * period] == cycle:
                repeats += 1
            if repeats > _MAX_REPEATS:
                return units[: end - (repeats - _MAX_REPEATS) * period]
    return units


def _has_letters(text: str) -> bool:
    """Tell whether a text has a letter or digit: a row of bullets or fences is no repetition."""
    return any(character.isalnum() for character in text)

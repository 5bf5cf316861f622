"""Replies of models made fit to keep: no run-on turns, endless repetition or control characters.

The raw reply stays in the step's record. Nothing here raises, whatever the model wrote.
"""

import re

MAX_CHARS = 20_000
"""Longest text that is kept, in characters: a bound for any model or server."""

_TURNS = ("Instruct:", "Question:", "Exercise", "User:", "Assistant:", "Human:")
_RUN_ON = re.compile(r"\n[ \t]*(?:" + "|".join(re.escape(turn) for turn in _TURNS) + r")")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_MAX_REPEATS = 3
_MAX_PERIOD = 4


def clean(text: str) -> str:
    """Return the part of a reply that is an answer.

    Cuts at the first line that begins another speaker's turn (phi-2 goes on with the next question),
    drops control characters and lone surrogates, and keeps three rounds of a repetition at the end.
    """
    text = _CONTROL.sub("", text[:MAX_CHARS].replace("\r\n", "\n").replace("\r", "\n"))
    # The added newline lets a turn match in the first line too; it shifts all positions by one.
    for run_on in _RUN_ON.finditer("\n" + text):
        end = max(run_on.start() - 1, 0)
        # After an odd number of fences the line is code, not a turn.
        if text.count("```", 0, end) % 2 == 0:
            text = text[:end]
            break
    return _without_loop(text).strip()


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

"""From what a model wrote to what we keep: run-ons, endless repetition and control characters go.

The raw reply stays in the step's record; nothing here can raise, whatever the model wrote.
"""

import re

MAX_CHARS = 20_000
"""A reply longer than this is cut: the cap holds whatever the model or its server does."""

_TURNS = ("Instruct:", "Question:", "Exercise", "User:", "Assistant:", "Human:")
_RUN_ON = re.compile(r"\n[ \t]*(?:" + "|".join(re.escape(turn) for turn in _TURNS) + r")")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_MAX_REPEATS = 3


def clean(text: str) -> str:
    """Return the part of a reply that is an answer.

    Cuts at the first turn that the model wrote for somebody else (phi-2 goes on with the next
    question), drops control characters and lone surrogates, and keeps three of a line that
    repeats itself to the end.
    """
    text = _CONTROL.sub("", text[:MAX_CHARS].replace("\r\n", "\n").replace("\r", "\n"))
    for run_on in _RUN_ON.finditer("\n" + text):
        end = max(run_on.start() - 1, 0)
        if text.count("```", 0, end) % 2 == 0:  # within a code block it is a line of the code
            text = text[:end]
            break
    return _without_loop(text).strip()


def _without_loop(text: str) -> str:
    sentences = re.split(r"(?<=[.!?])(?= )", text)
    text = "".join(_collapse(sentences, [sentence.strip() for sentence in sentences]))
    # Lines keep their indentation: the closing braces of nested code are no repetition.
    lines = text.split("\n")
    return "\n".join(_collapse(lines, [line.rstrip() for line in lines]))


def _collapse(units: list[str], keys: list[str]) -> list[str]:
    """Keep at most three of a cycle of up to four units that fills the end of the list."""
    for cut in (0, 1):
        # A token limit cuts a loop in the middle of a unit: look again without the last one.
        end = len(units) - cut
        for period in range(1, 5):
            cycle = keys[max(end - period, 0) : end]
            if len(cycle) < period or not any(map(_says_something, cycle)):
                continue
            if cut and not cycle[0].startswith(keys[-1]):
                continue
            repeats = 1
            while keys[max(end - (repeats + 1) * period, 0) : end - repeats * period] == cycle:
                repeats += 1
            if repeats > _MAX_REPEATS:
                return units[: end - (repeats - _MAX_REPEATS) * period]
    return units


def _says_something(text: str) -> bool:
    return any(character.isalnum() for character in text)

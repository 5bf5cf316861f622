"""From what a model wrote to what we keep: run-ons, endless repetition and control characters go.

The raw reply stays in the step's record; nothing here can raise, whatever the model wrote.
"""

import re

MAX_CHARS = 20_000
"""A reply longer than this is cut: the cap holds whatever the model or its server does."""

_TURNS = ("Instruct:", "Output:", "Question:", "Exercise", "User:", "Assistant:", "Human:")
_RUN_ON = re.compile(r"\n\s*(?:" + "|".join(re.escape(turn) for turn in _TURNS) + r")")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_MAX_REPEATS = 3


def clean(text: str) -> str:
    """Return the part of a reply that is an answer.

    Cuts at the first turn that the model wrote for somebody else (phi-2 goes on with the next
    question), drops control characters and lone surrogates, and keeps three of a line that
    repeats itself to the end.
    """
    text = _CONTROL.sub("", text[:MAX_CHARS].replace("\r\n", "\n").replace("\r", "\n"))
    run_on = _RUN_ON.search("\n" + text)
    if run_on:
        text = text[: max(run_on.start() - 1, 0)]
    return _without_loop(text).strip()


def _without_loop(text: str) -> str:
    return "\n".join(_collapse(_collapse_sentences(text).split("\n")))


def _collapse_sentences(text: str) -> str:
    parts = re.split(r"(?<=[.!?])(?= )", text)
    return "".join(_collapse(parts))


def _collapse(units: list[str]) -> list[str]:
    """Keep at most three of a cycle of up to four units that fills the end of the list."""
    whole = _shorten(units)
    if len(whole) < len(units):
        return whole
    # A token limit cuts a loop in the middle of a unit: look again without the last one.
    started = _shorten(units[:-1])
    return started if len(started) < len(units) - 1 else units


def _shorten(units: list[str]) -> list[str]:
    stripped = [unit.strip() for unit in units]
    for period in range(1, 5):
        cycle = stripped[-period:]
        if len(cycle) < period or not any(cycle):
            continue
        repeats = 1
        while stripped[-(repeats + 1) * period : -repeats * period] == cycle:
            repeats += 1
        if repeats > _MAX_REPEATS:
            return units[: len(units) - (repeats - _MAX_REPEATS) * period]
    return units

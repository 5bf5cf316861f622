"""What differs between stored values and recomputed ones, a line each."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

TOLERANCE = 1e-9
"""Sums of the same numbers may differ in their last digits from machine to machine."""


def of_file(path: Path, made: str) -> Iterator[str]:
    """Yield what differs between a stored file and its text as it should be."""
    try:
        stored = path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        yield f"{path.name}: cannot be read; the run's own command writes it again"
        return
    if path.suffix == ".json":
        try:
            yield from of_values(path.name, json.loads(stored), json.loads(made))
        except (ValueError, RecursionError):
            yield f"{path.name}: is not JSON; the run's own command writes it again"
        return
    olds, news = stored.splitlines(), made.splitlines()
    for number in range(max(len(olds), len(news))):
        old, new = _at(olds, number), _at(news, number)
        if old != new:
            yield line(path.name, f"line {number + 1}", old, new)


def of_values(where: str, stored: object, made: object) -> Iterator[str]:
    """Yield what differs between two JSON values, with its path."""
    if isinstance(stored, dict) and isinstance(made, dict):
        for key in {**made, **stored}:
            old, new = stored.get(key, "nothing"), made.get(key, "nothing")
            yield from of_values(f"{where}: {key}", old, new)
    elif isinstance(stored, list) and isinstance(made, list) and len(stored) == len(made):
        for number, (old, new) in enumerate(zip(stored, made, strict=True)):
            yield from of_values(f"{where}: {number}", old, new)
    elif not near(stored, made):
        yield line(where, "", stored, made)


def _at(lines: Sequence[str], number: int) -> str:
    return lines[number] if number < len(lines) else "nothing"


def near(stored: object, made: object, tolerance: float = TOLERANCE) -> bool:
    """Whether two values are the same, numbers within a tolerance."""
    if isinstance(stored, int | float) and isinstance(made, int | float):
        return abs(stored - made) <= tolerance
    return stored == made


def line(where: str, what: str, stored: object, made: object) -> str:
    """Return the line that says what differs."""
    return f"{where}: {what}{': ' if what else ''}stored {stored}, recomputed {made}"

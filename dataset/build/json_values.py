"""Reading JSON value by value: one object, a list of them, or JSON lines, however large the file."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from json import JSONDecodeError
from pathlib import Path
from typing import IO

ENDINGS = (".json", ".jsonl", ".ndjson")
MAX_VALUE = 64 * 1024 * 1024
"""Characters of one value, for example of an issue with all its comments."""
_CHUNK = 1 << 20
_BLANK = " \t\r\n"
_LONGEST_TOKEN = 16
_decoder = json.JSONDecoder()


@dataclass(frozen=True)
class Damage:
    """A piece of a file that is no JSON value."""

    reason: str


def json_files(folder: Path) -> list[Path]:
    """Return the JSON files under a folder, in the order of their relative names."""
    found = (path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS)
    return sorted(
        (path for path in found if path.is_file()),
        key=lambda path: path.relative_to(folder).as_posix(),
    )


def read_values(path: Path, advance: Callable[[int], None]) -> Iterator[object]:
    """Yield what a file holds, value by value, with `Damage` for what cannot be read.

    Among values one after the other, reading goes on at the next line that starts with a brace; in a
    list, what follows the damage is lost.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            buffer = _Buffer(file)
            yield from _listed(buffer) if buffer.next_character() == "[" else _in_turn(buffer)
    except UnicodeDecodeError:
        yield Damage("file not UTF-8")
    finally:
        advance(path.stat().st_size)


def _listed(buffer: "_Buffer") -> Iterator[object]:
    buffer.skip(1)
    while first := buffer.next_character():
        if first == "]":
            return
        if first == ",":
            buffer.skip(1)
            continue
        value = buffer.value()
        yield value
        if isinstance(value, Damage):
            return
    yield Damage("damaged JSON")


def _in_turn(buffer: "_Buffer") -> Iterator[object]:
    if not buffer.next_character():
        yield Damage("empty file")
    while buffer.next_character():
        value = buffer.value()
        yield value
        if isinstance(value, Damage) and not buffer.skip_to_brace():
            return


class _Buffer:
    """The part of a text that is not read yet."""

    def __init__(self, file: IO[str]) -> None:
        self._file, self._text, self._at = file, "", 0

    def skip(self, count: int) -> None:
        self._at += count

    def next_character(self) -> str:
        """Return the next character that is not blank, without taking it; empty at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in _BLANK:
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more(_CHUNK):
                return ""

    def value(self) -> object:
        """Take a value, or return what is wrong with it."""
        size = _CHUNK
        while True:
            try:
                value, self._at = _decoder.raw_decode(self._text, self._at)
                return value
            except JSONDecodeError as error:
                if not (self._cut_short(error) and self._more(size)):
                    return Damage("damaged JSON")
                if len(self._text) > MAX_VALUE:
                    return Damage(f"value above {MAX_VALUE} characters")
                # Doubled, so that a large value is not parsed from its start at every chunk.
                size *= 2
            except (RecursionError, ValueError):
                return Damage("damaged JSON")

    def _cut_short(self, error: JSONDecodeError) -> bool:
        """Tell whether the rest of the file may mend it."""
        at_the_end = error.pos >= len(self._text) - _LONGEST_TOKEN
        return at_the_end or error.msg.startswith("Unterminated string")

    def skip_to_brace(self) -> bool:
        """Go to the next line that starts with a brace; tell whether there is one."""
        while (end := self._text.find("\n{", self._at)) < 0:
            self._at = max(self._at, len(self._text) - 1)
            if not self._more(_CHUNK):
                return False
        self._at = end + 1
        return True

    def _more(self, size: int) -> bool:
        chunk = self._file.read(size)
        self._text = self._text[self._at :] + chunk
        self._at = 0
        return bool(chunk)

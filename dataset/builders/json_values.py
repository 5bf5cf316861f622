"""The reader of large JSON files value by value: an object, a list of objects, or JSON lines."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from json import JSONDecodeError
from pathlib import Path
from typing import IO

ENDINGS = (".json", ".jsonl", ".ndjson")
MAX_VALUE = 64 * 1024 * 1024
"""The most characters of a value, such as an issue with all its comments."""
_CHUNK = 1 << 20
_BLANK = " \t\r\n"
_LONGEST_TOKEN = 16
_decoder = json.JSONDecoder()


@dataclass(frozen=True)
class Damage:
    """A part of a file that is not a JSON value."""

    reason: str


def json_files(folder: Path) -> list[Path]:
    """Return the JSON files under a folder, in the order of their relative names."""
    paths = (path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS)
    return sorted(
        (path for path in paths if path.is_file()),
        key=lambda path: path.relative_to(folder).as_posix(),
    )


def read_values(path: Path, advance: Callable[[int], None]) -> Iterator[object]:
    """Yield the values of a file, with `Damage` in place of unreadable ones.

    In JSON lines, reading goes on after the damage at the next line that starts with a brace. In a
    list, the values after the damage are lost.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            buffer = _Buffer(file)
            is_list = buffer.next_character() == "["
            yield from _list_values(buffer) if is_list else _line_values(buffer)
    except UnicodeDecodeError:
        yield Damage("file not UTF-8")
    finally:
        advance(path.stat().st_size)


def _list_values(buffer: "_Buffer") -> Iterator[object]:
    buffer.skip(1)
    while character := buffer.next_character():
        if character == "]":
            return
        if character == ",":
            buffer.skip(1)
            continue
        value = buffer.read_value()
        yield value
        if isinstance(value, Damage):
            return
    yield Damage("damaged JSON")


def _line_values(buffer: "_Buffer") -> Iterator[object]:
    if not buffer.next_character():
        yield Damage("empty file")
    while buffer.next_character():
        value = buffer.read_value()
        yield value
        if isinstance(value, Damage) and not buffer.skip_to_brace():
            return


class _Buffer:
    """The part of a file that is in memory, and the position up to which it is parsed."""

    def __init__(self, file: IO[str]) -> None:
        self._file, self._text, self._position = file, "", 0

    def skip(self, count: int) -> None:
        self._position += count

    def next_character(self) -> str:
        """Return the next character that is not blank; the empty text at the end of the file."""
        while True:
            while self._position < len(self._text) and self._text[self._position] in _BLANK:
                self._position += 1
            if self._position < len(self._text):
                return self._text[self._position]
            if not self._read_more(_CHUNK):
                return ""

    def read_value(self) -> object:
        """Return the next value, or `Damage`, and move behind it."""
        size = _CHUNK
        while True:
            try:
                value, self._position = _decoder.raw_decode(self._text, self._position)
                return value
            except JSONDecodeError as error:
                if not (self._is_cut_short(error) and self._read_more(size)):
                    return Damage("damaged JSON")
                if len(self._text) > MAX_VALUE:
                    return Damage(f"value above {MAX_VALUE} characters")
                # A larger value is parsed from its start again, so the chunks double to keep this rare.
                size *= 2
            except (RecursionError, ValueError):
                # Deep nesting, or an integer with more digits than Python converts.
                return Damage("damaged JSON")

    def _is_cut_short(self, error: JSONDecodeError) -> bool:
        """Tell whether the value may be whole with more of the file."""
        is_at_end = error.pos >= len(self._text) - _LONGEST_TOKEN
        return is_at_end or error.msg.startswith("Unterminated string")

    def skip_to_brace(self) -> bool:
        """Tell whether a later line starts with a brace, and go to it."""
        while (end := self._text.find("\n{", self._position)) < 0:
            self._position = max(self._position, len(self._text) - 1)
            if not self._read_more(_CHUNK):
                return False
        self._position = end + 1
        return True

    def _read_more(self, size: int) -> bool:
        chunk = self._file.read(size)
        self._text = self._text[self._position :] + chunk
        self._position = 0
        return bool(chunk)

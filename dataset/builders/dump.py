"""The reader of Posts.xml: row by row, in constant memory, from a file that may be hostile.

A file with a DOCTYPE is refused before the parser gets a byte, so no entity is expanded or fetched.
Characters that XML forbids (NUL, other control characters, bytes that do not decode, undeclared
entities, references to numbers that are no character) are replaced by a mark, so that only their row
is lost and not the dump. Two references to the halves of a surrogate pair become its character.
"""

import codecs
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

from dataset.builders.dump_files import open_dump
from dataset.builders.post_parsing import DAMAGED, POST_COLUMNS
from graph.support.errors import DatasetError
from graph.support.table_files import MAX_FIELD

if TYPE_CHECKING:
    from lxml.etree import XMLPullParser

_CHUNK = 1 << 18
_MAX_MARKUP = 4 * MAX_FIELD
"""The most characters from one `<` to the next; a longer run is usually an unclosed quote."""
_FORBIDDEN = re.compile("[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\ud800-\\udfff\\ufffe\\uffff]")
_HIGH = "0*5(?:5[2-9]|6[0-3])[0-9]{2}|x0*[dD][89abAB][0-9a-fA-F]{2}"
_LOW = "0*5[67][0-9]{3}|x0*[dD][c-fC-F][0-9a-fA-F]{2}"
# All but the references that XML surely allows; few of a dump's references match.
_DOUBTFUL_REFERENCE = re.compile(
    "&(?!lt;|gt;|amp;|quot;|apos;"
    "|#(?:9|10|13|3[2-9]|[4-9][0-9]|[1-9][0-9]{2,3}|[1-4][0-9]{4});"
    "|#x(?:[9aAdD]|[2-9a-fA-F][0-9a-fA-F]|[1-9a-fA-F][0-9a-fA-F]{2}|[1-9a-cA-C][0-9a-fA-F]{3});)"
    f"(?:#(x?[0-9a-fA-F]+);(?:&#({_LOW});)?)?"
)
_CUT_REFERENCE = re.compile(f"(?:&#(?:{_HIGH});)?(?:&[#0-9a-zA-Z]*)?\\Z")
_LONGEST_CUT = 64
"""Characters at a chunk's end in which a reference that the chunk cuts is looked for."""
_DECLARED_ENCODING = re.compile(rb"""^<\?xml[^>]*?\bencoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_ENCODINGS = {"utf-8", "utf-16", "iso8859-1", "cp1252"}


def _mark_damage(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return DAMAGED, error.end


codecs.register_error("opencoder-mark", _mark_damage)


def read_dump(path: Path, advance: Callable[[int], None]) -> Iterator[dict[str, str]]:
    """Yield the attributes of each row of a Posts.xml in UTF-8, UTF-16, Latin-1 or Windows-1252.

    The file may be compressed, see `open_dump`.

    An element that is not a row yields an empty dictionary, so that it is counted.

    Args:
        path: The file.
        advance: A function that gets the number of bytes of each read.

    Raises:
        DatasetError: the file has a DOCTYPE or another root, or is damaged or truncated XML.
        OSError: the file cannot be read.
    """
    from lxml import etree

    parser = etree.XMLPullParser(
        events=("end",),
        encoding="utf-8",
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=True,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        with open_dump(path, advance) as file:
            for text in _check_markup(path, _texts(path, file)):
                parser.feed(text.encode("utf-8"))
                yield from _rows(parser)
            parser.close()
            yield from _rows(parser)
    except etree.XMLSyntaxError as error:
        raise DatasetError(
            f"{path}: damaged or truncated XML at line {error.lineno}: {error.msg}"
        ) from None


def _rows(parser: "XMLPullParser") -> Iterator[dict[str, str]]:
    for _, element in parser.read_events():
        parent = element.getparent()
        if parent is None:
            return
        get = element.get
        attributes = {name: text for name in POST_COLUMNS if (text := get(name)) is not None}
        yield attributes if element.tag == "row" else {}
        # Without this the parser keeps the whole tree: the element and the ones before it.
        element.clear()
        while element.getprevious() is not None:
            del parent[0]


def _texts(path: Path, file: IO[bytes]) -> Iterator[str]:
    """Yield the dump in chunks of text that XML allows, without its declaration."""
    chunk = file.read(_CHUNK)
    decode = codecs.getincrementaldecoder(_encoding(path, chunk))("opencoder-mark").decode
    carry = ""
    is_first = True
    while True:
        text = carry + decode(chunk, final=not chunk)
        # A reference such as &#10;, or the first of a pair, that the chunk cuts off is carried over.
        cut = _CUT_REFERENCE.search(text, max(0, len(text) - _LONGEST_CUT))
        carry = cut[0] if cut and chunk else ""
        text = text[: len(text) - len(carry)]
        text = _DOUBTFUL_REFERENCE.sub(_settle_reference, _FORBIDDEN.sub(DAMAGED, text))
        if is_first:
            text, is_first = _without_prolog(path, text), False
        yield text
        if not chunk:
            return
        chunk = file.read(_CHUNK)


def _settle_reference(match: re.Match[str]) -> str:
    """Return a reference that XML allows, the character of a surrogate pair, or the mark."""
    first, second = _code_point(match[1]), _code_point(match[2])
    if 0xD800 <= first < 0xDC00 <= second:
        return chr(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00))
    is_allowed = (
        first in {9, 10, 13}
        or 0x20 <= first < 0xD800
        or 0xE000 <= first < 0xFFFE
        or 0x10000 <= first < 0x110000
    )
    return (f"&#{first};" if is_allowed else DAMAGED) + (DAMAGED if match[2] else "")


def _code_point(digits: str | None) -> int:
    """Return the number of a reference such as `65` or `x41`; -1 if it is none."""
    try:
        return int(digits[1:], 16) if digits and digits[0] == "x" else int(digits or "-1")
    except ValueError:
        return -1


def _encoding(path: Path, start: bytes) -> str:
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if start[:2] in {b"<\0", b"\0<"}:
        return "utf-16-le" if start[:1] == b"<" else "utf-16-be"
    declared = _DECLARED_ENCODING.match(start.removeprefix(codecs.BOM_UTF8)[:200])
    name = declared[1].decode("ascii") if declared else "utf-8"
    try:
        codec = codecs.lookup(name).name
    except LookupError:
        codec = ""
    if codec not in _ENCODINGS:
        raise DatasetError(
            f"{path}: encoding {name!r} is not supported; convert it to UTF-8 with iconv"
        )
    # Without a byte order mark or a zero beside the first `<` a file declared as UTF-16 is not.
    return "utf-8-sig" if codec in {"utf-8", "utf-16"} else codec


def _without_prolog(path: Path, text: str) -> str:
    """Return the text from the root element on, after as many line breaks as were before it.

    The line breaks keep the line numbers of later messages right.

    Raises:
        DatasetError: a DOCTYPE, or a root that is not `posts`.
    """
    at = 0
    ends = {"<?": "?>", "<!--": "-->"}
    while True:
        while text[at : at + 1].isspace():
            at += 1
        opening = next((mark for mark in ends if text.startswith(mark, at)), None)
        if opening is None:
            break
        end = text.find(ends[opening], at)
        if end < 0:
            break
        at = end + len(ends[opening])
    if text[at : at + 9].upper() == "<!DOCTYPE":
        raise DatasetError(f"{path}: has a DOCTYPE, which no dump has; refused")
    if not re.match(r"<posts[\s/>]", text[at : at + 7]):
        raise DatasetError(f"{path}: does not start with <posts>; give the Posts.xml of a dump")
    return "\n" * text.count("\n", 0, at) + text[at:]


def _check_markup(path: Path, texts: Iterator[str]) -> Iterator[str]:
    """Yield the texts and refuse a file whose parser would have to hold ever more of it."""
    run = 0
    for text in texts:
        last = text.rfind("<")
        run = run + len(text) if last < 0 else len(text) - last
        if run > _MAX_MARKUP:
            raise DatasetError(
                f"{path}: {run} characters without a new tag; is a quote not closed?"
            )
        yield text

"""Text from outside in a form that can be written, tokenised and shown on one line; and plurals."""

from collections.abc import Sequence
from difflib import get_close_matches


def one_line(message: object, limit: int = 300) -> str:
    """Return a message of a library on one line of at most `limit` characters."""
    return " ".join(str(message).split())[:limit]


def plural(count: int, one: str, many: str = "") -> str:
    """Return the words after a count: `one` after 1, else `many`, by default `one` with an s."""
    return one if count == 1 else many or f"{one}s"


def without_surrogates(text: str) -> str:
    """Replace lone surrogates, which no tokenizer takes and no UTF-8 file can hold, by "?"."""
    return text.encode("utf-8", "replace").decode("utf-8")


def unix_lines(text: str) -> str:
    """Return a text whose lines end with LF, as Markdown needs them, instead of CRLF or CR."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def is_unicode(text: str) -> bool:
    """Tell whether a UTF-8 file can hold a text: it has no lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def suggestion(name: str, names: Sequence[str]) -> str:
    """Return the advice for an unknown name: the nearest known one, whatever its case."""
    by_folded = {known.casefold(): known for known in names}
    close = get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.4)
    return f"did you mean {by_folded[close[0]]}?" if close else "see --help"

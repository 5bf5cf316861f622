"""Operators of programming languages as terms: in code, and where a text names one alone."""

import re
from collections.abc import Sequence

_CODE_OPERATORS = """
    >>>= ??= &&= ||= **= //= <<= >>= >>> === !== <=> ... -> => <- :: := =~ ?? ?. ?: && || |> ++ -- **
    // << >> == != <> <= >= += -= *= /= %= &= |= ^= @= @ % & | ^ ~ $ # !
"""
"""Operators that count anywhere in code, the longest first."""
_COMMON_OPERATORS = "[::] [:] [] {} () * + / \\ < > = ? : ."
"""Operators that most code has: they count only where they stand alone."""
_IN_CODE = re.compile(rf"://|({'|'.join(map(re.escape, _CODE_OPERATORS.split()))})")
_ALONE = frozenset((*_CODE_OPERATORS.split(), *_COMMON_OPERATORS.split()))
_SYMBOLS = re.compile(r"[^\w\s]{1,4}")
_SPAN_MARK = re.compile(r"`+")
_SENTENCE_MARKS = ".,;:!?"
_SENTENCE_END = re.compile(rf"[{_SENTENCE_MARKS}]|\.+|[!?]*([!?])\1")
"""The end of a sentence after a space, as in "Pourquoi ?" and "help ..."; `::` and `?:` are operators."""
_OPENING = ("'", '"', "(", "[", "\u2018", "\u201c")
_CLOSING = ("'", '"', ")", "]", "\u2019", "\u201d")


def operators(prose: Sequence[str], code: Sequence[str]) -> list[str]:
    """Return the different operators of a text, in linear time.

    In code, an operator counts wherever it stands. In prose it counts only between spaces, in
    quotation marks or in brackets, so that the punctuation of sentences does not count.

    Args:
        prose: Lines of Markdown outside fences, without the marks of lists and headings.
        code: Lines inside fences.
    """
    terms = _in_code("\n".join(code))
    for line in filter(None, prose):
        terms += _of_prose(line)
    return list(dict.fromkeys(terms))


def _of_prose(line: str) -> list[str]:
    pieces = _SPAN_MARK.split(line)
    # A sentence mark that follows a code span does not stand alone.
    terms = _alone("x".join(pieces[::2]))
    for span in pieces[1::2]:
        is_symbol = _SYMBOLS.fullmatch(span.strip())
        terms += [span.strip()] if is_symbol else [*_in_code(span), *_alone(span)]
    return terms


def _in_code(code: str) -> list[str]:
    # The two slashes of an address are no operator.
    return [operator for operator in _IN_CODE.findall(code) if operator]


def _alone(text: str) -> list[str]:
    words = text.split()
    if words and _SENTENCE_END.fullmatch(words[-1]):
        words.pop()
    symbols = (_bare(word) for word in words if not word[0].isalnum())
    return [symbol for symbol in symbols if symbol in _ALONE]


def _bare(word: str) -> str:
    """Return a word without quotation marks, brackets and the mark of a sentence after it."""
    if word in _ALONE:
        return word
    word = word.rstrip(_SENTENCE_MARKS)
    is_quoted = word not in _ALONE and word[:1] in _OPENING and word[-1:] in _CLOSING
    return word[1:-1] if is_quoted else word

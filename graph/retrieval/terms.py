"""The terms of keyword retrieval: words and names of code, split and stemmed, and operators."""

import re
from functools import cache, lru_cache
from threading import Lock
from typing import TYPE_CHECKING

from graph.retrieval import letters
from graph.retrieval.operators import operators
from graph.retrieval.plain import prose_and_code, without_line_marks

if TYPE_CHECKING:
    from snowballstemmer.english_stemmer import EnglishStemmer as Stemmer

VERSION = 8
"""Part of an index's identity; count it up when `tokenize` or `stop_words` returns other terms for any text."""
_lock = Lock()

_L = letters.LETTER
_WORD = re.compile(
    rf"(?<![\w-])--?[^\W\d_](?:-|{_L})*"  # --flag, -m
    rf"|(?<![\w.])\.[^\W\d_]{_L}*"  # .NET, .gitignore, but not the last dot of an ellipsis
    rf"|{_L}+(?:[.\-]{_L}+)*(?:\+\+|\#)?"  # word, os.path.join, scikit-learn, C++, C#
)
_ASCII_WORD = re.compile(_WORD.pattern, re.ASCII)
"""Finds the same words in text of ASCII alone, in half the time."""
_PIECES = re.compile(rf"{letters.LETTER_NO_UNDERSCORE}+")
_CAMEL = re.compile(rf"[A-Z]+(?!{letters.SMALL_LETTER})|[A-Z]?{letters.SMALL_LETTER}+|\d+")
_MAX_CHARS = 80
"""The longest term: a longer name is split into parts alone, and a longer part is dropped as a blob."""

_STOP_WORDS = """
    a about again all also am an and another any anyone are as at be because been before being both
    but by can cannot code could did do does doing done each either else error etc even ever every
    example few following for from get gets getting give going good got had has have having help
    here how i if in instead into is it its just kind know let like look looking lot made make
    makes making many may maybe me mean might more most much must my need needed needs neither no
    not now of on one only or other our out over own please possible problem question quite rather
    really same say see seem seems shall she should show simple since so some somehow someone
    something still such sure take tell than thank thanks that the their them then there these they
    thing think this those though through to too tried try trying two under understand until up us
    use used useful uses using very want wanted wants was way we well were what when where whether
    which while who whole why will wish with within without wonder wondering work working works
    would wrong yes yet you your
"""
_STOP = frozenset(_STOP_WORDS.split())
_KEYWORDS = """
    all and any as do else for from get if in is let no not or this try until use using when where
    while with
"""
"""Stop words that are keywords of programming languages."""
# The mark tells `problem`, a stop word, from the stem of `problems`.
_STOP_TERMS = {word: [f"stop:{word}"] * (1 + (word in _KEYWORDS.split())) for word in _STOP}


def tokenize(text: str) -> list[str]:
    """Split Markdown into terms.

    Names of code are terms both whole and in parts (`os.path.join`, `snake_case`, `camelCase`,
    `KeyError`, `scikit-learn`, `--no-cache`); `C++`, `C#` and `.NET` are terms of their own, and so are
    operators (see `operators`). Words have no case and are stemmed (Porter's second stemmer, "Snowball").
    Words that occur in questions about anything are dropped. Text of a script without spaces becomes
    pairs of characters.
    """
    text = letters.normalise(text)
    spaced, pairs = letters.split_unspaced(text)
    words = [term for name in _names(spaced) for term in _terms(name)]
    prose, code = prose_and_code(text)
    # A single line is a title, whose first sign can be what it asks about.
    if "\n" in text:
        # A lone star is the end of a rule, "* * *", or an item without a text.
        prose = [line for line in map(without_line_marks, prose) if line.strip() != "*"]
    return [*words, *pairs, *operators(prose, code)]


def stop_words(text: str) -> list[str]:
    """Return the words that `tokenize` drops, each as a term that no other text gives.

    The words of a name such as `if-else` count too. Keywords of programming languages come twice:
    they tell more about a question.
    """
    words = _words(letters.normalise(text))
    return [term for word in words for term in _stop_terms(word)]


def joined_stop_words(text: str) -> set[str]:
    """Return the terms of `tokenize` that are names of stop words alone, such as `if-else`."""
    words = _words(letters.normalise(text))
    return {term for word in words if _stop_terms(word) for term in _terms(word)}


def _words(text: str) -> list[str]:
    return (_ASCII_WORD if text.isascii() else _WORD).findall(text)


def _names(text: str) -> list[str]:
    words = _words(text)
    if max(map(len, words), default=0) <= _MAX_CHARS:
        return words
    pieces = (
        p for word in words for p in ([word] if len(word) <= _MAX_CHARS else _PIECES.findall(word))
    )
    return [piece for piece in pieces if len(piece) <= _MAX_CHARS]


@lru_cache(maxsize=1 << 17)
def _terms(word: str) -> tuple[str, ...]:
    whole = letters.fold(word)
    parts = [
        letters.fold(part)
        for piece in _PIECES.findall(word)
        for part in _split_camel(piece)
        if len(part) > 1
    ]
    return tuple(_stem(term) for term in dict.fromkeys([whole, *parts]) if term not in _STOP)


@lru_cache(maxsize=1 << 17)
def _stop_terms(word: str) -> tuple[str, ...]:
    """Return the terms of the stop words that a word consists of; none if a part is another word."""
    whole = letters.fold(word)
    if whole in _STOP or (word[1:].islower() and word.isalpha()):
        parts = [whole]
    else:
        pieces = _PIECES.findall(word)
        parts = [letters.fold(part) for piece in pieces for part in _CAMEL.findall(piece)]
    return tuple(t for p in parts for t in _STOP_TERMS[p]) if _STOP.issuperset(parts) else ()


def _split_camel(piece: str) -> list[str]:
    if piece.isalpha() and piece.isupper():
        return [piece]
    parts = _CAMEL.findall(piece)
    # The piece can be a part of a longer name, as in `my.camelCase`: it is a term too.
    return parts if len(parts) < 2 else [piece, *parts]


def _stem(term: str) -> str:
    if not term.isalpha():
        return term
    # A stemmer holds the word that it works on, so two threads must not use it at once.
    with _lock:
        return str(_stemmer().stemWord(term))


@cache
def _stemmer() -> "Stemmer":
    import snowballstemmer

    return snowballstemmer.stemmer("english")

"""The terms of keyword retrieval: words and names of code, split and stemmed."""

import re
from functools import cache, lru_cache
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snowballstemmer.english_stemmer import EnglishStemmer as Stemmer

VERSION = 4
"""Part of an index's identity; count it up when `tokenize` returns other terms for any text."""
_lock = Lock()

_WORD = re.compile(
    r"(?<![\w-])--?[^\W\d_][\w-]*"  # --flag, -m
    r"|(?<!\w)\.[^\W\d_]\w*"  # .NET, .gitignore
    r"|\w+(?:[.\-]\w+)*(?:\+\+|\#)?"  # word, os.path.join, scikit-learn, C++, C#
)
_PIECES = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\WA-Z\d_]+|\d+")
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


def tokenize(text: str) -> list[str]:
    """Split text and code into terms.

    Names of code are terms both whole and in parts (`os.path.join`, `snake_case`, `camelCase`,
    `KeyError`, `scikit-learn`, `--no-cache`); `C++`, `C#` and `.NET` are terms of their own. Words
    are lower-cased and stemmed (Porter's second stemmer, "Snowball"). Words that occur in questions
    about anything are dropped.
    """
    terms: list[str] = []
    for word in _WORD.findall(text):
        names = [word] if len(word) <= _MAX_CHARS else _PIECES.findall(word)
        for name in names:
            if len(name) <= _MAX_CHARS:
                terms.extend(_terms(name))
    return terms


@lru_cache(maxsize=1 << 17)
def _terms(word: str) -> tuple[str, ...]:
    whole = word.lower()
    parts = [
        part.lower()
        for piece in _PIECES.findall(word)
        for part in _split_camel(piece)
        if len(part) > 1
    ]
    return tuple(_stem(term) for term in dict.fromkeys([whole, *parts]) if term not in _STOP)


def _split_camel(piece: str) -> list[str]:
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

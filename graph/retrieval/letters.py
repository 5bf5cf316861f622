"""Unicode text in one form: equal letters are equal code points, and every script has its terms."""

import re
import unicodedata

# Vowel signs and accents of all scripts, without those that change the look of symbols and emoji.
_MARKS = "".join(
    character
    for character in map(chr, (*range(0x300, 0x20D0), *range(0x302A, 0xFE00)))
    if unicodedata.category(character).startswith("M")
)
LETTER = rf"[\w{_MARKS}]"
"""Regular expression of a character of a word; `\\w` alone has no vowel signs and accents."""
LETTER_NO_UNDERSCORE = rf"(?:[^\W_]|[{_MARKS}])"
SMALL_LETTER = rf"(?:[^\WA-Z\d_]|[{_MARKS}])"

UNSPACED = (
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e50-\u0e59\u0e80-\u0edf\u1000-\u1049\u1050-\u109f\u1780-\u17d3"
    "\u3005-\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
"""Ranges of the characters of scripts without spaces between words: Thai and Lao, Myanmar, Khmer, then
kana and Chinese characters."""
_UNSPACED_RUN = re.compile(f"[{UNSPACED}]+")
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff"))


def normalise(text: str) -> str:
    """Return the text in Unicode's form NFKC, without invisible characters inside words.

    Composed and decomposed accents become equal, and so do full-width and usual forms.
    """
    return text if text.isascii() else unicodedata.normalize("NFKC", text.translate(_INVISIBLE))


def fold(word: str) -> str:
    """Return a normalised word without case: `Straße` as `STRASSE`, and the four i of Turkish as one."""
    if word.isascii():
        return word.lower()
    folded = word.casefold().replace("i\u0307", "i").replace("\u0131", "i")
    return unicodedata.normalize("NFKC", folded)


def split_unspaced(text: str) -> tuple[str, list[str]]:
    """Split normalised text into the rest and the pairs of characters of scripts without spaces.

    A run of such characters becomes all pairs of neighbours in it; a single one stays alone.
    """
    if text.isascii():
        return text, []
    pairs: list[str] = []
    for run in _UNSPACED_RUN.findall(text):
        pairs += [run[at : at + 2] for at in range(max(1, len(run) - 1))]
    return _UNSPACED_RUN.sub(" ", text), pairs

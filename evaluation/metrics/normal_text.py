"""Texts as the metrics compare them: one form of characters and line ends, and words of any script."""

import unicodedata

import regex

from graph.retrieval.letters import UNSPACED
from graph.support.text import unix_lines

# In scripts without spaces, each character counts as a word, with the marks that follow it, as the
# vowels and tones of Thai. A whole sentence would be one word otherwise.
_UNSPACED_CHARACTER = regex.compile(rf"([{UNSPACED}]\p{{M}}*)")
_WORD = regex.compile(
    rf"[{UNSPACED}]\p{{M}}*|[[\p{{L}}\p{{Nd}}]--[{UNSPACED}]][[\p{{L}}\p{{M}}\p{{Nd}}]--[{UNSPACED}]]*",
    regex.VERSION1,
)


def normal_text(text: str) -> str:
    """Return a text in NFC, with line feeds as its only line ends.

    Texts that look equal can differ in both: an accented letter is one character or two, and files
    of Windows end lines with two characters.
    """
    return unicodedata.normalize("NFC", unix_lines(text))


def with_spaced_characters(text: str) -> str:
    """Return a text with spaces around each character of a script without spaces between words."""
    return text if text.isascii() else _UNSPACED_CHARACTER.sub(r" \1 ", text)


def words(text: str) -> list[str]:
    """Return the words of a text in lower case: runs of letters and digits of any script.

    ASCII text has the words of rouge-score, whose own pattern drops all other letters.
    """
    return list(_WORD.findall(text.lower()))

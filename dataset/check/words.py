"""From posts to words, and from words to runs of words: what two texts are compared by.

Case, punctuation, white space and mark-up are gone, so a copy is found whatever was done to them.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache
from html import unescape

# Scripts without spaces: one word a character, else a whole sentence would be one word.
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
_TAG = re.compile(r"<[^<>]*>")
_DEEPEST = 2000
"""The parser drops what is nested deeper than 2,048."""

_FENCE = re.compile(r"^([ \t]*(?:```+|~~~+))[^\n`]*$", re.MULTILINE)
_LINK_TARGET = re.compile(
    r"\]\((?:https?:|mailto:|[/#.])(?:[^()\s]|\([^()\s]*\))*(?:\s+\"[^\"\n]*\")?\)"
)
_IMAGE = re.compile(r"\[image: [^\]\n]{0,500}\]")
_LIST_NUMBER = re.compile(r"^[ \t]*\d{1,3}\.\s", re.MULTILINE)

_SHARP = re.compile(r"\b([cf])#")
_NO_LETTER = re.compile(r"[\W_]+")


def html_words(html: str) -> list[str]:
    """Return the words of a post's HTML, code included, scripts and styles left out."""
    if "<" not in html and "&" not in html:
        return _words(html)
    return _words(_text(html))


def markdown_words(markdown: str) -> list[str]:
    """Return the words of Markdown: the same as those of the HTML that it was made from.

    The targets of links, the languages of code fences and the numbers of lists are no words.
    """
    text = _FENCE.sub(r"\1", markdown)
    text = _LINK_TARGET.sub("] ", text)
    text = _IMAGE.sub(" ", text)
    return _words(_LIST_NUMBER.sub(" ", text))


def title_key(title: str) -> str:
    """Return a title's letters and digits: equal for a title and for the slug in its URL.

    "Don't use C++ 1.0?" and "dont-use-c++-1-0" have the same key; C, C++ and C# stay apart.
    """
    text = _SHARP.sub(r"\1sharp", _plain(title)).replace("c++", "cplusplus")
    return _NO_LETTER.sub("", text)


def runs(words: Sequence[str], size: int) -> list[int]:
    """Return a 64-bit hash of each run of `size` words, in order; none for a shorter text.

    The hashes hold for this process alone. Two runs that differ share one with a probability of
    5e-20.
    """
    return list(map(hash, zip(*(words[start:] for start in range(size)), strict=False)))


def covered(hashes: Sequence[int], size: int, shared: set[int]) -> int:
    """Return how many words of a text stand in runs (see `runs`) that are in `shared`."""
    total = end = 0
    for start, value in enumerate(hashes):
        if value in shared:
            total += start + size - max(start, end)
            end = start + size
    return total


def _words(text: str) -> list[str]:
    return _WORD.findall(_plain(text))


def _plain(text: str) -> str:
    if not text.isascii():
        text = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
    return text.casefold()


def _text(html: str) -> str:
    if html.count("<") > _DEEPEST:
        return unescape(_TAG.sub(" ", html))
    return " ".join(_parser()(html))


@cache
def _parser() -> Callable[[str], list[str]]:
    from lxml import etree

    parser = etree.HTMLParser(
        encoding="utf-8", huge_tree=True, remove_comments=True, remove_pis=True
    )
    select = etree.XPath("//text()[not(parent::script or parent::style)]", smart_strings=False)

    def texts(html: str) -> list[str]:
        root = etree.fromstring(html.encode("utf-8", "replace"), parser)
        return [] if root is None else list(select(root))

    return texts

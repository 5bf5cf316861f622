"""The words of posts and the runs of words by which two texts are compared.

Case, punctuation, white space and mark-up are removed, so a copy that changes them is still found.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache
from html import unescape

from graph.support.body_markup import Markup

# Scripts without spaces: a character is a word, else a whole sentence would be one word.
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
_TAG = re.compile(r"<[^<>]*>")
_MAX_PARSED_TAGS = 2000
"""The most tags that a text may have to be parsed: lxml drops elements nested deeper than 2,048."""

_FENCE = re.compile(r"^([ \t]*(?:```+|~~~+))[^\n`]*$", re.MULTILINE)
_LINK_TARGET = re.compile(
    r"\]\((?:https?:|mailto:|[/#.])(?:[^()\s]|\([^()\s]*\))*(?:\s+\"[^\"\n]*\")?\)"
)
_IMAGE = re.compile(r"\[image: [^\]\n]{0,500}\]")
_LIST_NUMBER = re.compile(r"^[ \t]*\d{1,3}\.\s", re.MULTILINE)

_C_OR_F_SHARP = re.compile(r"\b([cf])#")
_NEITHER_LETTER_NOR_DIGIT = re.compile(r"[\W_]+")


def body_words(body: str, markup: Markup) -> list[str]:
    """Return the words of a body in its markup."""
    return html_words(body) if markup == "html" else markdown_words(body)


def html_words(html: str) -> list[str]:
    """Return the words of a post's HTML with its code, without scripts and styles."""
    if "<" not in html and "&" not in html:
        return _split(html)
    return _split(_strip_tags(html))


def markdown_words(markdown: str) -> list[str]:
    """Return the words of Markdown, equal to those of the HTML it was converted from.

    The targets of links, the languages of code fences and the numbers of lists are left out.
    """
    text = _FENCE.sub(r"\1", markdown)
    text = _LINK_TARGET.sub("] ", text)
    text = _IMAGE.sub(" ", text)
    return _split(_LIST_NUMBER.sub(" ", text))


def title_key(title: str) -> str:
    """Return the letters and digits of a title, which the slug in its URL has too.

    "Don't use C++ 1.0?" and "dont-use-c++-1-0" have the same key; C, C++ and C# stay apart.
    """
    text = _C_OR_F_SHARP.sub(r"\1sharp", _normalise(title)).replace("c++", "cplusplus")
    return _NEITHER_LETTER_NOR_DIGIT.sub("", text)


def runs(words: Sequence[str], size: int) -> list[int]:
    """Return a 64-bit hash of each run of `size` words, in order; none for a shorter text.

    The hashes are valid in this process only. Two different runs have the same hash with a
    probability of 5e-20.
    """
    return list(map(hash, zip(*(words[start:] for start in range(size)), strict=False)))


def covered_words(hashes: Sequence[int], size: int, common: set[int]) -> int:
    """Count the words of a text (given by its `runs`) that the runs in `common` cover."""
    total = end = 0
    for start, value in enumerate(hashes):
        if value in common:
            total += start + size - max(start, end)
            end = start + size
    return total


def _split(text: str) -> list[str]:
    return _WORD.findall(_normalise(text))


def _normalise(text: str) -> str:
    if not text.isascii():
        text = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
    return text.casefold()


def _strip_tags(html: str) -> str:
    if html.count("<") > _MAX_PARSED_TAGS:
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

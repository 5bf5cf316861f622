"""The markup of bodies: HTML or Markdown, told by many of them.

A body of Stack Exchange's HTML begins with a tag and closes it. Markdown has marks of its own, or a
`<` that HTML would have written as `&lt;`. A body of plain words is no evidence: both read it alike.
"""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Literal

Markup = Literal["html", "markdown", "unclear"]
SAMPLE = 2000
"""The bodies that are looked at."""
CERTAIN_SHARE = 0.9
"""The share of the bodies with evidence that decides."""

_NAMES = (
    "a|abbr|b|blockquote|br|center|code|dd|del|details|div|dl|dt|em|h[1-6]|hr|i|img|ins|kbd|li|ol|p|"
    "pre|q|s|samp|small|span|strike|strong|sub|summary|sup|table|tbody|td|th|thead|tr|tt|u|ul|var"
)
_BLOCK = re.compile(r"</?(?:p|pre|ul|ol|li|blockquote|h[1-6]|div|table)(?:\s[^<>]*)?>", re.I)
_TAG = re.compile(rf"</?(?:{_NAMES})(?:\s[^<>]*)?/?>|<!--", re.I)
_CODE = re.compile(
    r"^ {0,3}(`{3,}|~{3,}).*?(?:^ {0,3}\1|\Z)|^(?: {4}|\t).*$|`[^`\n]+`", re.S | re.M
)
_REFERENCE = re.compile(r"&(?:[a-zA-Z][a-zA-Z0-9]*|#[0-9]+|#[xX][0-9a-fA-F]+);")
_MARKDOWN = re.compile(
    r"^ {0,3}(?:```|~~~|#{1,6} \S|> |[-*+] \S|\d{1,3}\. \S)|^\s*\n(?: {4}|\t)\S|"
    r"\*\*\S[^*\n]*\*\*|`[^`\n]+`|\]\(\S+\)|^ {0,3}\[[^\]\n]+\]: \S",
    re.M,
)


def markup_of(bodies: Iterable[str]) -> Markup:
    """Return the markup of a column of bodies; "html" where no body has evidence.

    "unclear" means that fewer than `CERTAIN_SHARE` of those with evidence agree.
    """
    votes = Counter(map(markup_of_body, bodies))
    html, markdown = votes["html"], votes["markdown"]
    if html >= CERTAIN_SHARE * (html + markdown):
        return "html"
    return "markdown" if markdown >= CERTAIN_SHARE * (html + markdown) else "unclear"


def has_reference(markdown: str) -> bool:
    """Tell whether a text that should be Markdown or plain has a reference such as `&lt;`.

    Code may well be about references, and is not looked at.
    """
    return "&" in markdown and bool(_REFERENCE.search(_CODE.sub("", markdown)))


def markup_of_body(body: str) -> Literal["html", "markdown"] | None:
    """Return the markup of one body; None where nothing tells it."""
    if _TAG.match(body.lstrip()) and ("</" in body or _BLOCK.search(body)):
        return "html"
    prose = _CODE.sub("", body)
    if _BLOCK.search(prose):
        return "html"
    if _MARKDOWN.search(body):
        return "markdown"
    if _TAG.search(prose) or _REFERENCE.search(prose):
        return "html"
    # HTML would have written these as references.
    return "markdown" if re.search(r"<\w|&(?:\s|&)", body) else None

"""From the HTML of a post to Markdown: code keeps every character, nothing active survives."""

import re
from html import unescape

from graph.markdown.elements import DROPPED, PARAGRAPHS
from graph.markdown.reader import Reader, TooDeepError

_TAG = re.compile(r"<(/?)([a-zA-Z][\w:.-]*)[^<>]*>|<[!?][^<>]*>")
_FLAT = (DROPPED | PARAGRAPHS | {"pre", "br"}) - {"embed"}
_CHUNK = 1 << 16


def to_markdown(html: str) -> str:
    """Return a post's HTML as Markdown.

    The text of every `<pre>` stands in a fence, character by character; a last line end is the
    fence's own. Scripts, styles, embedded objects, forms, comments and links with other schemes
    than http, https and mailto are dropped, but in code they are code. Of a picture its
    description stays, unless it is hidden or a single pixel. Text is not escaped, but for what
    would open a block of code or make up a link. Never raises; takes time in proportion to the
    length.
    """
    html = html.replace("\x00", "").replace("\r\n", "\n").replace("\r", "\n")
    source = html.encode("utf-8", "replace")
    if b"<" not in source and b"&" not in source:
        return source.decode().strip()
    try:
        return _parse(source)
    except TooDeepError:
        return _read_flat(source.decode())


def _parse(source: bytes) -> str:
    from lxml import etree

    parser = etree.HTMLParser(target=Reader(), encoding="utf-8", huge_tree=True)
    # In parts, because the parser stops for an error at the end of a part only.
    for start in range(0, len(source), _CHUNK):
        parser.feed(source[start : start + _CHUNK])
    return str(parser.close())


def _read_flat(html: str) -> str:
    """Read without a tree what is nested too deep for one: paragraphs and code are kept."""
    reader = Reader()
    position = 0
    for tag in _TAG.finditer(html):
        reader.data(unescape(html[position : tag.start()]))
        position = tag.end()
        name = (tag[2] or "").lower()
        if name in _FLAT:
            reader.depth = 1
            if tag[1]:
                reader.end(name)
            else:
                reader.start(name, {})
    reader.data(unescape(html[position:]))
    return reader.close()

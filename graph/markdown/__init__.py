"""Markdown from the HTML of a post: code keeps every character, active content is dropped."""

import re
from html import unescape

from graph.markdown.elements import DROPPED, PARAGRAPHS
from graph.markdown.reader import Reader, TooDeepError

_TAG = re.compile(r"<(/?)([a-zA-Z][\w:.-]*)[^<>]*>|<[!?][^<>]*>")
_FLAT = (DROPPED | PARAGRAPHS | {"pre", "br"}) - {"embed"}
_CHUNK = 1 << 16


def to_markdown(html: str) -> str:
    """Return a post's HTML as Markdown.

    The text of every `<pre>` becomes a fence, character by character, except for a last line end.
    Scripts, styles, embedded objects, forms, comments and links with other schemes than http, https
    and mailto are dropped, except in code. A picture becomes its description, unless it is hidden
    or a single pixel. Text is not escaped, except where it would open a block of code or spell a
    link. Never raises; takes time linear in the length.
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
    # In chunks, because lxml reports an error of the target only at the end of a chunk.
    for start in range(0, len(source), _CHUNK):
        parser.feed(source[start : start + _CHUNK])
    return str(parser.close())


def _read_flat(html: str) -> str:
    """Read HTML that is nested too deep without its tree: only paragraphs and code are marked."""
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

"""The meaning of elements and attributes: paragraphs, languages, targets of links, sizes."""

import re
from collections.abc import Mapping
from urllib.parse import quote

Attributes = Mapping[str, str]

# fmt: off
DROPPED = frozenset({
    "script", "style", "iframe", "object", "applet", "embed", "form", "svg", "noscript", "template",
})
"""Elements that are dropped with all their text."""

PARAGRAPHS = frozenset({
    "p", "div", "section", "article", "aside", "header", "footer", "main", "nav", "address",
    "figure", "figcaption", "center", "details", "summary", "fieldset", "legend", "dl", "dt", "dd",
    "option", "title", "body", "caption",
})
"""Elements that only begin and end a paragraph."""
# fmt: on

CODE = ("code", "kbd", "samp", "tt")
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
EMPHASIS = {
    **dict.fromkeys(("b", "strong"), "strong"),
    **dict.fromkeys(("i", "em"), "em"),
    **dict.fromkeys(("s", "strike", "del"), "del"),
}
"""The kind of emphasis of an element."""

_LANGUAGE = re.compile(r"lang(?:uage)?-([\w+#.-]{1,30})")
_LANGUAGES = {"py": "python", "js": "javascript", "none": "", "default": ""}
_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden"
    r"|(?:^|[;\s])(?:width|height)\s*:\s*[01](?:px)?\s*(?:[;!]|$)"
)
_LINK_SCHEMES = ("http://", "https://", "mailto:", "/", "#")
_TARGET_END = re.compile(r"[\s()<>\[\]\\`\x00-\x1f\x7f]")


def link_target(href: str) -> str:
    """Return the target of a link, escaped for Markdown; empty if its scheme is not allowed."""
    target = href.strip()
    if not target.lower().startswith(_LINK_SCHEMES):
        return ""
    # A parenthesis or a space would end the target.
    return _TARGET_END.sub(lambda match: quote(match[0], safe=""), target)


def list_start(attributes: Attributes) -> int:
    """Return the number of a list's first item."""
    start = attributes.get("start", "").strip()
    # Markdown reads numbers of at most nine digits, and the list counts up.
    return int(start) if start.isascii() and start.isdigit() and len(start) < 7 else 1


def language(attributes: Attributes) -> str | None:
    """Return the language that a class names; None if no class does."""
    for name in attributes.get("class", "").split():
        if match := _LANGUAGE.fullmatch(name):
            return _LANGUAGES.get(match[1], match[1])
    return None


def is_hidden(image: Attributes) -> bool:
    """Tell whether a picture is hidden or a single pixel: it tracks readers."""
    sizes = [image.get(side, "").strip().removesuffix("px") for side in ("width", "height")]
    hidden = _HIDDEN.search(image.get("style", "").lower()) is not None
    return hidden or "hidden" in image or any(size in {"0", "1"} for size in sizes)

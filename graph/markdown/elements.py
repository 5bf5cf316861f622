"""What elements and their attributes mean: paragraphs, languages, targets of links, sizes."""

import re
from collections.abc import Mapping
from urllib.parse import quote

Attributes = Mapping[str, str]

# fmt: off
DROPPED = frozenset({
    "script", "style", "iframe", "object", "applet", "embed", "form", "svg", "noscript", "template",
})
"""They go with all their text."""

PARAGRAPHS = frozenset({
    "p", "div", "section", "article", "aside", "header", "footer", "main", "nav", "address",
    "figure", "figcaption", "center", "details", "summary", "fieldset", "legend", "dl", "dt", "dd",
    "option", "title", "body", "caption",
})
"""They begin and end a paragraph and mean nothing more."""
# fmt: on

CODE = ("code", "kbd", "samp", "tt")
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
EMPHASIS = {
    **dict.fromkeys(("b", "strong"), "strong"),
    **dict.fromkeys(("i", "em"), "em"),
    **dict.fromkeys(("s", "strike", "del"), "del"),
}
"""Which kind of emphasis an element is."""

_LANGUAGE = re.compile(r"lang(?:uage)?-([\w+#.-]{1,30})")
_LANGUAGES = {"py": "python", "js": "javascript", "none": "", "default": ""}
_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden"
    r"|(?:^|[;\s])(?:width|height)\s*:\s*[01](?:px)?\s*(?:[;!]|$)"
)
_LINK_SCHEMES = ("http://", "https://", "mailto:", "/", "#")
_TARGET_END = re.compile(r"[\s()<>\[\]\\`\x00-\x1f\x7f]")


def link_target(href: str) -> str:
    """Return the target of a link as Markdown can hold it, empty where the link must go."""
    target = href.strip()
    if not target.lower().startswith(_LINK_SCHEMES):
        return ""
    # A parenthesis or a space would end the target.
    return _TARGET_END.sub(lambda found: quote(found[0], safe=""), target)


def list_start(attributes: Attributes) -> int:
    """Return the number of a list's first item."""
    start = attributes.get("start", "").strip()
    # Markdown counts to nine digits.
    return int(start) if start.isascii() and start.isdigit() and len(start) < 7 else 1


def language(attributes: Attributes) -> str | None:
    """Return the language that a class names, None where none does."""
    for name in attributes.get("class", "").split():
        if match := _LANGUAGE.fullmatch(name):
            return _LANGUAGES.get(match[1], match[1])
    return None


def is_hidden(image: Attributes) -> bool:
    """Return whether a picture is there to be fetched, not to be seen."""
    sizes = [image.get(side, "").strip().removesuffix("px") for side in ("width", "height")]
    hidden = _HIDDEN.search(image.get("style", "").lower()) is not None
    return hidden or "hidden" in image or any(size in {"0", "1"} for size in sizes)

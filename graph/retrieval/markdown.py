"""From the HTML of a post to Markdown: code keeps its fences, nothing active survives."""

import re
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bs4 import Tag

_DROPPED = ("script", "style", "iframe", "object", "embed", "form", "svg", "noscript", "template")
_LINK_SCHEMES = ("http://", "https://", "mailto:", "/", "#")
_LANGUAGE = re.compile(r"lang(?:uage)?-([\w+#]+)")
_BACKTICKS = re.compile(r"`+")


def to_markdown(html: str) -> str:
    """Return a post's HTML as Markdown.

    Scripts, styles, embedded objects and links with other schemes than http, https and mailto are
    dropped; of an image its description stays. Code keeps every character.
    """
    if "<" not in html and "&" not in html:
        return html.strip()
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(html.replace("\x00", ""), "lxml")
    for tag in soup(list(_DROPPED)):
        tag.decompose()
    for link in soup("a"):
        if not str(link.get("href", "")).strip().lower().startswith(_LINK_SCHEMES):
            link.unwrap()
    for image in soup("img"):
        image.replace_with(f"[image: {image.get('alt') or 'no description'}]")
    return str(_converter().convert_soup(soup)).strip()


@cache
def _converter() -> Any:
    from markdownify import STRIP_ONE, MarkdownConverter

    class Converter(MarkdownConverter):
        def convert_pre(self, el: "Tag", text: str, parent_tags: set[str]) -> str:
            """Fence code with more backticks than it holds."""
            code = el.get_text()
            longest = max((len(run) for run in _BACKTICKS.findall(code)), default=0)
            fence = "`" * max(3, longest + 1)
            return f"\n\n{fence}{_language(el)}\n{code.removesuffix(chr(10))}\n{fence}\n\n"

    return Converter(
        heading_style="ATX",
        bullets="-",
        strip_pre=STRIP_ONE,
        escape_asterisks=False,
        escape_underscores=False,
        escape_misc=False,
    )


def _language(pre: "Tag") -> str:
    """Return the language that a post names in the class of its code block."""
    inner = pre.find("code")
    for tag in (pre, inner):
        for name in (tag.get("class") or []) if tag is not None else []:
            if match := _LANGUAGE.fullmatch(name):
                return {"py": "python", "js": "javascript", "none": ""}.get(match[1], match[1])
    return ""

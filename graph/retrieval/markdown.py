"""From the HTML of a post to Markdown: code keeps its fences, nothing active survives."""

import re
import warnings
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

_DROPPED = ("script", "style", "iframe", "object", "embed", "form", "svg", "noscript", "template")
_LINK_SCHEMES = ("http://", "https://", "mailto:", "/", "#")
_LANGUAGE = re.compile(r"lang(?:uage)?-([\w+#]+)")
_TARGET_END = re.compile(r"[\s()<>\[\]]")
_BACKTICKS = re.compile(r"`+")


def to_markdown(html: str) -> str:
    """Return a post's HTML as Markdown.

    Scripts, styles, embedded objects and links with other schemes than http, https and mailto are
    dropped; of an image its description stays. Code keeps every character.
    """
    if "<" not in html and "&" not in html:
        return html.strip()
    soup = _parse(html.replace("\x00", "").encode("utf-8", "replace").decode("utf-8"))
    for tag in soup(list(_DROPPED)):
        tag.decompose()
    for media in soup(["video", "audio"]):
        media.unwrap()
    for link in soup("a"):
        _make_harmless(link)
    for image in soup("img"):
        image.replace_with(f"[image: {image.get('alt') or 'no description'}]")
    for line_break in soup.select("pre br"):
        line_break.replace_with("\n")
    try:
        return str(_converter().convert_soup(soup)).strip()
    except RecursionError:  # nested a thousand deep: the text is all there is to it
        return soup.get_text().strip()


def _make_harmless(link: "Tag") -> None:
    target = str(link.get("href", "")).strip()
    if target.lower().startswith(_LINK_SCHEMES):
        # A parenthesis or a space would end the target in Markdown.
        link["href"] = _TARGET_END.sub(lambda found: quote(found[0]), target)
    else:
        link.unwrap()


def _parse(html: str) -> "BeautifulSoup":
    from bs4 import BeautifulSoup

    with warnings.catch_warnings():
        # The parser gives advice on texts that look like a URL or like XML.
        warnings.simplefilter("ignore")
        return BeautifulSoup(html, "lxml")


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

"""What a report's page holds, read back without a browser: its HTML, its index, its questions."""

import base64
import json
import zlib
from pathlib import Path

from lxml import html

SURROGATE = "\ud800"
SEEDS = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "<!--<script>alert(1)//-->",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    '"><iframe srcdoc="<script>alert(1)</script>">',
    "' onmouseover='alert(1)",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    'https://example.org/" onclick="alert(1)',
    "{{ 7 * 7 }}{% raw %}${alert(1)}`",
    "]]><x/>&lt;script&gt;&#60;b&#62;",
    "</style></textarea></title></noscript><b>bold</b>",
    "\u202egnp.exe\u202c \u2066left\u2069 \u200b\ufeff",
    f"lone {SURROGATE} and \udfff surrogates",
    "NUL \x00 bell \x07 escape \x1b[31m delete \x7f",
    "line\u2028paragraph\u2029end\r\nwindows\rmac",
    "\x010 looks like a number of the table",
    "\x017",
    "\U000e0041\U000e0042 tags",
    '<base href="https://evil.example/"><meta http-equiv="refresh" content="0;url=//evil.example">',
    "<link rel=stylesheet href=//evil.example/a.css><object data=//evil.example>",
    "<form action=//evil.example><button formaction=javascript:alert(1)>",
    '<a href="javascript:alert(1)" autofocus onfocus=alert(1)>x</a>',
    "__proto__ constructor \\u003cscript\\u003e",
]


def hostile(count: int = 200) -> list[str]:
    """Return that many different strings, the last of them very long."""
    texts = [f"{SEEDS[n % len(SEEDS)]} {n}" for n in range(count - 1)]
    return [*texts, SEEDS[0] * 20_000]


def parsed(page: Path):
    """Return the page's tree."""
    return html.document_fromstring(page.read_text(encoding="utf-8"))


def unpacked(text: str):
    """Return the content of a block."""
    return json.loads(zlib.decompress(base64.b64decode(text)))


def index_of(tree):
    """Return the list of the questions."""
    return unpacked(tree.get_element_by_id("index").text)


def questions_of(tree):
    """Return every question of the page, its texts in their places."""
    questions = []
    for script in tree.xpath("//script[starts-with(@id, 'block-')]"):
        block = unpacked(script.text)
        texts = [entry if isinstance(entry, str) else entry[0] for entry in block["texts"]]
        questions += [_filled(question, texts) for question in block["questions"]]
    return questions


def _filled(value, texts):
    if isinstance(value, str):
        return texts[int(value[1:])] if value.startswith("\x01") else value
    if isinstance(value, dict):
        return {name: _filled(item, texts) for name, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, texts) for item in value]
    return value

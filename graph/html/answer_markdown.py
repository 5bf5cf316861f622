"""Answers and posts as HTML: Markdown of untrusted authors, rendered without a script or a foreign image.

The result holds no style and no script, so that the strictest content security policy fits it. Code has
the classes of Pygments with the prefix `hl-`; `style.css` gives them colours.
"""

import re
from collections.abc import Callable, MutableMapping, Sequence
from functools import cache, lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from graph.html import stylesheet
from graph.markdown.number_lists import BEFORE, is_list_of_values
from graph.support.text import unix_lines

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.renderer import RendererHTML
    from markdown_it.rules_block import StateBlock
    from markdown_it.token import Token
    from pygments.token import _TokenType

_MAX_CHARS = 50_000
"""A longer text is shown as it is: no answer has this length, and no browser should lay it out."""
_MAX_LINES = 5_000
"""As `_MAX_CHARS`: a quote in a quote reads all its lines again at each level."""
_MAX_HTML_CHARS = 1_000_000
"""A text that becomes more HTML than this is shown as it is too."""
_MAX_COLUMNS = 100
_MAX_CELLS = 10_000
"""Of all tables together, as rendered: a short row has as many cells as the others. The first table beyond
it and all later ones are shown as text."""
_MAX_CODE_CHARS = 5_000
"""Longer code has no colours: the time of some lexers grows with the square of the length."""
_MAX_COLOURED_CHARS = 15_000
"""Of all code together: the blocks beyond it have no colours."""
_WORDS = re.compile(r"[\w\s.$<>?*\[\]@]{500}")
"""Words and space without another sign, such as 2,500 lines of `a`. From each of them, Pygments' lexers of C, C++,
C# and Java read to the end in search of the bracket of a function: 3 s for 5,000 characters of C#."""
_LONG_LINE = re.compile(r".{2000}")
"""A line such as `a1a1...` in a makefile, `a.a.a...` in TypeScript or `a::a::...` in a shell session. From each place
in it, the lexer reads to its end in search of a colon, a bracket or a prompt: 0.8 s for 5,000 characters."""
_SLOW_CODE = {
    **dict.fromkeys(("c", "cpp", "csharp", "java"), _WORDS),
    **dict.fromkeys(("make", "typescript", "console"), _LONG_LINE),
}
"""By language, code that has no colours because its lexer would take too long. The other lexers of `_LANGUAGES` take
at most 0.4 s for 5,000 characters of the repeated signs that were tried."""
_MAX_ADDRESS_CHARS = 2_000
"""A longer address makes no link."""
_MAX_ADDRESSES_CHARS = 200_000
"""Of all addresses together. A reference link repeats its address at each use: beyond this, links lose theirs."""
_LANGUAGES = {
    *("python", "pycon", "python2", "javascript", "typescript", "java", "kotlin", "c", "cpp"),
    *("csharp", "go", "rust", "ruby", "php", "swift", "r", "sql", "bash", "console", "powershell"),
    *("json", "yaml", "toml", "ini", "xml", "html", "css", "diff", "docker", "make"),
}
"""Names of Pygments' lexers. Some of its others take very long for texts that were made for it."""
_CITATION = re.compile(r"(?<![\w)\[\]])(?:\[\d{1,3}(?:\s*,\s*\d{1,3})*\])+(?!\])")
"""Numbers in brackets, not behind a name or a call and not in brackets: those are code without marks."""
_NUMBER = re.compile(r"\d+")
_COLOUR_RULE = re.compile(r"\.hl-(\w+)")
"""In the stylesheet, the name of a kind of token."""
_LINK_ATTRIBUTES = 'target="_blank" rel="noreferrer noopener nofollow"'
_HEADING_SHIFT = 2


def answer_html(markdown: str, passages: int = 0) -> Markup:
    """Return an answer as HTML.

    Raw HTML in it is shown as text. Links lead to http and https alone, and an image becomes a link. A text
    that would take long to render or to lay out is shown as it is.

    Args:
        markdown: The answer.
        passages: The number of passages that it may cite: `[2]` in its prose becomes a link with the
            class `citation` to `#passage-2`, if there are as many. 0 leaves numbers as they are.
    """
    is_short = len(markdown) <= _MAX_CHARS and len(markdown.splitlines()) <= _MAX_LINES
    rendered = _rendered(markdown, passages) if is_short else None
    if rendered is None or len(rendered) > _MAX_HTML_CHARS:
        return Markup('<pre class="text">{}</pre>').format(markdown)
    # Markup: the renderer has escaped every text.
    return Markup(rendered)


def _rendered(markdown: str, passages: int) -> str | None:
    """Return HTML; None for a text that is nested too deeply."""
    parser = _parser()
    env = {
        "passages": passages,
        **dict.fromkeys(("links", "address_chars", "cells", "code_chars"), 0),
    }
    tokens = parser.parse(markdown, env)
    # The parser leaves out what is nested more deeply.
    if max((token.level for token in tokens), default=0) >= parser.options.maxNesting - 1:
        return None
    return str(parser.renderer.render(tokens, parser.options, env))


@cache
def _parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    # Escaped characters stay tokens of their own, so that escaped brackets make no citation.
    parser.disable("text_join")
    parser.block.ruler.at("table", _table, {"alt": ["paragraph", "reference"]})
    parser.validateLink = _is_web_address  # type: ignore[method-assign, assignment]
    rules: dict[str, Callable[..., str]] = {
        "text": _text,
        "text_special": _text_special,
        "image": _image,
        "link_open": _link_open,
        "link_close": _link_close,
        **dict.fromkeys(("th_open", "td_open"), _cell_open),
        "fence": _code_block,
        "code_block": _code_block,
        "heading_open": _heading_open,
        "heading_close": _heading_close,
    }
    for name, rule in rules.items():
        parser.add_render_rule(name, rule)
    return parser


def _table(state: "StateBlock", start: int, end: int, silent: bool) -> bool:
    """Parse a table, or tell whether one starts here; what is too large is none."""
    from markdown_it.rules_block import table

    if not table(state, start, end, True):
        return False
    if silent:
        return bool(state.env["cells"] <= _MAX_CELLS)
    underline = state.src[state.bMarks[start + 1] : state.eMarks[start + 1]]
    columns = sum("-" in column for column in underline.split("|"))
    rows = next((line for line in range(start, end) if state.isEmpty(line)), end) - start
    state.env["cells"] += columns * rows
    is_small = bool(columns <= _MAX_COLUMNS and state.env["cells"] <= _MAX_CELLS)
    return is_small and table(state, start, end, False)


def _is_web_address(address: str) -> bool:
    is_short = len(address) <= _MAX_ADDRESS_CHARS
    return is_short and address.strip().lower().startswith(("http://", "https://"))


def _is_affordable(address: str, env: MutableMapping[str, Any]) -> bool:
    """Count the characters of an address; tell whether there is room for it."""
    env["address_chars"] += len(address)
    return bool(env["address_chars"] <= _MAX_ADDRESSES_CHARS)


def _text(
    _: "RendererHTML", tokens: "Sequence[Token]", index: int, __: Any, env: MutableMapping[str, Any]
) -> str:
    text, passages = tokens[index].content, env["passages"]
    if env["links"] or not passages:
        return str(escape(text))
    before = _text_before(tokens, index)
    parts, end = [], 0
    for match in _CITATION.finditer(before + text, len(before)):
        if is_list_of_values(
            match.string[max(0, match.start() - BEFORE) : match.start()], match[0]
        ):
            continue
        parts += [escape(text[end : match.start() - len(before)]), _citations(match[0], passages)]
        end = match.end() - len(before)
    return str(Markup("").join([*parts, escape(text[end:])]))


def _text_special(_: "RendererHTML", tokens: "Sequence[Token]", index: int, *__: Any) -> str:
    """Return a character that was escaped or named."""
    return str(escape(tokens[index].content))


def _text_before(tokens: "Sequence[Token]", index: int) -> str:
    """Return the end of the text before a token, with a letter in place of code."""
    texts = {
        "code_inline": "x",
        "link_close": " ",
        "image": " ",
        "softbreak": " ",
        "hardbreak": " ",
    }
    before = tokens[max(0, index - 3) : index]
    return "".join(texts.get(token.type, token.content[-BEFORE:]) for token in before)


def _citations(text: str, passages: int) -> Markup:
    """Return brackets with numbers, each of which leads to its passage if there is one."""
    parts, end = [], 0
    for match in _NUMBER.finditer(text):
        number = int(match[0])
        parts.append(escape(text[end : match.start()]))
        if 1 <= number <= passages:
            parts.append(Markup('<a class="citation" href="#passage-{0}">{0}</a>').format(number))
        else:
            parts.append(escape(match[0]))
        end = match.end()
    return Markup('<span class="citations">{}</span>').format(
        Markup("").join([*parts, escape(text[end:])])
    )


def _image(
    _: "RendererHTML", tokens: "Sequence[Token]", index: int, __: Any, env: MutableMapping[str, Any]
) -> str:
    token = tokens[index]
    address = str(token.attrGet("src") or "")
    label = token.content or address
    # Its label is inside a link already.
    if env["links"] or not _is_affordable(address, env):
        return str(Markup("image: {}").format(token.content))
    link = Markup('<a class="image" href="{}" ' + _LINK_ATTRIBUTES + ">image: {}</a>")
    return str(link.format(address, label))


def _link_open(
    _: "RendererHTML", tokens: "Sequence[Token]", index: int, __: Any, env: MutableMapping[str, Any]
) -> str:
    env["links"] += 1
    address = str(tokens[index].attrGet("href") or "")
    if not _is_affordable(address, env):
        return "<a>"
    return str(Markup('<a href="{}" ' + _LINK_ATTRIBUTES + ">").format(address))


def _link_close(
    _: "RendererHTML", __: "Sequence[Token]", ___: int, ____: Any, env: MutableMapping[str, Any]
) -> str:
    env["links"] -= 1
    return "</a>"


def _cell_open(_: "RendererHTML", tokens: "Sequence[Token]", index: int, *__: Any) -> str:
    """Return the start of a cell, its alignment as a class: the policy allows no style."""
    style = str(tokens[index].attrGet("style") or "")
    side = style.removeprefix("text-align:")
    return f'<{tokens[index].tag} class="{side}">' if style else f"<{tokens[index].tag}>"


def _code_block(
    _: "RendererHTML", tokens: "Sequence[Token]", index: int, __: Any, env: MutableMapping[str, Any]
) -> str:
    token = tokens[index]
    language = _language(token.info)
    label = Markup(' data-language="{}"').format(language) if language else ""
    env["code_chars"] += len(token.content) if language else 0
    has_colours = env["code_chars"] <= _MAX_COLOURED_CHARS
    return str(
        Markup('<pre class="code"{}><code>{}</code></pre>\n').format(
            label, highlighted(token.content, language if has_colours else "")
        )
    )


@lru_cache
def _language(info: str) -> str:
    """Return the name of the language of a block of code; empty if it is unknown."""
    from pygments.lexers import find_lexer_class_by_name
    from pygments.util import ClassNotFound

    name = info.strip().lower().removeprefix("lang-").split(None, 1)[0] if info.strip() else ""
    try:
        names = find_lexer_class_by_name(name).aliases if name else []
    except ClassNotFound:
        names = []
    return next((alias for alias in names if alias in _LANGUAGES), "")


# The drafts of a question share much of their code.
@lru_cache(maxsize=256)
def highlighted(code: str, language: str) -> Markup:
    """Return code with the classes of its colours; without a language it has none.

    Args:
        code: The code; every character of it stays.
        language: One of the names that `_language` returns, or an empty text.
    """
    slow = _SLOW_CODE.get(language)
    if not language or len(code) > _MAX_CODE_CHARS or (slow and slow.search(code)):
        return escape(code)
    from pygments import lex
    from pygments.lexers import get_lexer_by_name

    code = unix_lines(code)
    # Without the end of a last line, some lexers try every character of it anew.
    lexer = get_lexer_by_name(language, stripnl=False, ensurenl=True)
    parts: list[str] = []
    rest = len(code)
    for name, tokens in groupby(lex(code, lexer), lambda token: _colour(token[0])):
        whole = "".join(text for _, text in tokens)
        text, rest = escape(whole[:rest]), max(0, rest - len(whole))
        parts.append(f'<span class="hl-{name}">{text}</span>' if name and text else text)
    # Markup: every text is escaped.
    return Markup("".join(parts))


@cache
def _colour(kind: "_TokenType") -> str:
    """Return the short name of a kind of token, if the stylesheet has a colour for it; else nothing."""
    from pygments.token import STANDARD_TYPES

    name = next((STANDARD_TYPES[k] for k in reversed(kind.split()) if k in STANDARD_TYPES), "")
    return name if name in _coloured() else ""


@cache
def _coloured() -> set[str]:
    return set(_COLOUR_RULE.findall(stylesheet()))


def _heading_open(_: "RendererHTML", tokens: "Sequence[Token]", index: int, *__: Any) -> str:
    return f"<h{_level(tokens[index])}>"


def _heading_close(_: "RendererHTML", tokens: "Sequence[Token]", index: int, *__: Any) -> str:
    return f"</h{_level(tokens[index])}>\n"


def _level(token: "Token") -> int:
    """Return the level of a heading: the page around the answer has the first ones."""
    return min(6, int(token.tag[1:]) + _HEADING_SHIFT)

"""Posts are untrusted: nothing active comes out, nothing stops or slows the reading."""

import html
import re
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from graph.markdown import to_markdown
from tests.fakes.markdown_reader import fences, outside_of_code, targets, tokens
from tests.fakes.properties import any_text, examples

SPELT = [
    "[", "]", "](", "(", ")", "!", "![", "<", ">", ":", "\\", "`", "``", "```", "~~~", "|", "*", " ",
    "[x](", "[x]:", "[x]: ", "[x]", "javascript:x", "JavaScript:x", "data:x", "&#106;avascript:x",
    "java\\script:x", "https://e", "/", "#", "a", "\u00a0", "<javascript:x>", "<pre>", "<!--",
]  # fmt: skip
SCHEME = re.compile(r"[A-Za-z][\w+.-]*:")
AROUND = ["<b>{}</b>", "<a href='https://e'>{}</a>", "<code>{}</code>", "{}<br>", "{}<p>", "<i>{}"]


@examples(200)
@given(
    parts=st.lists(
        st.tuples(st.sampled_from(["{}", "{}", *AROUND]), st.sampled_from(SPELT)), max_size=10
    )
)
@example(parts=[("{}", "[x]("), ("<b>{}</b>", "javascript:x"), ("{}", ")")])
@example(parts=[("{}", "[x`]("), ("<code>{}</code>", "`](javascript:x)`")])
@example(parts=[("{}", "\\"), ("{}", "<javascript:x>")])
@example(parts=[("{}", "\\"), ("<code>{}</code>", "<javascript:x>")])
@example(parts=[("{}", "!"), ("<a href='https://e'>{}</a>", "[")])
@example(parts=[("{}<br>", "[x]: javascript:y"), ("{}", "[x]")])
def test_no_text_makes_up_a_link_to_a_script_or_fetches_a_picture(parts):
    source = "<p>" + "".join(shape.format(html.escape(text)) for shape, text in parts)
    markdown = to_markdown(source)
    schemes = {scheme[0] for target in targets(markdown) if (scheme := SCHEME.match(target))}
    assert schemes <= {"https:"}, markdown
    assert not any(token.type == "image" for token in tokens(markdown)), markdown


@examples(200)
@given(texts=st.lists(st.lists(st.sampled_from(SPELT)).map("".join) | any_text, max_size=4))
@example(texts=["```", "x"])
@example(texts=["<script>", "x"])
@example(texts=["> - 1. ```", "x"])
@example(texts=["\u00a0```"])
def test_no_text_opens_a_block_of_code_or_swallows_one(texts):
    paragraphs = "".join(
        f"<p>{html.escape(text)}<br>{html.escape(text)}</p><ul><li>{html.escape(text)}</ul>"
        for text in texts
    )
    assert fences(to_markdown(f"{paragraphs}<pre>code</pre>{paragraphs}")) == ["code"]


@pytest.mark.parametrize("start", ["```", "```py", "~~~", "<pre>", "<script>x", "<!-- x", "<?x"])
def test_a_line_that_would_start_a_block_gets_a_backslash(start):
    assert to_markdown(f"<p>{html.escape(start)}</p>") == f"\\{start}"
    assert to_markdown(f"<p>a {html.escape(start)}</p>") == f"a {start}"


@pytest.mark.parametrize(
    ("source", "markdown"),
    [
        ("<!--[if IE]><script>evil()</script><![endif]-->a", "a"),
        ("a<!-- > evil -->b", "ab"),
        ("<!-- evil", ""),
        ("<![CDATA[evil]]>a", "a"),
        ("<?php evil ?>a", "a"),
        ("<!DOCTYPE html [<!ENTITY e 'evil'>]><p>&e;</p>", "]>\n\n&e;"),
        ("<SCRIPT SRC=//x>evil</SCRIPT>a", "a"),
        ("<script>evil</scrip", ""),
        ("<p onclick='evil()'>a</p>", "a"),
        ("a<b", "a"),
        ("a < b", "a < b"),
        ("</p></b></pre></li></table>a", "a"),
        ("a\x00b&#0;", "ab\ufffd"),
        ("<p>\ud800</p>", "?"),
    ],
)
def test_other_markup_leaves_nothing(source, markdown):
    assert to_markdown(source) == markdown


NESTED = ["<div>", "<b>", "<ul><li>", "<blockquote>", "<table><tr><td>", "<pre>", "<code>"]


@pytest.mark.parametrize("tag", NESTED)
def test_a_hundred_thousand_levels_leave_the_text(tag):
    markdown = to_markdown(tag * 100_000 + "deep" + "</i></x>" * 10_000)
    assert "deep" in markdown
    assert len(markdown) < 1_000


def test_in_a_nest_without_end_code_survives_and_scripts_do_not():
    source = (
        "<div>" * 1_000
        + "<p>a &amp; b<pre>x &lt;\n  <i>y</i></pre><script>evil()<b></script><form>evil</form>c"
    )
    assert to_markdown(source) == "a & b\n\n```\nx <\n  y\n```\n\nc"


def test_lists_are_indented_to_a_depth_and_no_deeper():
    lines = to_markdown("<ul><li>x" * 100 + "</li></ul>" * 100).split("\n")
    assert max(len(line) - len(line.lstrip()) for line in lines) == 24
    assert sum(line.endswith("x") for line in lines) == 100


def calls(function, argument):
    """Return the number of calls, those of C functions too."""
    count = 0

    def profile(frame, event, value):
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(profile)
    try:
        function(argument)
    finally:
        sys.setprofile(None)
    return count


REPEATED = [
    "<p>a", "a<br>", "<b>a</b>", "<b></b>", "<b>", "<b><p>a", "<ul><li>a", "<li>a", "<td>a", "`",
    "<table><tr><td>a", "<code>`</code>", "<pre>```</pre>", "<a href='/'>a", "](", "![", "<", "&lt;",
    "<!--", "</p>", "<h1>a", "<div></b>", "<sup>2", "<blockquote>a<br>",
]  # fmt: skip


@pytest.mark.parametrize("part", REPEATED)
def test_twice_the_post_takes_twice_the_work(part):
    once, twice = (calls(to_markdown, part * size) for size in (1_000, 2_000))
    assert twice < 2.5 * once
    once, twice = (len(to_markdown(part * size)) for size in (1_000, 2_000))
    assert twice < 2.5 * once + 100


def test_ten_megabytes_are_read():
    text = "word " * 2_200_000
    assert to_markdown(f"<pre>{text}</pre>") == f"```\n{text}\n```"
    assert outside_of_code(to_markdown(f"<p title='{text}'>a<!--{text}-->")) == "a"

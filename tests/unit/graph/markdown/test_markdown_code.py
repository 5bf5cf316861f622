"""Code survives wherever it stands, as a CommonMark parser and the bench's reader find it."""

import html

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bench.markdown_fidelity import code_blocks, fenced_code, missing
from graph.markdown import to_markdown
from tests.fakes.markdown_reader import code_spans, fences
from tests.fakes.properties import examples, utf8_text

AROUND = [
    ("", ""),
    ("<ul><li>", "</li></ul>"),
    ("<ul><li>", "<p>more</p></li></ul>"),
    ("<ul><li>first</li><li><p>text</p>", "</li></ul>"),
    ("<ol start='9'><li>nine</li><li>", "</li></ol>"),
    ("<ul><li><ol><li>deep<ul><li>", "</li></ul></li></ol></li></ul>"),
    ("<blockquote>", "</blockquote>"),
    ("<blockquote><p>said</p><ul><li>", "</li></ul><p>so</p></blockquote>"),
    ("<ul><li><blockquote><blockquote>", "</blockquote></blockquote></li></ul>"),
    ("<table><tr><td>1</td><td>text ", " text</td><td>2</td></tr></table>"),
    ("<p>a <b>bold <a href='https://x'>", "</a></b></p>"),
    ("<h2>Head ", "</h2>"),
    ("<p><code>x", "y</code></p>"),
    ("<form><p>dropped</p>", "</form>"),
    ("<div>" * 300 + "<p>deep</p>", "</div>" * 300),
    ("<p>```</p><p>&lt;pre&gt;<br>~~~</p>", "<p>```</p>"),
    ("- <p>1. </p><p>- a</p><p>&gt; b</p>", "<p>    c</p>"),
]
CODE = [
    "x",
    "",
    " ",
    "\n",
    "\n\n  x",
    "x  \n  \n\ty\t\n\n",
    "```\na\n```\n````",
    "~~~\n> q\n- a\n  - b\n1. c\n# d\n    e",
    "a\u00a0b\u2028c\x0bd\x1ce\x85f",
    "<b>&amp;</b> &nbsp; <!-- c --> ]]>",
    "trailing \\\n| a | b |\n|---|---|",
]


def kept(code):
    return code.replace("\x00", "").replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n")


@pytest.mark.parametrize("around", AROUND)
def test_code_survives_in_every_place(around):
    for code in CODE:
        block = f"<pre><code>{html.escape(code)}</code></pre>"
        markdown = to_markdown(f"{around[0]}{block}{around[1]}<pre>last</pre>")
        assert fences(markdown) == [kept(code), "last"]
        assert list(fenced_code(markdown)) == [kept(code), "last"]


@examples(150)
@given(
    places=st.lists(st.sampled_from(AROUND), min_size=1, max_size=4),
    codes=st.lists(utf8_text, min_size=1, max_size=3),
)
def test_any_code_survives_in_any_nest_of_places(places, codes):
    blocks = "<p>between</p>".join(f"<pre>{html.escape('x' + code)}</pre>" for code in codes)
    source = "".join(start for start, _ in places) + blocks
    source += "".join(end for _, end in reversed(places))
    assert fences(to_markdown(source)) == [kept("x" + code) for code in codes]


TAGS = [
    "p", "pre", "code", "ul", "ol", "li", "blockquote", "table", "tr", "td", "a", "b", "em", "br",
    "h1", "div", "span", "form", "script",
]  # fmt: skip


@examples(200)
@given(
    source=st.lists(
        st.one_of(
            st.sampled_from([f"<{tag}>" for tag in TAGS] + [f"</{tag}>" for tag in TAGS] * 2),
            st.sampled_from(
                ["```", "~~~", "`", " ", "\n", "\t", "- ", "> ", "&lt;pre&gt;", "&#13;"]
            ),
            utf8_text.filter(lambda text: "<" not in text),
        ),
        max_size=30,
    ).map("".join)
)
@example("<ul><li>a<br>```<pre>x</pre>")
def test_code_survives_in_broken_html(source):
    expected = code_blocks(source)
    markdown = to_markdown(source)
    assert list(missing(expected, list(fenced_code(markdown)))) == []
    if "&#13;" not in source:  # CommonMark takes it for a line end
        assert list(missing(expected, fences(markdown))) == []


def test_the_bench_sees_what_is_missing():
    assert list(missing(["a", "b"], ["a", "x", "b"])) == []
    assert list(missing(["a", "b"], ["b", "a"])) == ["block 2 of 2 is missing: 'b'"]
    assert list(missing(["a "], ["a"])) == ["block 1 of 1 is missing: 'a '"]
    assert code_blocks("<pre>a<br>&lt;<pre>b</pre>\n\n</pre><pre></pre>") == ["a\n<b\n", ""]
    assert list(fenced_code("- a\n\n  ````x\n    b\n\n  ```\n  ````\n> ```\n> c\n>\n> ```")) == [
        "  b\n\n```",
        "c\n",
    ]


def test_line_ends_are_one_kind_and_null_is_none():
    assert to_markdown("<pre>a\r\nb\rc\x00d</pre>") == "```\na\nb\ncd\n```"


def test_a_carriage_return_that_is_spelt_out_stays_in_code():
    assert to_markdown("<pre>a&#13;b</pre>") == "```\na\rb\n```"


def test_a_line_end_before_the_first_line_stays():
    assert to_markdown("<pre>\nx</pre>") == "```\n\nx\n```"


def test_code_in_code_is_one_block():
    assert to_markdown("<pre>a\n<pre>b</pre>\nc</pre>d") == "```\na\nb\nc\n```\n\nd"


def test_unclosed_code_goes_on_to_the_end():
    assert to_markdown("<p>a</p><pre class='lang-py'>b\n c") == "a\n\n```python\nb\n c\n```"


def test_what_is_a_script_elsewhere_is_code_in_code():
    source = "<pre><code><script>\n  go(1 < 2)\n</script><style>p {}</style></code></pre>"
    assert to_markdown(source) == "```\n\n  go(1 < 2)\np {}\n```"


def test_code_keeps_its_text_at_the_borders_of_what_the_parser_is_given():
    line = "é &lt;&amp;&#x27;\t"
    for shift in range(7):
        (code,) = fences(to_markdown("<pre>" + "x" * shift + line * 20_000 + "</pre>"))
        assert code == "x" * shift + "é <&'\t" * 20_000


@pytest.mark.parametrize(
    ("classes", "language"),
    [
        (("default s-code-block", "hljs language-java"), "java"),
        (("lang-none s-code-block", "hljs language-java"), ""),
        (("lang-default", ""), ""),
        (("", "lang-objective-c"), "objective-c"),
        (("lang-" + "x" * 31, ""), ""),
        (("lang-a`b", ""), ""),
    ],
)
def test_one_class_of_the_block_or_of_its_code_names_the_language(classes, language):
    outer, inner = classes
    source = f'<pre class="{outer}"><code class="{inner}">x</code></pre>'
    assert to_markdown(source) == f"```{language}\nx\n```"


@pytest.mark.parametrize(
    ("code", "markdown"),
    [
        ("a`b", "``a`b``"),
        ("`a`", "`` `a` ``"),
        ("``", "` `` `"),
        ("a``b`c", "```a``b`c```"),
        ("a   b\tc", "`a   b\tc`"),
        (" a", "` a`"),
        (" a ", "`  a  `"),
        ("a\n  b", "`a b`"),
        ("\\", "`\\`"),
        ("a]b|*c*<b>", "`a]b|*c*<b>`"),
        ("a\u00a0b", "`a\u00a0b`"),
    ],
)
def test_a_code_span_keeps_its_characters(code, markdown):
    assert to_markdown(f"<p>x <code>{html.escape(code)}</code> y</p>") == f"x {markdown} y"


@examples(200)
@given(code=st.text(st.sampled_from("`` \\ab*]<|\u00a0"), min_size=1), text=utf8_text)
def test_a_code_span_reads_back(code, text):
    source = f"<p>{html.escape(text)} <code>{html.escape(code)}</code> {html.escape(text)}</p>"
    assert code in code_spans(to_markdown(source))


@pytest.mark.parametrize("tag", ["code", "kbd", "samp", "tt"])
def test_keys_and_output_are_code_as_well(tag):
    assert to_markdown(f"<p>press <{tag}>Ctrl</{tag}></p>") == "press `Ctrl`"


def test_stray_backticks_beside_a_code_span_are_escaped_and_pairs_stay():
    assert to_markdown("<p>a ` <code>x</code></p>") == "a \\` `x`"
    assert to_markdown("<p>a `b`<code>x</code></p>") == "a `b` `x`"
    assert to_markdown("<p>a `b` <code>x</code> `c` d</p>") == "a `b` `x` `c` d"
    assert to_markdown("<p>a ` b</p>") == "a ` b"


def test_marks_in_a_code_span_are_left_out_but_a_link_stays():
    assert to_markdown("<p><code>a <b>b</b> c</code></p>") == "`a b c`"
    assert to_markdown("<p><code>a <a href='/q'>b</a></code></p>") == "`a `[`b`](/q)"


def test_code_of_several_lines_in_a_sentence_becomes_a_block():
    source = "<p>so: <code>if x:\n    y\n    z</code> done</p>"
    assert to_markdown(source) == "so:\n\n```\nif x:\n    y\n    z\n```\n\ndone"
    assert to_markdown("<p><code>a<br>b<br>c</code></p>") == "```\na\nb\nc\n```"

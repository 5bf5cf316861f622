"""HTML posts become Markdown: code keeps every character, nothing active survives."""

import html
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from graph.markdown import to_markdown
from tests.fakes.markdown_reader import outside_of_code
from tests.fakes.properties import examples, utf8_text

FENCE = re.compile(r"(?P<fence>`{3,})(?P<language>[^\n`]*)\n(?P<code>.*)\n(?P=fence)", re.DOTALL)


def fenced(markdown):
    """Return language and code of a text that is one fenced block and nothing else."""
    match = FENCE.fullmatch(markdown)
    assert match, markdown
    longest = max(map(len, re.findall(r"^ {0,3}(`+)\s*$", match["code"], re.MULTILINE)), default=0)
    assert longest < len(match["fence"]), "the code closes its own fence"
    return match["language"], match["code"]


def as_html_reads_it(code):
    """HTML knows one line end, and no NUL."""
    return code.replace("\x00", "").replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n")


@examples(150)
@given(code=utf8_text)
@example(code="")
@example(code="```\nx\n```")
@example(code="    indented\n\n\n\ttabs  \n")
@example(code="**bold** _it_ # no heading\n1. no list\n> \\* [x](y) <b>&amp;</b>")
@example(code="a {b} {{c}} %s $d")
def test_code_keeps_every_character(code):
    source = f"<pre><code>{html.escape(code)}</code></pre>"
    assert fenced(to_markdown(source)) == ("", as_html_reads_it(code))


@examples(80)
@given(code=st.text(st.sampled_from("` \n~ax<&>\t")))
def test_code_between_paragraphs_keeps_every_character(code):
    source = f"<p>before</p><pre><code>{html.escape(code)}</code></pre><p>after</p>"
    markdown = to_markdown(source)
    assert markdown.startswith("before\n\n```")
    assert markdown.endswith("```\n\nafter")
    block = markdown.removeprefix("before\n\n").removesuffix("\n\nafter")
    assert fenced(block) == ("", as_html_reads_it(code))


@pytest.mark.parametrize(
    ("source", "language"),
    [
        ('<pre class="lang-python"><code>x</code></pre>', "python"),
        ('<pre class="lang-py prettyprint-override"><code>x</code></pre>', "python"),
        ('<pre class="default s-code-block lang-js"><code>x</code></pre>', "javascript"),
        ('<pre><code class="language-java hljs">x</code></pre>', "java"),
        ('<pre class="lang-c++"><code>x</code></pre>', "c++"),
        ('<pre class="lang-c#"><code>x</code></pre>', "c#"),
        ('<pre class="lang-none"><code>x</code></pre>', ""),
        ('<pre class="snippet"><code>x</code></pre>', ""),
        ("<pre><code>x</code></pre>", ""),
        ('<pre class="lang-sql">x</pre>', "sql"),
    ],
)
def test_the_language_comes_from_the_class(source, language):
    assert fenced(to_markdown(source)) == (language, "x")


def test_the_fence_is_longer_than_any_run_of_backticks():
    markdown = to_markdown("<pre><code>a ```` b\n`````\n</code></pre>")
    assert markdown == "``````\na ```` b\n`````\n``````"


def test_pre_without_code_is_code_too():
    assert to_markdown("<pre>  a &lt; b\n\n  c</pre>") == "```\n  a < b\n\n  c\n```"


def test_marked_up_code_loses_the_markup_alone():
    source = '<pre><code><span class="kwd">if</span> <b>x</b>:\n    y</code></pre>'
    assert to_markdown(source) == "```\nif x:\n    y\n```"


def test_a_line_break_tag_in_code_is_a_line_break():
    assert to_markdown("<pre>a<br>b<br/>c</pre>") == "```\na\nb\nc\n```"


@pytest.mark.parametrize(
    "tag", ["script", "style", "iframe", "object", "form", "svg", "noscript", "template"]
)
def test_active_elements_go_with_their_text(tag):
    assert to_markdown(f"<p>a</p><{tag} x='1'>evil()</{tag}><p>b</p>") == "a\n\nb"


def test_nested_active_elements_go_as_well():
    source = "<div><svg><script>evil()</script></svg><form><iframe></iframe>x</form>kept</div>"
    assert to_markdown(source) == "kept"


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        " javascript:alert(1)",
        "java\nscript:alert(1)",
        "&#106;avascript:alert(1)",
        "\x01javascript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:x",
        "file:///etc/passwd",
        "ftp://example.org/x",
        "",
    ],
)
def test_links_of_other_schemes_leave_their_text_alone(link):
    assert to_markdown(f'<p>see <a href="{link}">this</a> one</p>') == "see this one"


@pytest.mark.parametrize(
    "link", ["https://example.org/a?b=1", "http://example.org", "mailto:a@b.c", "/q/1", "#top"]
)
def test_plain_links_stay(link):
    assert to_markdown(f'<p><a href="{link}">this</a></p>') == f"[this]({link})"


def test_a_link_cannot_break_out_of_its_target():
    source = '<a href="https://x) [y](javascript:alert(1)">t</a>'
    assert "](javascript:" not in to_markdown(source)


@pytest.mark.parametrize("tag", ["video", "audio", "source", "track", "area", "base", "embed"])
def test_no_other_element_brings_a_script_link(tag):
    source = f'<p>a <{tag} src="javascript:x()" href="javascript:y()">b</{tag}></p>'
    assert "javascript:" not in to_markdown(source)


def test_a_video_fetches_no_picture():
    source = '<video src="https://x/v.mp4" poster="https://tracker/p.png">a film</video>'
    assert "![" not in to_markdown(source)


def test_of_a_picture_its_description_stays():
    source = '<p>a <img src="https://x/y.png" alt="a graph"> b <img src="z"> c</p>'
    assert to_markdown(source) == "a [image: a graph] b [image: no description] c"


def test_a_picture_in_a_link_is_text_in_a_link():
    source = '<a href="https://x"><img src="https://t/p.png" alt="pic"></a>'
    assert to_markdown(source) == "[[image: pic]](https://x)"


def test_nested_lists_keep_their_depth_and_their_code():
    source = (
        "<ul><li>one<ul><li>two<pre><code>x\n  y</code></pre></li></ul></li>"
        "<li>three</li></ul><ol><li>a</li><li>b</li></ol>"
    )
    assert to_markdown(source) == (
        "- one\n  - two\n\n    ```\n    x\n      y\n    ```\n- three\n\n1. a\n2. b"
    )


def test_headings_quotes_and_emphasis_become_markdown():
    source = (
        "<h2>Why</h2><blockquote><p>said <em>so</em></p></blockquote><p><strong>no</strong></p>"
    )
    assert to_markdown(source) == "## Why\n\n> said *so*\n\n**no**"


def test_inline_code_keeps_its_characters():
    assert to_markdown("<p>use <code>a_b * c_d</code></p>") == "use `a_b * c_d`"
    assert to_markdown("<p><code>List&lt;int&gt;</code></p>") == "`List<int>`"


def test_inline_code_may_hold_backticks():
    assert re.fullmatch(r"(`{2,}) ?a`b ?\1", to_markdown("<p><code>a`b</code></p>"))


def test_entities_are_read_and_nothing_is_escaped():
    source = "<p>a &amp;&amp; b &lt; c &quot;d&quot; &#39;e&#39; &eacute; *f* __g__ 1. [h]</p>"
    assert to_markdown(source) == "a && b < c \"d\" 'e' é *f* __g__ 1. [h]"


def test_text_without_markup_stays_as_it_is():
    assert to_markdown("  a_b * c\n\n  d  ") == "a_b * c\n\n  d"
    assert to_markdown("") == ""


def test_comments_are_dropped():
    assert to_markdown("<p>a<!-- secret -->b</p>") == "ab"


def test_a_lone_surrogate_is_no_reason_to_stop():
    assert to_markdown("<p>a \ud800 b</p>").startswith("a ")


def test_markup_nested_without_end_is_no_reason_to_stop():
    assert "deep" in to_markdown("<div>" * 2_000 + "deep" + "</div>" * 2_000)


@examples(100)
@given(
    source=st.lists(
        st.one_of(
            st.sampled_from(
                [
                    "<p>",
                    "</p>",
                    "<pre>",
                    "</pre>",
                    "<code>",
                    "</code>",
                    "<ul>",
                    "<li>",
                    "</ul>",
                    "<a>",
                    "</a>",
                    "<table>",
                    "<tr>",
                    "<td>",
                    "</table>",
                    "<b>",
                    "</i>",
                    "<br>",
                    "<h1>",
                    "<blockquote>",
                    "&",
                    "&lt;",
                    "&#0;",
                    "<script>",
                    "</script>",
                    "`",
                    "```",
                    "\n",
                ]
            ),
            utf8_text.filter(lambda text: "<" not in text),
        )
    ).map("".join)
)
def test_broken_html_never_raises_and_shows_a_script_at_most_as_code(source):
    markdown = to_markdown(f"{source}<script>evil()</script>")
    assert "evil" not in outside_of_code(markdown)
    if "<pre>" not in source:  # an unclosed block of code takes in all that follows
        assert "evil" not in markdown


@pytest.mark.parametrize("source", ["<![CDATA[ x ]]>", "<!DOCTYPE z><p>y", "<", "&#", "&amp"])
def test_other_markup_declarations_never_raise(source):
    assert "<!" not in to_markdown(source)


@pytest.mark.parametrize(
    ("source", "markdown"),
    [
        ("https://example.org/?a=1&amp;b=2", "https://example.org/?a=1&b=2"),
        ("<?xml v?><p>y</p>", "y"),
    ],
)
def test_no_post_makes_the_parser_give_advice_on_the_terminal(source, markdown):
    assert to_markdown(source) == markdown

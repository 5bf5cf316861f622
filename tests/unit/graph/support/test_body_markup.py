"""The markup of a column of bodies is told by many of them, and never guessed."""

import pytest

from graph.support.body_markup import has_reference, markup_of, markup_of_body
from tests.fakes.waiting import at_most_cpu_seconds

HTML = [
    "<p>I use <code>Map&lt;String, Integer&gt;</code></p>",
    "<pre><code># a comment\n- b\n</code></pre>",
    '<h2>Title</h2>\n\n<ul>\n<li>one</li>\n</ul>\n<p><a href="x">y</a></p>',
    "<strong>Update</strong>\n\n<p>text</p>",
    'Text first<br>\n<p>then <a href="https://x.org">a link</a></p>',
    "A &amp; B &lt; C",
    "1. one<p>2. two</p>",
    "Intro\n    indented\n<p>para</p>",
    "<p>never closed",
    "<b>never closed",
    "one<br>two",
    "one<br />two<HR>",
    "a picture <img src=x> in a line",
    "see <a href='x'>never closed",
    'Intro\n<p class="x">\n- one',
    "a <em>word</em> with stress",
]
MARKDOWN = [
    "I use `Map<String, List<Integer>>`",
    "Use Map<String, List<Integer>> here",
    "std::vector<int> v;",
    "template<class T> f(vector<p> x)",
    "Use List<a> here",
    "a Map<B, I> and a List<li>",
    "Set<code> of Optional<u>",
    "f(List<p> x, List<table> y)\n\nwhy?",
    "I run:\n\n    if x:\n        y()\n\nWhy?",
    "```html\n<p>text</p>\n```",
    "A form:\n\n    <div>\n      <p>x</p>\n    </div>\n",
    "# Title\n\ntext with <kbd>Ctrl</kbd>",
    "see [docs](https://x.org) &amp; more",
    "- one\n- two",
    "a < b && c",
    "in `<p>` tags",
]
PLAIN = ["", " ", "thanks, that works", "first\n\nsecond", "It costs 5 > 3", "a | b"]


@pytest.mark.parametrize("body", HTML)
def test_html_is_told_from_its_tags_and_references(body):
    assert markup_of_body(body) == "html"


@pytest.mark.parametrize("body", MARKDOWN)
def test_markdown_is_told_from_its_marks_and_bare_signs(body):
    assert markup_of_body(body) == "markdown"


@pytest.mark.parametrize("body", PLAIN)
def test_plain_words_are_no_evidence(body):
    assert markup_of_body(body) is None


@pytest.mark.parametrize(
    ("bodies", "markup"),
    [
        (HTML, "html"),
        (MARKDOWN, "markdown"),
        (PLAIN, "html"),
        ([], "html"),
        (HTML + PLAIN * 9, "html"),
        (MARKDOWN + PLAIN * 9, "markdown"),
        (HTML + MARKDOWN, "unclear"),
        (HTML * 20 + MARKDOWN, "html"),
        (MARKDOWN * 20 + HTML, "markdown"),
    ],
)
def test_nine_tenths_of_the_bodies_with_evidence_decide(bodies, markup):
    assert markup_of(bodies) == markup


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("x\n\n    code\n\n&lt; prose", True),
        ("x\n\n\tcode\nmore &amp; prose", True),
        ("x\n\n    code &lt;\n\nprose", False),
        ("x\n\n    code &lt;", False),
    ],
)
def test_indented_code_ends_with_its_line(text, found):
    assert has_reference(text) is found


@pytest.mark.parametrize(
    "text",
    ["x" + "\n" * 20_000, "](" * 20_000, "](x" * 20_000, " \n" * 20_000, "\n```\n" * 20_000]
    + [sign * 20_000 for sign in "`*<&#["],
)
def test_the_time_grows_with_the_length_alone(text):
    with at_most_cpu_seconds(5):
        markup_of_body(text)
        has_reference(text + "&")

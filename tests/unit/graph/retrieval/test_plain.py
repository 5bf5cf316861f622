"""What the sentence encoder reads: prose first, then code, without marks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.markdown import to_markdown
from graph.retrieval.plain import plain_text
from graph.retrieval.posts import Post
from graph.retrieval.query import Query
from tests.fakes.properties import examples
from tests.fakes.waiting import at_most_cpu_seconds


@pytest.mark.parametrize(
    ("markdown", "plain"),
    [
        ("", ""),
        ("# A heading\n\ntext", "A heading\ntext"),
        ("see [the docs](https://docs.python.org/3/), **now**", "see the docs, now"),
        ("use `dict[str]` here", "use dict[str] here"),
        ("- one\n- two\n  1. three", "one\ntwo\nthree"),
        ("> quoted\n>\n> > twice", "quoted\ntwice"),
        ("2 ** 3 is 8", "2 ** 3 is 8"),
        ("before\n\n```python\nx = [1](2)\n\ny\n```\n\nafter", "before\nafter\nx = [1](2)\ny"),
        ("- item\n\n  ```\n  code\n  ```\n\n  more", "item\nmore\n  code"),
        ("> ```\n> a\n> ```\n> b", "b\n> a"),
        ("````\n```\ninner\n```\n````\nend", "end\n```\ninner\n```"),
        ("```\nnever closed", "never closed"),
        ("~~~python\na * b\n```\n~~~\nend", "end\na * b\n```"),
        ("Try:\n\n    # no heading\n\n    - y\nend", "Try:\nend\n    # no heading\n    - y"),
        ("Try:\n\n\tx = 2**3**4", "Try:\n\tx = 2**3**4"),
        ("a line\n    that goes on", "a line\nthat goes on"),
        ("- item\n\n    its second paragraph", "item\nits second paragraph"),
        ("a ```inline``` b", "a inline b"),
    ],
)
def test_prose_comes_first_and_code_as_it_stands(markdown, plain):
    assert plain_text(markdown) == plain


def test_the_html_of_a_post_becomes_what_a_reader_sees():
    html = (
        "<p>How do I <b>sort</b>?</p><pre><code>sorted(x)</code></pre>"
        '<p>As in <a href="https://example.org/a">this page</a>.</p>'
    )
    markdown = to_markdown(html)
    assert plain_text(markdown) == "How do I sort?\nAs in this page.\nsorted(x)"
    markdown_post = Post("1", "A title", (), markdown, "2", markdown, "", False, "", "")
    assert markdown_post.field_text("question") == f"A title\n{plain_text(markdown)}"
    assert markdown_post.field_text("answer") == plain_text(markdown)
    assert Query.of(f"A title\n\n{markdown}").plain_text == markdown_post.field_text("question")


@examples(200)
@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs", "Zl", "Zp", "Cc", "Zs"]), min_size=1))
)
def test_no_line_of_code_is_lost(lines):
    code = [line for line in lines if line.strip(" >`")]
    text = plain_text("\n".join(["first", "````````", *code, "````````", "last"]))
    assert text.split("\n") == ["first", "last", *code] or any("`" * 8 in line for line in code)


@pytest.mark.parametrize(
    "piece", ["[", "](", "[]", "**", "*", "`", "```\n", "> ", "- ", "1. ", "<", "("]
)
def test_hostile_text_takes_no_more_than_linear_time(piece):
    with at_most_cpu_seconds(15):
        plain_text(piece * (1_000_000 // len(piece)))

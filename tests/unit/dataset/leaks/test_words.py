"""The words of posts and their runs: the same for a text in HTML and in Markdown."""

from dataset.leaks.words import covered_words, html_words, markdown_words, runs
from graph.markdown import to_markdown
from tests.fakes.leak_copies import posts


def test_words_are_those_of_the_text_whatever_the_mark_up():
    text = (
        "<h2>Dicts</h2><p>See <a href='https://example.org/a_(b)?c=d'>the docs</a>, <b>bo</b>ld"
        "<br>next<img src='x' alt='a shape'></p><ol><li>one</li><li>two</li></ol><!-- no -->"
        "<script>evil()</script><pre class='lang-python'><code>if a &lt; b:\n    c[d](e)</code></pre>"
    )
    words = ["dicts", "see", "the", "docs", "bo", "ld", "next", "one", "two", "if", *"abcde"]
    assert html_words(text) == words
    assert markdown_words(
        "## Dicts\n\nSee [the docs](https://example.org/a_%28b%29?c=d), **bo**ld\nnext"
        "[image: a shape]\n\n1. one\n2. two\n\n```python\nif a < b:\n    c[d](e)\n```"
    ) == words  # fmt: skip
    assert html_words("plain STRASSE straße") == ["plain", "strasse", "strasse"]
    assert html_words("你好 world") == ["你", "好", "world"]
    assert html_words("<div>" * 3000 + "deep &amp; down") == ["deep", "down"]
    assert html_words("<?xml version='1.0' encoding='utf-16'?><p>a\ud800b\x00</p>") != []
    assert html_words("") == html_words("<!-- -->") == []


def test_markdown_made_from_html_has_the_words_of_the_html():
    different = [
        post["question_id"]
        for post in posts()[::5]
        if markdown_words(to_markdown(post["question_body"])) != html_words(post["question_body"])
    ]
    assert different == []


def test_runs_are_counted_by_the_words_that_they_cover():
    words = list("abcdef")
    hashes = runs(words, 3)
    assert len(hashes) == 4
    assert runs(words, 7) == []
    assert covered_words(hashes, 3, set()) == 0
    assert covered_words(hashes, 3, {hashes[1]}) == 3
    assert covered_words(hashes, 3, {hashes[0], hashes[1]}) == 4
    assert covered_words(hashes, 3, {hashes[0], hashes[3]}) == 6
    assert runs(["x", *words], 3)[1:] == hashes

"""Lists, tables, links, pictures and sentences as Markdown."""

import pytest

from graph.markdown import to_markdown


@pytest.mark.parametrize(
    ("source", "markdown"),
    [
        ("<p>a <b> x </b>y</p>", "a **x** y"),
        ("<p>a<i> x</i>y</p>", "a *x*y"),
        ("<p><b><strong>a</strong> b</b></p>", "**a b**"),
        ("<p><b>a<br></b>b</p>", "**a**\nb"),
        ("<p>a <b> </b> b<em></em></p>", "a b"),
        ("<p><s>a</s> <del>b</del></p>", "~~a~~ ~~b~~"),
        ("<b>a<div>b</div></b>c", "**a**\n\n**b**\n\nc"),
        ("<p>  a \n\t b\r\nc\fd  e\n\n</p>", "a\nb\nc d e"),
        ("<p><b>a</b>\n<i>b</i><br>\n<br>c</p>", "**a**\n*b*\n\nc"),
        ("<p>a\n<b>\nb</b>\n<br>\nc <i>d\n</i> e</p>", "a\n**b**\nc *d*\ne"),
        ("<p>a<br>\n  b<br/><br/>c</p>", "a\nb\n\nc"),
        ("<p>a</p><p>&nbsp;</p><p> </p><p>b</p>", "a\n\nb"),
        ("a<div>b<span>c</span></div>d", "a\n\nbc\n\nd"),
        ("<p>2<sup>32</sup> log<sub>2</sub> <sup>note</sup></p>", "2^32 log2 note"),
        ("<p>a<hr>b</p>", "a\n\n---\n\nb"),
        ("<h1>a<br>b</h1><h6>c</h6>", "# a b\n\n###### c"),
        ("<h5>a</h3><p>b</p><p>c</p>", "##### a\n\nb\n\nc"),
        ("<dl><dt>a</dt><dd>b</dd></dl>", "a\n\nb"),
        ("<select><option>a</option><option>b</option></select>", "a\n\nb"),
        ("<p>&copy; &#8212; &#x1F600; &bogus; &lt;b&gt;</p>", "© — 😀 &bogus; <b>"),
        ("<p>C:\\dir\\*.txt a_b #1 + 2. x</p>", "C:\\dir\\*.txt a_b #1 + 2. x"),
    ],
)
def test_sentences(source, markdown):
    assert to_markdown(source) == markdown


@pytest.mark.parametrize(
    ("source", "markdown"),
    [
        ("<ol start=7><li>a<li>b</ol>", "7. a\n8. b"),
        ("<ol start='-2'><li>a</ol>", "1. a"),
        ("<ol start='9999999999'><li>a</ol>", "1. a"),
        ("<ol><li>a</li><li> </li><li>b</li></ol>", "1. a\n2. b"),
        ("<ul><li><p>a</p><p>b</p></li><li>c</li></ul>", "- a\n\n  b\n- c"),
        ("<ul><li>a<br>b</li></ul>", "- a\n  b"),
        ("<ul><li><ul><li>a</li></ul></li></ul>", "- - a"),
        ("<ol><li>a<ol><li>b</li></ol>c</li></ol>", "1. a\n   1. b\n\n   c"),
        ("<ol><li>a<ol start=4><li>b</li></ol></li></ol>", "1. a\n\n   4. b"),
        ("<li>a</li><li>b</li>c", "- a\n\n- b\n\nc"),
        ("<p>a</p><ul><li>b</li></ul><p>c</p>", "a\n\n- b\n\nc"),
        ("<blockquote><p>a</p><ul><li>b</ul></blockquote>", "> a\n>\n> - b"),
        ("<ul><li><ul><li>-</li></ul></li></ul>", "- - \\-"),
        ("<blockquote>a</blockquote><blockquote>b</blockquote>", "> a\n\n> b"),
        ("<ul><li>a<blockquote>b<br>c</blockquote></li></ul>", "- a\n\n  > b\n  > c"),
    ],
)
def test_lists_and_quotes(source, markdown):
    assert to_markdown(source) == markdown


HEAD = "<table><thead><tr><th>a</th><th>b</th></tr></thead><tbody>"


@pytest.mark.parametrize(
    ("source", "markdown"),
    [
        (
            f"{HEAD}<tr><td>1</td><td><code>x|y</code> <b>z</b></td></tr></tbody></table>",
            "| a | b |\n| --- | --- |\n| 1 | `x\\|y` **z** |",
        ),
        (
            f"{HEAD}<tr><td>1<br>2</td><td><p>3</p><p>4</p></td><td>5</td></tr></table>c",
            "| a | b |  |\n| --- | --- | --- |\n| 1 2 | 3 4 | 5 |\n\nc",
        ),
        (
            "<table><tr><th>a</th><td>1</td></tr><tr><th>b</th><td></td></tr></table>",
            "|  |  |\n| --- | --- |\n| a | 1 |\n| b |  |",
        ),
        ("<table><tr><td>a</td></tr><tr><td>b</td></tr></table>", "a\n\nb"),
        ("<table><tr><td></td><td> </td></tr></table>", ""),
        (
            f"{HEAD}<tr><td>1</td><td>c<pre>x\ny</pre>d</td><td>e</td></tr></table>",
            "| a | b |\n| --- | --- |\n| 1 |\n\nc\n\n```\nx\ny\n```\n\nd\n\ne",
        ),
        (
            f"{HEAD}<tr><td><ul><li>x</li></ul></td><td>y</td></tr></table>",
            "| a | b |\n| --- | --- |\n\n- x\n\ny",
        ),
        (
            f"<table><tr><td>o{HEAD}<tr><td>1<td>2</table>p</td></tr></table>",
            "o\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n\np",
        ),
        (
            f"<ul><li>l{HEAD}<tr><td>1<td>2</table></li></ul>",
            "- l\n\n  | a | b |\n  | --- | --- |\n  | 1 | 2 |",
        ),
        (f"<table><caption>t</caption>{HEAD[7:]}", "t\n\n| a | b |\n| --- | --- |"),
        ("<td>a</td><tr>b<td>c", "a\n\nb\n\nc"),
    ],
)
def test_tables(source, markdown):
    assert to_markdown(source) == markdown


@pytest.mark.parametrize(
    ("source", "markdown"),
    [
        ("<a href='https://x/y'>https://x/y</a>", "<https://x/y>"),
        ("<a href='/q/1'>/q/1</a>", "[/q/1](/q/1)"),
        ("<a href='https://x/a_(b)'>t</a>", "[t](https://x/a_%28b%29)"),
        ("<a href='https://x/a b\\c`'>t</a>", "[t](https://x/a%20b%5Cc%60)"),
        ("<a href='https://x/?a=1&amp;b=é'>t</a>", "[t](https://x/?a=1&b=é)"),
        ("<a href='HTTPS://x'><code>f()</code> <b>x</b></a>", "[`f()` **x**](HTTPS://x)"),
        ("see <a href='https://x'> this </a>one", "see [this](https://x) one"),
        ("<a href='https://x'>a<br>b</a>", "[a b](https://x)"),
        ("<a href='https://x'></a><a name='y'>z</a>", "z"),
        ("<a href='https://x'><p>a</p><p>b</p></a>", "[a](https://x)\n\n[b](https://x)"),
        ("C:\\<a href='https://x'>t</a>", "C:\\\\[t](https://x)"),
        ("look!<a href='https://x'>t</a>", "look&#33;[t](https://x)"),
        ("<a href='DATA:text/html,x'>t</a>", "t"),
    ],
)
def test_links(source, markdown):
    assert to_markdown(f"{source}<p></p>") == markdown


@pytest.mark.parametrize(
    "attributes",
    [
        "width=1 height=1",
        "width='1px' height='1px'",
        "height=0",
        "hidden",
        "style='display: none'",
        "style='color:red;VISIBILITY:hidden'",
        "style='width:1px;height:1px'",
        "style='height : 0'",
    ],
)
def test_hidden_pictures_leave_nothing(attributes):
    assert to_markdown(f"<p>a<img src='https://t/p.gif' alt='x' {attributes}>b</p>") == "ab"


@pytest.mark.parametrize(
    "attributes", ["width=10 height=100", "style='max-width:1px; border:0'", "style='width:100%'"]
)
def test_other_pictures_leave_their_description(attributes):
    source = f"<p>a <img src='https://t/p.gif' alt=' a\n b ' {attributes}></p>"
    assert to_markdown(source) == "a [image: a b]"

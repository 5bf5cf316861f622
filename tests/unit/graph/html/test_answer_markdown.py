"""Answers as HTML: what is rendered, what stays text, and that nothing foreign gets through."""

from html import unescape

import pytest
from lxml import html

from graph.html import stylesheet
from graph.html.answer_markdown import answer_html, highlighted
from tests.fakes.rendered_markdown import ATTRIBUTES, TAGS
from tests.fakes.report_pages import hostile
from tests.fakes.waiting import at_most_cpu_seconds

LINK = 'target="_blank" rel="noreferrer noopener nofollow"'
LONG = {
    "brackets": "[" * 50_000,
    "quotes": ">" * 50_000,
    "stars": "*a" * 25_000,
    "lists": "- " * 25_000,
    "images": "![" * 25_000,
    "one line of a diff": "```diff\n" + "+" * 19_000,
    "one line of Python": "```python\n" + "(" * 19_000,
    "open strings": "```javascript\n" + "`${" * 6_000,
    "names in C": ("```c\n" + "a\n" * 2_490 + "```\n") * 9,
    "names in C#": ("```csharp\n" + ("a\n" * 240 + ";\n") * 10 + "```\n") * 9,
    "a table of empty cells": "|a" * 90 + "|\n" + "|-" * 90 + "|\n" + "a\n" * 4_700,
    "tables of empty cells": ("|a" * 90 + "|\n" + "|-" * 90 + "|\n" + "a\n" * 90 + "\n") * 90,
    "lines of a quote in quotes": ">" * 19 + "\n" + "[\n" * 4_900,
    "more lines of it": ">" * 19 + "\n" + "[\n" * 24_000,
}


def parsed(text):
    return html.fragment_fromstring(str(text), create_parent="div")


@pytest.mark.parametrize(
    ("markdown", "rendered"),
    [
        ("*a* **b** `c`", "<p><em>a</em> <strong>b</strong> <code>c</code></p>\n"),
        ("a <b>b</b>", "<p>a &lt;b&gt;b&lt;/b&gt;</p>\n"),
        ("<div>\nx\n</div>", "<p>&lt;div&gt;\nx\n&lt;/div&gt;</p>\n"),
        ("# One\n\n###### Six", "<h3>One</h3>\n<h6>Six</h6>\n"),
        (
            "[x](https://a.example/?q=1&r=2)",
            f'<p><a href="https://a.example/?q=1&amp;r=2" {LINK}>x</a></p>\n',
        ),
        ("[x](javascript:alert)", "<p>[x](javascript:alert)</p>\n"),
        ("[x](/settings)", "<p>[x](/settings)</p>\n"),
        ("[x](//evil.example)", "<p>[x](//evil.example)</p>\n"),
        (
            "![alt](http://a.example/p.png)",
            f'<p><a class="image" href="http://a.example/p.png" {LINK}>image: alt</a></p>\n',
        ),
        ("![alt](data:image/png;base64,AA)", "<p>![alt](data:image/png;base64,AA)</p>\n"),
        (
            "[![alt](http://a.example/p.png)](http://b.example)",
            f'<p><a href="http://b.example" {LINK}>image: alt</a></p>\n',
        ),
        ("```\n<x>\n```", '<pre class="code"><code>&lt;x&gt;\n</code></pre>\n'),
        ("```nonsense\nx\n```", '<pre class="code"><code>x\n</code></pre>\n'),
        ("    x = 1", '<pre class="code"><code>x = 1\n</code></pre>\n'),
    ],
)
def test_markdown_is_rendered_and_everything_else_is_text(markdown, rendered):
    assert str(answer_html(markdown)) == rendered


def test_the_alignment_of_a_table_is_a_class():
    rendered = str(answer_html("| a | b |\n|---|--:|\n| 1 | 2 |"))
    assert "<td>1</td>" in rendered
    assert '<td class="right">2</td>' in rendered
    assert "style" not in rendered


@pytest.mark.parametrize("language", ["python", "lang-python", "Python3", "py title=x"])
def test_code_has_the_classes_of_its_colours(language):
    code = parsed(answer_html(f"```{language}\ndef f():\n    return '<b>'\n```"))
    assert code.xpath("pre/@data-language") == ["python"]
    assert [node.text for node in code.xpath("//span[@class='hl-k']")] == ["def", "return"]
    assert code[0].text_content() == "def f():\n    return '<b>'\n"


@pytest.mark.parametrize(
    "code", ["a = 1", "x\n\n", "\n\n y = '<'", "", "$ ls\nfoo", "+a\n-b", "a\tb"]
)
@pytest.mark.parametrize("language", ["python", "console", "diff", "html", "sql", "make"])
def test_every_character_of_code_stays(code, language):
    assert parsed(highlighted(code, language)).text_content() == code


@pytest.mark.parametrize(
    ("markdown", "linked"),
    [
        ("as [1] says", [1]),
        ("[1, 3]", [1, 3]),
        ("[1][2]", [1, 2]),
        ("[4] and [0]", []),
        ("**[2]**", [2]),
        ("| a |\n|---|\n| [2] |", [2]),
        ("`[1]` and ```[2]```", []),
        ("    x[1]", []),
        ("rows[1] and f(x)[2]", []),
        ("[[1, 2], [3]]", []),
        ("[[1]]", []),
        ("The list [1, 2, 3] becomes", []),
        ("The list **[1, 2, 3]** becomes", []),
        ("sorted gives [3, 1, 2]", []),
        ("sorted them: [3, 1, 1]", []),
        ("Use a lock [1, 2, 3].", [1, 2, 3]),
        ("in [1, 2] and [1][3]", [1, 2, 1, 3]),
        (r"see \[2\] and [2\] and &#91;2]", []),
        (r"\*a [2]", [2]),
        ("`row`[1], `a` [2]", [2]),
        ("_[1], a*[2]", [2]),
        ("a\n[1]", [1]),
        ("[see [1]](https://a.example)", []),
        ("[1](https://a.example)", []),
    ],
)
def test_citations_lead_to_their_passages(markdown, linked):
    tree = parsed(answer_html(markdown, 3))
    assert tree.xpath("//a[@class='citation']/@href") == [f"#passage-{n}" for n in linked]
    assert tree.xpath("//a[@class='citation']/text()") == [str(n) for n in linked]
    assert parsed(answer_html(markdown)).xpath("//a[@class='citation']") == []


def test_hostile_texts_bring_no_tag_attribute_or_address_of_their_own():
    texts = hostile()
    texts += [f"```python\n{text}\n```" for text in texts] + [f"[x]({text})" for text in texts]
    texts += [f"![{text}](https://a.example/{text})" for text in texts]
    for text in texts:
        if "\x00" in text or "\ud800" in text:
            text = text.replace("\x00", "").encode("utf-8", "replace").decode()
        tree = parsed("".join(c for c in str(answer_html(text, 9)) if c >= " " or c in "\n\t"))
        nodes = list(tree.iterdescendants())
        assert {node.tag for node in nodes} <= TAGS
        assert {name for node in nodes for name in node.attrib} <= ATTRIBUTES
        addresses = [node.get("href") for node in nodes if node.tag == "a"]
        assert all(a.startswith(("http://", "https://", "#passage-")) for a in addresses)


@pytest.mark.parametrize("address", ["http://" + "x" * 1_900, "http://" + "漢" * 200])
@pytest.mark.parametrize("use", ["[a] ", "![a] "])
def test_an_address_that_is_used_often_does_not_multiply(address, use):
    rendered = str(answer_html(f"[a]: {address}\n\n" + use * 9_000))
    assert len(rendered) < 1_500_000
    assert 'href="http' in rendered


def test_a_very_long_address_makes_no_link():
    assert "href" not in str(answer_html(f"[a](http://{'x' * 2_000})"))


@pytest.mark.parametrize("name", LONG)
def test_no_text_takes_long(name):
    answer_html("```python\nx\n```")
    with at_most_cpu_seconds(4):
        answer_html(LONG[name], 9)


def source_of(rendered):
    """Return the text that is shown as it is; None for one that is rendered."""
    start, end = '<pre class="text">', "</pre>"
    is_source = rendered.startswith(start) and rendered.endswith(end)
    return unescape(rendered[len(start) : -len(end)]) if is_source else None


@pytest.mark.parametrize(
    "text",
    [
        "<b>*x*</b> " * 10_000,
        "*a*\n" * 5_001,
        "[1,2,3,4,5,6,7,8,9]." * 2_490,
        "- " * 10 + "deep",
        ">" * 20 + " deep\n\nnext",
    ],
)
def test_what_is_too_much_is_shown_as_it_is(text):
    assert source_of(str(answer_html(text, 9))) == text


def rows(columns, lines):
    return "|" + "x|" * columns + "\n|" + "-|" * columns + "\n" + "y\n" * lines


@pytest.mark.parametrize(
    ("text", "tables"),
    [
        (rows(100, 9), 1),
        (rows(101, 9), 0),
        (rows(1_000, 3_000), 0),
        (rows(20, 400), 1),
        ((rows(20, 200) + "\n") * 5, 2),
        ("> " + rows(101, 0).replace("\n", "\n> "), 0),
    ],
)
def test_a_large_table_is_text(text, tables):
    tree = parsed(answer_html(text))
    assert len(tree.xpath("//table")) == tables
    assert tree.text_content().count("x") == text.count("x")
    assert tree.text_content().count("y") == text.count("y")


def test_only_the_first_blocks_of_much_code_have_colours():
    block = "```python\n" + "return [1]  # one\n" * 200 + "```\n"
    blocks = parsed(answer_html(block * 6)).xpath("//pre")
    assert [bool(node.xpath(".//span")) for node in blocks] == [True] * 4 + [False] * 2
    assert len({node.text_content() for node in blocks}) == 1


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("c", "int a = 1;\n" + "\n" * 600),
        ("cpp", "int a = 1;\n" + "\n " * 300),
        ("csharp", "int a = 1;\n" + "@a\n" * 300),
        ("java", "int a = 1;\n" + "a b " * 300),
        ("make", "a: b\n" + "a1" * 1_100),
        ("typescript", "let a = 1\n" + "a." * 1_100),
        ("console", "$ ls\n" + "a::" * 1_100),
    ],
)
def test_what_a_lexer_would_read_again_and_again_has_no_colours(language, code):
    assert "<span" in highlighted(code[:11], language)
    assert "<span" not in highlighted(code, language)


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("bash", "# all\n" + "sudo apt install python\n" * 25),
        ("sql", "SELECT name\nFROM table\nWHERE id\n" * 30),
        ("python", f'text = "{"x" * 600}"\n'),
        ("python", f"x = 1\n# {'a long comment ' * 50}\n"),
        ("typescript", f"let x = 1 // {'a long comment ' * 50}\n"),
        ("java", f"int x = 1; // {'one, two. ' * 60}\n"),
        ("c", "int one(void) {\n    return 1;\n}\n\n" * 135),
        ("csharp", "public int One() {\n    return 1;\n}\n\n" * 125),
        ("python", ("def one():\n    return 1\n\n\n" * 180)),
        ("yaml", "word: a word\n" * 380),
    ],
)
def test_ordinary_code_keeps_its_colours(language, code):
    assert len(code) <= 5_000
    assert "<span" in highlighted(code, language)


SLOW = {
    "csharp": "@ab\n" * 124 + ";",
    "java": "a b " * 124 + ";",
    "c": "ab" + "\t\t\n" * 165 + ";",
    "cpp": "ab" + "\t\t\n" * 165 + ";",
    "make": "a1" * 999 + "\n",
    "typescript": "a." * 999 + "\n",
    "console": "a::" * 660 + "\n",
    "ini": ": ",
}


@pytest.mark.parametrize("language", SLOW)
def test_the_slowest_code_takes_less_than_two_seconds(language):
    highlighted("x", language)
    block = (SLOW[language] * 2_500)[:4_980]
    # Different blocks: equal ones are coloured once.
    text = "\n".join(f"```{language}\n{n}{block}\n```" for n in range(3))
    with at_most_cpu_seconds(2):
        rendered = answer_html(text)
    assert rendered.count("data-language") == 3


def test_every_class_of_the_stylesheet_for_code_is_one_that_code_can_have():
    from pygments.token import STANDARD_TYPES

    names = {
        part.split(",")[0].split(" ")[0].rstrip("{") for part in stylesheet().split(".hl-")[1:]
    }
    assert names <= {*STANDARD_TYPES.values()}
    assert len(names) > 40


@pytest.mark.parametrize(
    ("markdown", "rendered"),
    [
        ("~~a~~", "<p><s>a</s></p>\n"),
        ("![](http://a.example/p)", "image: http://a.example/p</a></p>\n"),
        ("[x](HTTPS://a.example)", f'<p><a href="HTTPS://a.example" {LINK}>x</a></p>\n'),
        ("[x](http:a.example)", "<p>[x](http:a.example)</p>\n"),
        ("[x](https+evil://a)", "<p>[x](https+evil://a)</p>\n"),
        ("```brainfuck\n+\n```", '<pre class="code"><code>+\n</code></pre>\n'),
    ],
)
def test_more_of_markdown_is_rendered(markdown, rendered):
    assert str(answer_html(markdown)).endswith(rendered)


def test_a_citation_behind_a_link_leads_to_its_passage():
    tree = parsed(answer_html("[x [1]](https://a.example) and [2], ![y](https://b.example) [1]", 2))
    assert tree.xpath("//a[@class='citation']/@href") == ["#passage-2", "#passage-1"]


def test_long_code_has_no_colours_and_keeps_its_text():
    code = "return [1]  # one\n" * 300
    assert len(code) > 5_000
    assert highlighted(code, "python") == code
    assert "<span" in highlighted(code[:1_800], "python")


def test_the_lines_of_code_end_as_those_of_the_page():
    assert parsed(highlighted("a\r\nb\rc", "python")).text_content() == "a\nb\nc"

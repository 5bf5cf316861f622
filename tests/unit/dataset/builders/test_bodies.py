"""Bodies in Markdown become the HTML of a corpus, and come back with all of their code."""

import pytest

from dataset.builders import bigquery, huggingface, stackexchange
from dataset.builders.bodies import open_bodies
from dataset.builders.post_parsing import POST_COLUMNS
from dataset.builders.post_selection import Selection
from graph.markdown import to_markdown
from graph.retrieval.corpus import read_corpus
from graph.support.errors import DatasetError
from tests.fakes.csv_files import read_csv, write_csv
from tests.fakes.dumps import answer, question, write_dump

CODE = "if a < b && c:\n    x = Map<String, List<Integer>>\n        deep()"
INDENTED = "\n".join(f"    {line}" for line in CODE.split("\n"))
BODY = f"I use `Map<String, List<Integer>>` and std::vector<int>:\n\n{INDENTED}\n\nWhy **not**?"
READ = (
    f"I use `Map<String, List<Integer>>` and std::vector<int>:\n\n```\n{CODE}\n```\n\nWhy **not**?"
)


def converted(body, bodies="auto"):
    rows, html_of = open_bodies([{"Body": body}], ("Body",), bodies, "source")
    return to_markdown(html_of(next(rows)["Body"]))


@pytest.mark.parametrize(
    ("body", "markdown"),
    [
        (BODY, READ),
        (f"{INDENTED}\n\nWhy?", f"```\n{CODE}\n```\n\nWhy?"),
        (f"I run\n\n```python\n{CODE}\n```", f"I run\n\n```python\n{CODE}\n```"),
        ("    \tx\n        y\n", "```\n\tx\n    y\n```"),
        ("`&lt;` is &lt;", "`&lt;` is <"),
        ("```\n&lt;p&gt;\n```", "```\n&lt;p&gt;\n```"),
        ("std::map<int, std::vector<int>> m;", "std::map<int, std::vector<int>> m;"),
        ("press <kbd>Ctrl</kbd> **now**", "press <kbd>Ctrl</kbd> **now**"),
        ("> quoted\n\n- a\n- b", "> quoted\n\n- a\n- b"),
        ("see [this][1]\n\n  [1]: https://x.org/y", "see [this](https://x.org/y)"),
        ("<!-- language: lang-py -->\n\n    x = 1", "```\nx = 1\n```"),
    ],
)
def test_code_and_angle_brackets_of_markdown_are_kept(body, markdown):
    assert converted(body, "markdown") == markdown


@pytest.mark.parametrize("body", ["<p>a &lt; b</p>", "<pre><code>- x\n    y\n</code></pre>"])
def test_html_is_kept_as_it_is(body):
    rows, html_of = open_bodies([{"Body": body}], ("Body",), "auto", "source")
    assert [html_of(row["Body"]) for row in rows] == [body]


def test_the_option_decides_where_the_bodies_would_not():
    assert converted("a `b` c", "html") == "a `b` c"
    assert converted("Map<String, Integer> x", "markdown") == "Map<String, Integer> x"
    assert converted("<b>bold</b>", "markdown") == "<b>bold</b>"


def test_both_kinds_in_one_source_are_refused_with_the_option():
    rows = [{"Body": "<p>a</p>"}, {"Body": "`b`"}]
    with pytest.raises(DatasetError, match="source: some bodies are HTML and some Markdown; say"):
        open_bodies(rows, ("Body",), "auto", "source")


def test_every_row_of_the_source_comes_back():
    rows = [{"Body": f"<p>{number}</p>"} for number in range(5000)]
    assert list(open_bodies(rows, ("Body",), "auto", "source")[0]) == rows


def posts(body):
    return [question(4, Body=body), answer(9, 4, Body=body)]


def build_dump(tmp_path, target, body, bodies):
    stackexchange.build(
        write_dump(tmp_path, posts(body), "utf-8"),
        target,
        selection=Selection(),
        site="x.org",
        bodies=bodies,
    )


def build_parquet(tmp_path, target, body, bodies):
    arrow = pytest.importorskip("pyarrow", reason="parquet needs pyarrow")
    from pyarrow.parquet import write_table

    rows = [{name: post.get(name) for name in POST_COLUMNS} for post in posts(body)]
    write_table(arrow.Table.from_pylist(rows), tmp_path / "p.parquet")
    huggingface.build(
        str(tmp_path / "p.parquet"),
        target,
        split="train",
        selection=Selection(),
        site="x.org",
        bodies=bodies,
    )


def build_export(tmp_path, target, body, bodies):
    row = {"question_id": "4", "question_title": "t", "question_body": body}
    row |= {"question_tags": "python", "answer_id": "9", "answer_body": body, "answer_score": "5"}
    bigquery.build(write_csv(tmp_path / "e.csv", [row]), target, site="x.org", bodies=bodies)


@pytest.mark.parametrize("build", [build_dump, build_parquet, build_export])
@pytest.mark.parametrize("bodies", ["auto", "markdown"])
def test_each_builder_keeps_the_code_of_markdown(tmp_path, build, bodies):
    build(tmp_path, tmp_path / "out.csv", BODY, bodies)
    (post,) = read_corpus(tmp_path / "out.csv")
    assert (post.question, post.answer) == (READ, READ)


@pytest.mark.parametrize("build", [build_dump, build_parquet, build_export])
def test_each_builder_keeps_html_byte_by_byte(tmp_path, build):
    body = "<p>a &lt; b\n</p>\n<pre><code>    x\n</code></pre>"
    build(tmp_path, tmp_path / "out.csv", body, "auto")
    (row,) = read_csv(tmp_path / "out.csv")
    assert (row["question_body"], row["answer_body"]) == (body, body)

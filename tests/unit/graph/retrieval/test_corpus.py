"""The corpus: each row becomes a post in Markdown, or is refused with its number."""

import json
from contextlib import suppress
from pathlib import Path

import pytest

from graph.retrieval.corpus import default_corpus, read_corpus
from graph.retrieval.posts import Post
from graph.support.errors import DatasetError
from graph.support.table_files import CORPUS_COLUMNS
from tests.fakes.corpora import row, write_corpus


def test_a_row_becomes_a_post_in_markdown(tmp_path):
    html_row = row(
        7,
        "  How   to\n copy? ",
        "<p>See <code>x</code></p>",
        " python | deep-copy ||c++",
        answer_body="<pre class='lang-py'><code>a &lt; b\n</code></pre>",
        question_url="https://example.org/q/7",
        licence="CC BY-SA 4.0",
    )
    assert list(read_corpus(write_corpus(tmp_path / "c.csv", [html_row]))) == [
        Post(
            question_id="7",
            title="How to copy?",
            tags=("python", "deep-copy", "c++"),
            question="See `x`",
            answer_id="1007",
            answer="```python\na < b\n```",
            answer_score="0",
            accepted=False,
            url="https://example.org/q/7",
            licence="CC BY-SA 4.0",
        )
    ]


def test_link_and_licence_are_empty_where_a_corpus_has_none(tmp_path):
    (read,) = read_corpus(write_corpus(tmp_path / "c.csv", [row(1, "t")]))
    assert (read.url, read.licence, read.tags, read.accepted) == ("", "", (), False)


@pytest.mark.parametrize(
    ("mark", "accepted"),
    [
        ("True", True),
        (" 1 ", True),
        ("1.0", True),
        ("yes", True),
        ("t", True),
        ("False", False),
        ("0", False),
        ("", False),
        ("None", False),
        ("2", False),
    ],
)
def test_the_accepted_mark_is_read_as_tables_write_it(tmp_path, mark, accepted):
    (read,) = read_corpus(write_corpus(tmp_path / "c.csv", [row(1, "t", is_accepted=mark)]))
    assert read.accepted is accepted


@pytest.mark.parametrize("missing", CORPUS_COLUMNS)
def test_each_of_the_seven_columns_is_needed(tmp_path, missing):
    rows = [{name: text for name, text in row(1, "t").items() if name != missing}]
    with pytest.raises(DatasetError, match=f"c.csv: column '{missing}' missing; it has "):
        list(read_corpus(write_corpus(tmp_path / "c.csv", rows)))


def test_a_row_without_an_id_is_refused_with_its_number(tmp_path):
    corpus = write_corpus(tmp_path / "c.csv", [row(1, "t"), row(2, "t", question_id=" ")])
    with pytest.raises(DatasetError, match="row 2: question_id is empty"):
        list(read_corpus(corpus))


def test_a_json_row_that_lacks_a_column_is_a_mistake_of_the_data(tmp_path):
    corpus = tmp_path / "c.jsonl"
    second = {name: text for name, text in row(2, "t").items() if name != "answer_body"}
    corpus.write_text(f"{json.dumps(row(1, 't'))}\n{json.dumps(second)}\n", encoding="utf-8")
    with suppress(DatasetError):
        assert [read.answer for read in read_corpus(corpus)] == ["answer 1", ""]


def test_your_own_corpus_comes_before_the_sample(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DatasetError, match="name one with --corpus PATH"):
        default_corpus()
    for folder in ("dataset/sample", "dataset"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        Path(folder, "question_answer.csv").touch()
        assert default_corpus() == Path(folder, "question_answer.csv")


@pytest.mark.parametrize("cell", ["11.0", "[11]", '["11"]', "1.1e1", " 11 "])
def test_the_ids_of_a_corpus_are_read_in_each_notation(tmp_path, cell):
    corpus = write_corpus(tmp_path / "c.csv", [row(1, "t", question_id=cell, answer_id=cell)])
    (read,) = read_corpus(corpus)
    assert (read.question_id, read.answer_id) == ("11", "11")


@pytest.mark.parametrize("cell", ["1.5", "11,12", "1.23457E+08"])
def test_an_id_that_cannot_be_read_is_refused_with_its_number(tmp_path, cell):
    corpus = write_corpus(tmp_path / "c.csv", [row(1, "t"), row(2, "t", question_id=cell)])
    with pytest.raises(DatasetError, match=f"row 2: question_id '{cell[:3]}"):
        list(read_corpus(corpus))


@pytest.mark.parametrize(
    "body",
    [
        "I use `Map<String, List<Integer>>`",
        "std::vector<int> v;",
        "I run\n\n    if x:\n        y()\n\nWhy?",
        "```html\n<p>&lt;</p>\n```",
    ],
)
def test_bodies_that_are_markdown_are_kept_and_told_of(tmp_path, caplog, body):
    rows = [row(number, "t", body, answer_body=body) for number in (1, 2)]
    corpus = write_corpus(tmp_path / "c.csv", rows)
    assert [(read.question, read.answer) for read in read_corpus(corpus)] == [(body, body)] * 2
    assert caplog.messages == [f"{corpus}: its bodies are Markdown, and are read so"]


def test_a_corpus_of_both_is_read_as_html_and_told_of(tmp_path, caplog):
    rows = [row(1, "t", "<p>a</p>"), row(2, "t", "a `b` **c**", answer_body="- d")]
    assert len(list(read_corpus(write_corpus(tmp_path / "c.csv", rows)))) == 2
    assert "some bodies look like Markdown, and all are read as HTML" in caplog.text


HTML_BODY = "<p>a</p>"
MARKDOWN_BODY = "a `b` **c**"


@pytest.mark.parametrize(
    ("most", "other", "line"),
    [
        (HTML_BODY, MARKDOWN_BODY, "bodies that look like Markdown, read as HTML: 2"),
        (MARKDOWN_BODY, HTML_BODY, "bodies that look like HTML, read as Markdown: 2"),
    ],
)
def test_bodies_in_another_markup_than_most_are_counted(tmp_path, caplog, most, other, line):
    rows = [row(number, "t", most, answer_body=most) for number in range(1, 20)]
    rows.append(row(20, "t", other, answer_body=other))
    corpus = write_corpus(tmp_path / "c.csv", rows)
    assert len(list(read_corpus(corpus))) == 20
    assert caplog.messages[-1] == f"{corpus}: {line}"


def test_bodies_in_another_markup_after_the_sample_are_counted(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr("graph.support.body_markup.SAMPLE", 6)
    rows = [row(number, "t", HTML_BODY) for number in (1, 2, 3)]
    rows += [row(number, "t", MARKDOWN_BODY) for number in (4, 5, 6, 7)]
    corpus = write_corpus(tmp_path / "c.csv", rows)
    assert len(list(read_corpus(corpus))) == 7
    assert caplog.messages == [f"{corpus}: bodies that look like Markdown, read as HTML: 4"]

"""From the rows of a dataset to questions, in both shapes that a dataset may have."""

import json
from pathlib import Path

import pytest

from dataset import Question, default_dataset, read_questions
from graph.support.errors import DatasetError


@pytest.fixture
def questions(tmp_path):
    """Write rows to a file and read their questions."""

    def read(*rows):
        path = tmp_path / "d.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return read_questions(path)

    return read


def test_a_plain_row_is_markdown_as_it_stands(questions):
    assert questions({"question": " why?\n", "answer": " because ", "eval_id": "q1"}) == [
        Question(
            eval_id="q1",
            title="",
            body=" why?\n",
            reference=" because ",
            is_html=False,
            relevant_question_ids=(),
        )
    ]


def test_a_row_of_the_other_shape_is_html(questions):
    row = {
        "question_title": " Title ",
        "question_body": "<p>why?</p>",
        "answer_body": "<p>because</p>",
        "relevant_question_ids": "7| 8 ||9",
    }
    assert questions(row) == [
        Question(
            eval_id="1",
            title="Title",
            body="<p>why?</p>",
            reference="<p>because</p>",
            is_html=True,
            relevant_question_ids=("7", "8", "9"),
        )
    ]


def test_criteria_are_the_json_of_their_column(questions):
    row = {"question": "q", "answer": ""}
    cells = [' {"keywords": ["a"]} ', "", "nan"]
    rows = [{**row, "eval_id": str(n), "criteria": cell} for n, cell in enumerate(cells)]
    assert [question.criteria for question in questions(*rows)] == ['{"keywords": ["a"]}', "", ""]


@pytest.mark.parametrize("cell", ["[1]", "{", "keywords", "[" * 100_000])
def test_criteria_that_are_no_json_object_are_refused_with_their_row(questions, cell):
    rows = [{"question": "q", "answer": "a", "criteria": text} for text in ("{}", cell)]
    with pytest.raises(DatasetError, match="row 2: criteria is no JSON object: write it as"):
        questions(*rows)


def test_a_row_that_has_both_shapes_is_read_as_the_plain_one(questions):
    row = {"question": "q", "answer": "a", "question_title": "t", "question_body": "b"}
    (question,) = questions({**row, "answer_body": "c"})
    assert (question.body, question.reference, question.is_html) == ("q", "a", False)


def test_the_row_number_stands_in_for_a_missing_id(questions):
    rows = [{"question": "a", "answer": ""}, {"question": "b", "answer": "", "eval_id": " "}]
    assert [question.eval_id for question in questions(*rows)] == ["1", "2"]


def test_a_question_may_lack_its_reference(questions):
    (question,) = questions({"question": "q", "answer": ""})
    assert question.reference == ""


@pytest.mark.parametrize(
    "row",
    [
        {"question": " \n", "answer": "a"},
        {"question_title": " ", "question_body": "\t", "answer_body": "a"},
    ],
)
def test_an_empty_question_is_refused_with_its_row(questions, row):
    with pytest.raises(DatasetError, match="row 2: the question is empty"):
        questions({"question": "q", "answer": "a"}, row)


def test_a_title_alone_is_a_question(questions):
    row = {"question_title": "Why?", "question_body": "", "answer_body": "a"}
    assert questions(row)[0].title == "Why?"


def test_the_same_id_twice_is_refused_with_both_rows(questions):
    rows = [{"question": "q", "answer": "a", "eval_id": name} for name in ("x", "y", " x")]
    with pytest.raises(DatasetError, match=r"d\.jsonl: row 3: eval_id 'x' is already in row 1"):
        questions(*rows)


def test_an_id_that_equals_a_row_number_is_refused_too(questions):
    rows = [{"question": "q", "answer": "a", "eval_id": "2"}, {"question": "q", "answer": "a"}]
    with pytest.raises(DatasetError, match="row 2: eval_id '2' is already in row 1"):
        questions(*rows)


@pytest.mark.parametrize("missing", ["question", "answer"])
def test_missing_columns_are_named_with_what_is_there(questions, missing):
    row = {"question": "q", "answer": "a", "other": "x"}
    del row[missing]
    with pytest.raises(
        DatasetError, match="needs the columns question, answer, or question_title"
    ) as e:
        questions(row)
    assert str(e.value).endswith("; it has " + ", ".join(row))


def test_your_own_dataset_comes_before_the_sample(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert default_dataset() == Path("dataset/sample/coderepoqa_python.csv")
    Path("dataset").mkdir()
    Path("dataset/coderepoqa_python.csv").touch()
    assert default_dataset() == Path("dataset/coderepoqa_python.csv")


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_every_line_of_a_question_ends_with_lf(questions, caplog, end):
    markdown = {"question": "a\n\n```\nx\n```\nb", "answer": "c\nd"}
    html = {"question_title": "t", "question_body": "<p>a\nb</p>", "answer_body": "<p>c\nd</p>"}
    for row in (markdown, html):
        changed = {name: text.replace("\n", end) for name, text in row.items()}
        assert questions(changed) == questions(row)
    assert "texts with CRLF or CR line ends, read as LF: 2" in caplog.text


@pytest.mark.parametrize("cell", ["11.0|12.0", "11,12", [11, 12.0], "[11, 12]", '["11", "12"]'])
def test_relevant_ids_are_read_in_each_notation(questions, cell):
    row = {"question": "q", "answer": "a", "eval_id": 7.0, "relevant_question_ids": cell}
    (question,) = questions(row)
    assert (question.eval_id, question.relevant_question_ids) == ("7", ("11", "12"))


@pytest.mark.parametrize(
    ("columns", "tags"),
    [
        ({}, None),
        ({"question_tags": "b|A|b"}, ("b", "a")),
        ({"tags": ["list", "c++"]}, ("list", "c++")),
        ({"question_tags": "x", "tags": "y"}, ("x",)),
        ({"tags": ""}, ()),
        ({"tags": None}, ()),
        ({"tags": "nan"}, ()),
    ],
)
def test_tags_are_those_of_the_first_column_of_tags(questions, columns, tags):
    (question,) = questions({"question": "q", "answer": "a", **columns})
    assert question.tags == tags


def test_an_id_that_cannot_be_read_is_refused_with_its_row(questions):
    rows = [{"question": "q", "answer": "a", "relevant_question_ids": ids} for ids in ("1", "1.5")]
    with pytest.raises(DatasetError, match=r"row 2: relevant_question_ids '1\.5' is a number with"):
        questions(*rows)


def test_a_row_of_the_html_shape_with_markdown_is_read_as_markdown(questions, caplog):
    bodies = {"question_body": "I use `x`\n\n    y < z", "answer_body": "**Map<String, Integer>**"}
    (question,) = questions({"question_title": "t", **bodies})
    assert not question.is_html
    assert question.body == bodies["question_body"]
    assert "its bodies are Markdown, and are read so" in caplog.text


def test_a_dataset_of_both_is_read_as_html_and_told_of(questions, caplog):
    titled = {"question_title": "t", "question_body": "<p>a</p>", "answer_body": "<p>b</p>"}
    read = questions(titled, titled | {"question_body": "a `b`", "answer_body": "**c**"})
    assert [question.is_html for question in read] == [True, True]
    assert "some bodies look like Markdown, and all are read as HTML" in caplog.text
    assert "bodies that look like Markdown, read as HTML: 2" in caplog.text

"""The questions of a run: what the graph and the judge get to see of a dataset."""

import json
from contextlib import suppress

import pytest

from evaluation.answering.questions import Item, load_items
from graph.support.errors import DatasetError


def written(tmp_path, text, name="d.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_plain_question_is_kept_as_it_stands(tmp_path):
    path = tmp_path / "d.jsonl"
    row = {"question": "\nuse `a < b` &amp; <p>?\n", "answer": " *yes* \n", "eval_id": "q"}
    path.write_text(json.dumps(row), encoding="utf-8")
    assert load_items(path) == [Item(0, "q", "use `a < b` &amp; <p>?", "*yes*", ())]


def test_an_html_question_becomes_title_and_markdown(tmp_path):
    path = written(
        tmp_path,
        "question_title,question_body,answer_body,relevant_question_ids\n"
        "How?,<p>use <code>a &lt; b</code></p>,<pre><code>x</code></pre>,1|2\n"
        "Why?,,<p>so</p>,\n",
    )
    assert load_items(path) == [
        Item(0, "1", "How?\n\nuse `a < b`", "```\nx\n```", ("1", "2")),
        Item(1, "2", "Why?", "so", ()),
    ]


def test_a_limit_takes_the_first_questions(tmp_path):
    path = written(tmp_path, "question,answer\n" + "".join(f"q{n},a{n}\n" for n in range(5)))
    assert [item.question for item in load_items(path, 2)] == ["q0", "q1"]
    assert [item.index for item in load_items(path)] == [0, 1, 2, 3, 4]
    assert load_items(path, 99) == load_items(path)


def test_rows_behind_the_limit_are_checked_too(tmp_path):
    path = written(tmp_path, "question,answer\nq,a\n,a\n")
    with pytest.raises(DatasetError, match="row 2: the question is empty"):
        load_items(path, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "needs the columns question, answer, or question_title, question_body"),
        ("question,answer\n ,a\n", "row 1: the question is empty"),
        ("question,answer,eval_id\nq,a,1\nr,b,1\n", "row 2: eval_id '1' is already in row 1"),
        ("question,answer\n", "has no rows"),
        ("question,answer\nq\n", "line 2: 1 field where the header has 2"),
        ("question,question\nq,r\n", "column 'question' is a duplicate"),
    ],
)
def test_a_wrong_dataset_is_refused_with_its_path_and_place(tmp_path, text, message):
    path = written(tmp_path, text)
    with pytest.raises(DatasetError) as caught:
        load_items(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


def test_an_undecodable_dataset_says_how_to_mend_it(tmp_path):
    path = tmp_path / "d.csv"
    path.write_bytes("question,answer\nwährend,a\n".encode("latin-1"))
    with pytest.raises(DatasetError, match=r"d.csv: not UTF-8 \(byte 0xe4\); convert it"):
        load_items(path)


def test_a_json_row_that_lacks_its_answer_is_refused_or_has_none(tmp_path):
    path = written(tmp_path, '{"question": "q", "answer": "a"}\n{"question": "r"}\n', "d.jsonl")
    with suppress(DatasetError):
        assert [item.reference for item in load_items(path)] == ["a", ""]

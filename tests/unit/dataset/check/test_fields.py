"""The checks of a row: each kind of fault is reported, and sound text is not."""

from pathlib import Path

import pytest

from dataset.check.fields import MAX_CHARACTERS, MAX_TITLE, check_row, shape_of
from dataset.check.findings import Example, Findings
from graph.support.errors import DatasetError
from tests.fakes.corpora import row

PATH = Path("t.csv")
CORPUS = shape_of(PATH, row(1, "t"))
SOUND = {"body": "<p>Why?</p>", "tags": "python"}


def findings_of(changes, *, rows=1000):
    findings = Findings(3)
    check_row(CORPUS, 4, {**row(1, "A title", **SOUND), **changes}, findings)
    return [
        (one.kind, one.column, one.count, one.problem, one.examples)
        for one in findings.ordered(rows)
    ]


def test_a_sound_row_has_nothing():
    text = "naïve café, Ärger, Ünâ, “quotes” — and — 你好 emoji 🎉 Ã la carte, 5 â, Â"
    assert findings_of({"question_body": text, "answer_body": "a\r\n\tb", "source": ""}) == []


@pytest.mark.parametrize(
    ("text", "kind", "problem"),
    [
        ("half a \ufffd", "replacement character", True),
        ("a\x00b", "NUL character", True),
        ("a\ud800b", "lone surrogate", True),
        ("a\x1b[31mb", "control character", False),
        ("a\x85b", "control character", False),
        ("x" * (MAX_CHARACTERS + 1), "oversized", True),
        (" \n", "empty", True),
        ("<p> </p>\n<br>", "empty", True),
    ],
)
def test_trouble_is_named_with_its_column_and_row(text, kind, problem):
    changes = {"answer_body": text}
    assert findings_of(changes) == [(kind, "answer_body", 1, problem, [Example(4, "1/1001")])]


@pytest.mark.parametrize(
    "text", ["caf\u00e9", "na\u00efve \u201cquotes\u201d", "it\u2019s", "\U0001f389"]
)
@pytest.mark.parametrize("codec", ["latin-1", "cp1252"])
def test_text_in_a_wrong_encoding_is_a_hint_and_throughout_a_problem(text, codec):
    read_wrongly = text.encode().decode(codec, "replace").replace("\ufffd", "")
    kinds = [kind for kind, *_ in findings_of({"answer_body": read_wrongly})]
    assert "mojibake" in kinds or "control character" in kinds
    if codec == "cp1252":
        assert findings_of({"answer_body": read_wrongly}, rows=50)[0][:4] == (
            "mojibake", "answer_body", 1, False,
        )  # fmt: skip
        assert findings_of({"answer_body": read_wrongly}, rows=49)[0][3] is True


def test_sizes_at_the_limit_are_sound():
    assert (
        findings_of({"answer_body": "x" * MAX_CHARACTERS, "question_title": "y" * MAX_TITLE}) == []
    )
    assert findings_of({"question_title": "y" * (MAX_TITLE + 1)})[0][:2] == (
        "oversized",
        "question_title",
    )


def test_a_picture_is_content_and_a_column_of_ones_own_may_be_empty():
    assert findings_of({"answer_body": "<p><img src='x'></p>", "licence": ""}) == []


@pytest.mark.parametrize(
    ("column", "problem"),
    [
        ("question_id", True),
        ("question_title", True),
        ("question_body", True),
        ("answer_id", True),
        ("answer_body", True),
        ("question_tags", False),
        ("answer_score", False),
    ],
)
def test_which_columns_of_a_corpus_may_be_empty(column, problem):
    assert [one[:4] for one in findings_of({column: " "})] == [("empty", column, 1, problem)]


@pytest.mark.parametrize(
    ("value", "kind", "problem"),
    [
        (str(2**53 + 1), "id beyond 2^53", False),
    ],
)
def test_ids_that_a_spreadsheet_has_touched(value, kind, problem):
    for column in ("question_id", "answer_id"):
        assert [one[:4] for one in findings_of({column: value})] == [(kind, column, 1, problem)]


@pytest.mark.parametrize("value", ["7", str(2**53), "abc", "1e5x", "²", "9" * 200])
def test_ids_that_are_sound(value):
    assert findings_of({"question_id": value}) == []


def test_a_file_is_told_by_its_columns():
    assert shape_of(PATH, row(1, "t", eval_id="1")).name == "corpus"
    assert shape_of(PATH, ["question", "answer"]).name == "dataset"
    html = shape_of(PATH, ["question_title", "question_body", "answer_body"])
    assert (html.name, sorted(html.nonempty_columns)) == (
        "dataset",
        ["answer_body", "question_title"],
    )
    # with both shapes the plain one is read, as an evaluation does
    both = shape_of(PATH, ["question_title", "question_body", "answer_body", "question", "answer"])
    assert both.columns == ("question", "answer")
    with pytest.raises(DatasetError, match=r"t\.csv: .* it has question_title"):
        shape_of(PATH, ["question_title"])

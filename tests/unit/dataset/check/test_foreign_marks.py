"""The check of a table finds the marks that other programs left in it."""

from pathlib import Path

import pytest

from dataset.check.check_command import check
from dataset.check.fields import shape_of
from dataset.check.findings import Example, Findings
from dataset.check.foreign_marks import ForeignMarks
from graph.support.csv_dialects import MIN_ESCAPED_ROWS
from tests.fakes.corpora import row, small_corpus, write_corpus

SOUND_CORPUS = row(1, "A title", "<p>Why?</p>", "python")
SOUND_DATASET = {"eval_id": "q1", "question": "Why `x`?", "answer": "**So**", "url": ""}


def findings_of(*rows, finish=True):
    findings = Findings(3)
    foreign_marks = ForeignMarks(shape_of(Path("t.csv"), rows[0]), findings)
    for number, one in enumerate(rows, 1):
        foreign_marks.add(one, Example(number, str(number)))
    if finish:
        foreign_marks.finish()
    return [(one.kind, one.column, one.count, one.problem) for one in findings.ordered(len(rows))]


@pytest.mark.parametrize("sound", [SOUND_CORPUS, SOUND_DATASET])
def test_a_sound_row_has_nothing(sound):
    assert findings_of(sound) == []


@pytest.mark.parametrize("text", ["a\r\nb", "a\rb", "\r\n", "a\n\r\nb"])
def test_line_ends_are_a_problem_of_markdown_and_a_hint_in_html(text):
    assert findings_of(SOUND_DATASET | {"question": text}) == [("CR line end", "question", 1, True)]
    assert findings_of(SOUND_CORPUS | {"question_title": text}) == [
        ("CR line end", "question_title", 1, False)
    ]


@pytest.mark.parametrize("text", ["a `b` c", "x\n\n    code\n", "Map<String, List<Integer>> m"])
def test_markdown_in_a_column_of_html_is_named(text):
    assert findings_of(SOUND_CORPUS | {"answer_body": text}) == [
        ("Markdown body", "answer_body", 1, True)
    ]


@pytest.mark.parametrize("text", ["<p>a</p>", "a<br><p>b</p>", "<pre><code>- x</code></pre>"])
def test_html_in_a_column_of_markdown_is_named(text):
    assert findings_of(SOUND_DATASET | {"answer": text}) == [("HTML body", "answer", 1, True)]


@pytest.mark.parametrize("text", ["a &lt; b", "don&#39;t", "R&amp;D `x`", "&#x27;a&quot;"])
def test_references_left_in_text_are_named(text):
    assert findings_of(SOUND_DATASET | {"question": text}) == [
        ("character reference", "question", 1, True)
    ]
    assert findings_of(SOUND_CORPUS | {"question_title": text}) == [
        ("character reference", "question_title", 1, True)
    ]


@pytest.mark.parametrize(
    "text", ["`&lt;`", "```html\n&lt;p&gt;\n```", "x:\n\n    &amp;\n", "a & b;"]
)
def test_references_in_code_are_no_fault(text):
    assert findings_of(SOUND_DATASET | {"question": text}) == []


def test_few_bodies_in_another_markup_are_a_hint():
    rows = [SOUND_CORPUS] * 99 + [SOUND_CORPUS | {"answer_body": "a `b`"}]
    assert findings_of(*rows) == [("Markdown body", "answer_body", 1, False)]


@pytest.mark.parametrize(
    ("cell", "kind"),
    [
        ("11.0", "decimal id"),
        ("8.3E+10", "decimal id"),
        ("9e+15", "decimal id"),
        ("1,234", "unreadable id"),
        ("11.0|12", "decimal id"),
        ("11,12", "list of ids"),
        ("[11]", "list of ids"),
        ('["11", "12"]', "list of ids"),
        ("{11,12}", "list of ids"),
        ("a,b", "unreadable id"),
        ("{'a': 1}", "unreadable id"),
        ("[[1]]", "unreadable id"),
    ],
)
def test_ids_in_another_notation_are_named(cell, kind):
    column = "relevant_question_ids"
    assert findings_of(SOUND_DATASET | {column: cell}) == [(kind, column, 1, True)]


@pytest.mark.parametrize("column", ["question_id", "answer_id"])
@pytest.mark.parametrize(
    ("cell", "kind"),
    [
        ("7.0", "decimal id"),
        ("8.3E+10", "decimal id"),
        ("[7]", "list of ids"),
        ("7,8", "unreadable id"),
    ],
)
def test_ids_of_a_corpus_in_another_notation_are_named(column, cell, kind):
    assert findings_of(SOUND_CORPUS | {column: cell}) == [(kind, column, 1, True)]


@pytest.mark.parametrize(
    "cell",
    ["", "11", "11|12", "11 | 12|", "q-1", "007", "12e5", "3e8|9e15", "nan", "#N/A", "nan|11"],
)
def test_ids_as_they_should_be_are_sound(cell):
    assert findings_of(SOUND_DATASET | {"relevant_question_ids": cell}) == []


@pytest.mark.parametrize("cell", ["nan", "NULL", "12e5", "a|b", "q 1"])
def test_an_id_that_is_missing_or_text_is_sound(cell):
    assert findings_of(SOUND_DATASET | {"eval_id": cell}) == []


def test_backslashes_that_all_come_in_pairs_are_named():
    pairs = SOUND_CORPUS | {"answer_body": "<p>C:\\\\new</p>"}
    alone = SOUND_CORPUS | {"answer_body": "<p>\\n</p>"}
    many = [pairs] * MIN_ESCAPED_ROWS
    assert findings_of(*many) == [("doubled backslash", "any", MIN_ESCAPED_ROWS, True)]
    assert findings_of(pairs, SOUND_CORPUS) == [("doubled backslash", "any", 1, False)]
    assert findings_of(*many, alone) == findings_of(alone, *many) == []


def test_relevant_ids_that_the_corpus_lacks_are_named(tmp_path):
    corpus = small_corpus(tmp_path / "c.csv")
    rows = [
        SOUND_DATASET | {"eval_id": f"q{number}", "relevant_question_ids": ids}
        for number, ids in enumerate(["1", "2.0|3", "999", "1|77", "", "[1]"])
    ]
    report = check(write_corpus(tmp_path / "d.csv", rows), corpus, 3)
    lacking = [one for one in report.findings if one.kind == "id not in the corpus"]
    assert [(one.count, [example.row for example in one.examples]) for one in lacking] == [
        (2, [3, 4])
    ]

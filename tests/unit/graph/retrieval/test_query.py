"""A question's text is taken apart as posts are: a title and a body."""

import pytest
from hypothesis import given

from graph.retrieval.query import Query
from tests.fakes.properties import any_text, examples
from tests.fakes.waiting import at_most_cpu_seconds


@pytest.mark.parametrize(
    ("text", "title", "body"),
    [
        ("How to copy?\n\nI have a list.\n\nIt is long.", "How to copy?", "I have a list.\n\nIt is long."),
        ("How to copy?", "How to copy?", ""),
        ("How to\n copy?\n\n", "How to copy?", ""),
        ("\n\nHow?\n\n\n\n  why\n", "How?", "why"),
        ("How?\r\n\r\nwhy\r\n", "How?", "why"),
        ("How?\n \t\nwhy", "How?", "why"),
        ("How?\nwhy", "How? why", ""),
        ("", "", ""),
        (" \n\n ", "", ""),
    ],
)  # fmt: skip
def test_the_first_paragraph_is_the_title(text, title, body):
    assert Query.of(text) == Query(title, body)


def test_a_long_first_paragraph_is_no_title():
    assert Query.of(f"{'x' * 300}\n\nbody") == Query("x" * 300, "body")
    assert Query.of(f"{'x' * 301}\n\nbody") == Query("", f"{'x' * 301}\n\nbody")


def test_the_text_is_built_as_that_of_a_post():
    assert Query.of("How to\ncopy?\n\nI have\n\na list").text == "How to copy?\nI have\n\na list"
    assert Query.of("How to copy?").text == "How to copy?"
    assert Query("", "body").text == "body"
    assert Query.of("").text == ""


@pytest.mark.parametrize("piece", ["\n", "\n ", " ", "\r\n", "\t\n x", "\r"])
def test_a_million_signs_take_no_time(piece):
    with at_most_cpu_seconds(5):
        Query.of("x" + piece * (1_000_000 // len(piece)) + "y")


@examples(100)
@given(text=any_text)
def test_nothing_but_white_space_is_lost(text):
    question = Query.of(text)
    assert "".join(f"{question.title}{question.body}".split()) == "".join(text.split())
    assert Query.of(f"{question.title}\n\n{question.body}") == question or not question.title


@pytest.mark.parametrize("end", ["\r\n", "\r"])
@pytest.mark.parametrize(
    "text",
    [
        "Loop prints twice\n\nI run:\n\n```python\nfor i in x:\n    print(i)\n```\n\nI expected **one**.",
        "Title\n\n> quoted\n\n~~~\ncode\n~~~\n\nend",
        "Title\n\n- a\n- b\n\n```\n0\n0\n```\n\nWhy?",
        "one line\nand another",
    ],
)
def test_windows_line_ends_change_nothing(text, end):
    changed = Query.of(text.replace("\n", end))
    assert changed == Query.of(text)
    assert changed.plain_text == Query.of(text).plain_text

"""The type of a question, by rules on its title and its body."""

import pytest

from evaluation.analysis.question_types import QUESTION_TYPES, question_type
from tests.fakes.report_pages import hostile
from tests.fakes.waiting import at_most_cpu_seconds

TRACE = "```\nTraceback (most recent call last):\n  File 'a.py'\nValueError: no\n```"


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("How do I split a string?", "how-to"),
        ("python how to read a file", "how-to"),
        ("Is there a way to sort a dict", "how-to"),
        ("What is the best way to copy a list", "how-to"),
        ("Create zip in python", "how-to"),
        ("Splitting a string on non digits", "how-to"),
        ("In Python 3.6 reading a file", "how-to"),
        ("# Removing duplicates", "how-to"),
        ("How can I fix this KeyError?", "error"),
        ("TypeError: translate() takes exactly one argument", "error"),
        ("nameerror c is not defined", "error"),
        ("Import doesn\u2019t work on Windows", "error"),
        ("Can't open the file", "error"),
        ("[Bug]: wrong page", "error"),
        ("List changes in a weird way", "error"),
        ("Why do I get a TypeError here", "error"),
        ("Why is a set not ordered", "concept"),
        ("Difference between is and ==", "concept"),
        ("What does the comma mean", "concept"),
        ("Can generators be recursive", "concept"),
        ("How reliable is the order of a dict", "concept"),
        # No word of a failure: the letters of "not work" are in "assignment works".
        ("Why assignment works this way", "concept"),
        ("Python 3 weekday", "other"),
        ("为什么CPU占用率这么高", "other"),
        ("", "other"),
    ],
)
def test_a_title_tells_the_type(title, expected):
    assert question_type(title) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (TRACE, "error"),
        (f"How do I do this?\n\n{TRACE}", "error"),
        ("I have two lists. How can I join them?", "how-to"),
        ("It prints 3. Why?", "concept"),
        ("I get wrong results.", "error"),
        # Words of code are no words of the asker.
        ("Here it is.\n\n```\n# why? an error: how to\n```", "other"),
    ],
)
def test_the_body_tells_the_type_of_a_question_whose_title_does_not(body, expected):
    assert question_type(f"Two lists\n\n{body}") == expected


def test_a_question_in_the_body_says_more_than_a_task_in_the_title():
    assert question_type("Copy a list\n\nBoth lists change. Why?") == "concept"
    assert question_type("Copy a list\n\nHere is my list.") == "how-to"


@pytest.mark.parametrize("unit", ["how to ", "not ", "a.Error"])
def test_a_long_text_has_a_type_in_time_linear_in_its_length(unit):
    # Quadratic time would be minutes.
    with at_most_cpu_seconds(2):
        assert question_type(f"title\n\n{unit * 20_000}") in QUESTION_TYPES


def test_any_text_has_a_type():
    assert {question_type(text[:2000]) for text in hostile(60)} <= {*QUESTION_TYPES}

"""Text from outside on one line and without what no file can hold, and plurals."""

import pytest
from hypothesis import given

from graph.support.text import one_line, plural, without_surrogates
from tests.fakes.properties import any_text, examples


def test_a_message_is_one_line_of_bounded_length():
    assert one_line(ValueError("first\r\n  second\u2028third")) == "first second third"
    assert one_line("a" * 400) == "a" * 300
    assert one_line("abc", 2) == "ab"


@pytest.mark.parametrize(("count", "words"), [(0, "posts are"), (1, "post is"), (2, "posts are")])
def test_only_one_is_singular(count, words):
    assert plural(count, "post is", "posts are") == words
    assert plural(count, "post") == words.split()[0]


@examples(50)
@given(any_text)
def test_text_without_lone_surrogates_is_unchanged_and_any_text_can_be_encoded(text):
    clean = without_surrogates(text)
    clean.encode("utf-8")
    assert len(clean) == len(text)
    if not any("\ud800" <= char <= "\udfff" for char in text):
        assert clean == text

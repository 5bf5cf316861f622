"""The words that a refinement changed."""

import pytest

from serving.page.word_changes import word_changes
from tests.fakes.waiting import at_most_cpu_seconds


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ("", "", []),
        ("same", "same", [("same", "same")]),
        ("", "new", [("inserted", "new")]),
        ("old", "", [("deleted", "old")]),
        (
            "the old way here",
            "the new way here",
            [("same", "the "), ("deleted", "old"), ("inserted", "new"), ("same", " way here")],
        ),
        # A space alone is nothing that stayed.
        ("a b c", "x y z", [("deleted", "a b c"), ("inserted", "x y z")]),
    ],
)
def test_changes_are_words(before, after, changes):
    assert word_changes(before, after) == changes


def test_texts_that_repeat_their_words_take_little_time():
    with at_most_cpu_seconds(6):
        word_changes("a " * 3_000, "a b " * 1_500)
        word_changes("a " * 290, "a b " * 145)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("line one\n  line two\n", "line 1\n\tline two\n\nline three"),
        ("f(x)[1] = 'a b'", 'f(x, y)[2] = "a b"'),
        ("word " * 5_000, "other " * 5_000),
        ("\ud800 \u202e \x00", "\udfff \u202d"),
    ],
)
def test_both_texts_can_be_read_from_the_changes(before, after):
    changes = word_changes(before, after)
    assert "".join(text for kind, text in changes if kind != "inserted") == before
    assert "".join(text for kind, text in changes if kind != "deleted") == after

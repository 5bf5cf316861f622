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


def words(count, first=0):
    return " ".join(f"word{number}" for number in range(first, first + count))


@pytest.mark.parametrize("count", [100, 201, 700, 2_000, 4_900])
def test_a_long_text_has_marks_at_its_changed_words_alone(count):
    middle = f" the {words(count // 2, count // 2)}, the end"
    before = f"the {words(count // 2)} the old way" + middle
    after = f"the {words(count // 2)} the new way" + middle + " [1]"
    assert word_changes(before, after) == [
        ("same", f"the {words(count // 2)} the "),
        ("deleted", "old"),
        ("inserted", "new"),
        ("same", f" way{middle}"),
        ("inserted", " [1]"),
    ]


def test_common_words_of_a_long_text_stay_unmarked():
    before = "the cat and the dog saw " * 300
    after = "the cat and a dog saw " * 300
    kinds = {kind: [] for kind in ("same", "deleted", "inserted")}
    for kind, text in word_changes(before, after):
        kinds[kind] += text.split()
    assert kinds["deleted"] == ["the"] * 300
    assert kinds["inserted"] == ["a"] * 300


def test_above_the_limit_the_texts_are_exchanged_as_a_whole():
    text = words(6_000)
    assert word_changes(text, f"{text} [1]") == [("deleted", text), ("inserted", f"{text} [1]")]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a " * 5_000, "a b " * 2_500),
        ("a b " * 2_500, "b a " * 2_500),
        ("a " * 4_999, "b " * 4_999),
        (words(4_999), words(4_999, 2_500)),
        ("a b c " * 1_600, "c b a " * 1_600),
    ],
)
def test_no_text_takes_long(before, after):
    with at_most_cpu_seconds(2):
        word_changes(before, after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("line one\n  line two\n", "line 1\n\tline two\n\nline three"),
        ("f(x)[1] = 'a b'", 'f(x, y)[2] = "a b"'),
        ("word " * 5_000, "other " * 5_000),
        ("a b c " * 700, "c a " * 1_100),
        ("\ud800 \u202e \x00", "\udfff \u202d"),
    ],
)
def test_both_texts_can_be_read_from_the_changes(before, after):
    changes = word_changes(before, after)
    assert "".join(text for kind, text in changes if kind != "inserted") == before
    assert "".join(text for kind, text in changes if kind != "deleted") == after

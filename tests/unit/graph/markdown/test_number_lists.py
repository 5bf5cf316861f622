"""Which numbers in brackets are values and not citations."""

import pytest

from graph.markdown.number_lists import is_list_of_values


@pytest.mark.parametrize(
    ("before", "brackets", "is_list"),
    [
        ("The list ", "[1, 2, 3]", True),
        ("Output: ", "[1, 2]", True),
        ("a = sum of ", "[1,2]", True),
        ("Sort it ", "[3, 1, 2]", True),
        ("Sort it ", "[1, 1]", True),
        ("Use a lock ", "[1, 2, 3]", False),
        ("Sources: ", "[1, 2]", False),
        ("according to ", "[1, 2]", False),
        ("a finalist ", "[1, 2]", False),
        ("The list ", "[1]", False),
        ("The list ", "[1-3]", False),
        ("The list ", "[1][2]", False),
        ("", "[1, 2]", False),
    ],
)
def test_a_list_of_values_is_announced_or_does_not_rise(before, brackets, is_list):
    assert is_list_of_values(before, brackets) is is_list

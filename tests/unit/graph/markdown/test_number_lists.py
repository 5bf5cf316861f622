"""Which numbers in brackets are values and not citations."""

import pytest

from graph.markdown.number_lists import is_list_of_values


@pytest.mark.parametrize(
    ("before", "brackets", "is_list"),
    [
        ("The list ", "[1, 2, 3]", True),
        ("Output: ", "[1, 2]", True),
        ("input_list = ", "[1, 2]", True),
        ("The value is ", "[1,2]", True),
        ("Sort it ", "[1, 2, 2, 3]", True),
        ("Passages ", "[2, 1]", False),
        ("See the answers of ", "[1, 2]", False),
        ("Both results ", "[1, 2]", False),
        ("Sources like ", "[1, 2]", False),
        ("Read the input ", "[1, 2]", False),
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
def test_a_list_of_values_is_announced_or_repeats_a_number(before, brackets, is_list):
    assert is_list_of_values(before, brackets) is is_list

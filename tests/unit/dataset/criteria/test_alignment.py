"""The alignment of a template with an answer, against the definition written out cell by cell."""

from hypothesis import given, settings
from hypothesis import strategies as st

from dataset.criteria.alignment import align

LETTERS = st.text("ab [", min_size=1, max_size=18)


def by_cells(template, answer):
    length = {(-1, j): 0 for j in range(-1, len(answer))} | {
        (i, -1): 0 for i in range(len(template))
    }
    place = {}
    for i, left in enumerate(template):
        for j, right in enumerate(answer):
            if left == right:
                length[i, j], place[i, j] = (length[i - 1, j - 1] if i * j else 0) + 1, j
            elif i * j == 0:
                length[i, j], place[i, j] = 0, 0
            else:
                options = [(length[i, j - 1], place[i, j - 1]), (length[i - 1, j], place[i - 1, j])]
                length[i, j], place[i, j] = max(options)
    last = len(template) - 1, len(answer) - 1
    positions, position = [0] * len(template), place[last]
    for i in reversed(range(len(template))):
        is_equal = template[i] == answer[position]
        positions[i] = position + (not is_equal)
        if i and is_equal:
            position = place[i - 1, (position - 1) % len(answer)]
    return length[last], positions


@settings(max_examples=150, deadline=None)
@given(LETTERS, LETTERS)
def test_the_alignment_is_that_of_the_definition(template, answer):
    assert align(template, answer) == by_cells(template, answer)


def test_small_alignments_by_hand():
    assert align("ab", "ab") == (2, [0, 1])
    assert align("a", "b") == (0, [1])
    # The first row of the table passes nothing on, so that the a is not counted after the q.
    assert align("axb", "aqqb") == (1, [0, 1, 3])

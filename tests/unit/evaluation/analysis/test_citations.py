"""Which passages an answer cites: in prose, in all usual forms, and never in code."""

from time import process_time

import pytest
from hypothesis import given

from evaluation.analysis.citations import cited_numbers
from nodes.replies import MAX_CHARS
from tests.fakes.properties import any_text, examples


@pytest.mark.parametrize(
    ("answer", "numbers"),
    [
        ("use it [1]", {1}),
        ("[1, 2]", {1, 2}),
        ("[1-3]", {1, 2, 3}),
        ("a range [2\u20134], in print", {2, 3, 4}),
        ("[ 1 ]", {1}),
        ("\u30102\u3011", {2}),
        ("\u30101\u2020source\u3011", {1}),
        ("\uff3b3\uff3d", {3}),
        ("\u30b3\u30d4\u30fc\u3092\u4f7f\u3044\u307e\u3059\u30101\u3011\u3002", {1}),
        ("copy\u30102\u3011", {2}),
        ("\u7b2c\u4e00[1]", {1}),
        ("[1][2]", {1, 2}),
        ("so [^1], and [^2]", {1, 2}),
        ("[1; 3] and [2, 4-5]", {1, 2, 3, 4, 5}),
        ("[passage 1] and [Passages 2, 3]", {1, 2, 3}),
        ("As passage 1 says, and passages 3 and 4.", {1, 3, 4}),
        ("> quoted [2]\n\n- item [1]", {1, 2}),
        ("| a | b |\n|---|---|\n| [1] | [2] |", {1, 2}),
        ("```python\nrow[1]\n```\n\nAs in [2].", {2}),
    ],
)
def test_citations_in_prose(answer, numbers):
    assert cited_numbers(answer, 5) == numbers


@pytest.mark.parametrize(
    "answer",
    [
        "```python\nfirst = row[0]; second = row[1]\n```",
        "~~~\nprint([1])\n~~~",
        "````\n```\n[1]\n```\n````",
        "Use:\n\n    pairs [1]\n",
        "1. do\n\n   ```\n   [1]\n   ```",
        "> ```\n> [1]\n> ```",
        "```\nnever closed [1]",
        "`row[1]`, `[1]` and ``a `[1]` b``",
        "`row`[1]",
        "row[1] and f(x)[1] and a[0][1]",
        "pairs = [1, 2]",
        "<code>[1]</code>",
        "[1](https://example.org)",
        "see [the docs [1]](https://example.org)",
        "see [1]\n\n[1]: https://example.org",
        "[0]",
        "[6]",
        "[1, 6]",
        "between [0, 1]",
        "[2020-2021]",
        "[1a], [a1], [x], [ ]",
        "passage 1.5 and passage 12",
        "(1)",
        "",
    ],
)
def test_what_is_no_citation(answer):
    assert cited_numbers(answer, 5) == set()


@pytest.mark.parametrize(
    "piece", ["[1", "[1\u2020", "[1, ", "[", "[a](", "passages 1 and ", "`", "> "]
)
def test_hostile_answers_take_time_linear_in_their_length(piece):
    begun = process_time()
    cited_numbers(piece * (MAX_CHARS // len(piece)), 5)
    # The slowest took half a second of processor time on a busy machine.
    assert process_time() - begun < 10


@examples(60)
@given(answer=any_text)
def test_any_text_has_numbers_of_passages_alone(answer):
    assert cited_numbers(answer, 3) <= {1, 2, 3}

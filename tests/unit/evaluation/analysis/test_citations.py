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
        ("(see [1])", {1}),
        ("[1] says so", {1}),
        ("as shown in [1]", {1}),
        ("in [1, 2] the author", {1, 2}),
        ("\u30101\u30012\u3011", {1, 2}),
        ("\u30101\uff0c2\u3011", {1, 2}),
        ("[1\u30012]", {1, 2}),
        ("[1\u20143]", {1, 2, 3}),
        ("[1\u20113]", {1, 2, 3}),
        ("[1..3]", {1, 2, 3}),
        ("[1]\u2013[3]", {1, 2, 3}),
        ("[1]-[3]", {1, 2, 3}),
        ("[[1]]", {1}),
        ("[source: 1]", {1}),
        ("[doc 1]", {1}),
        ("[citation:1]", {1}),
        ("<sup>1</sup>", {1}),
        ("passage number 2", {2}),
        ("Great.<sup>1,3</sup>", {1, 3}),
        ('[1] "Use foo" says', {1}),
        ("[1] 3 ways to do", {1}),
        ("as stated in [1]: the list", {1}),
        ("[1] (see also [2])", {1, 2}),
        ("Done.[1] Next", {1}),
        ("</code> so [1]", {1}),
        ("\u4f7f\u7528\u5217\u8868(\u89c1[1])", {1}),
        ("call f(x), see [1]", {1}),
        ("([1], [2])", {1, 2}),
        ("[Passages #1 and #2]", {1, 2}),
        ("[passage 1, passage 3]", {1, 3}),
        ("passage #2 and passage no. 3", {2, 3}),
        ("\u30101\u3011-\u30103\u3011", {1, 2, 3}),
        ("[1\u20263]", {1, 2, 3}),
        ("[Doc1]", {1}),
        ("**[1]**", {1}),
        ("Use f(x) [1].", {1}),
        ("set x to {1} as in [2]", {2}),
        ("Sources: [1, 2]", {1, 2}),
        ("See e.g. [1], which says x = 5, and [2].", {1, 2}),
        ("\u0e17\u0e35\u0e48[1]", {1}),
        ("used for i in all cases [1]:", {1}),
        ("[references 1-2]", {1, 2}),
        ("\u201cquoted\u201d[1]", {1}),
        ("[sources: 1; 2]", {1, 2}),
        ("passages 1 to 3", {1, 2, 3}),
        ("> quoted [2]", {2}),
        ("if so, as in [1]: do", {1}),
        ("[1].", {1}),
        ("[1]! [2]?", {1, 2}),
        ("See [[1], and [2]]", {2}),
        ("[Passage #1]", {1}),
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
    "answer",
    [
        "print([1, 2])",
        "return [1, 2]",
        "for i in [1, 2, 3]: pass",
        "np.array([1, 2])",
        "foo([1])",
        "a [1] = 5",
        "{1: [2]}",
        ">>> [1, 2]",
        "x -> [1]",
        "(x) => [1, 2]",
        "[1] 4.5",
        "In [1]: x",
        "x![1]",
        "x?.[1]",
        "foo$[1]",
        "\xe9[1] = 3",
        "<kbd>[1]</kbd>",
        "<samp>[1]</samp>",
        '[1] "a"',
        "[1] TRUE",
        "a, b = [1], [2]",
        "x = [[1, 2], [3]]",
        "print(foo(x), [1])",
        "foo(\n  [1, 2],\n)",
        '{"a": {"b": [1]},\n "c": [2]}',
        "[1, 2].map(f)",
        "[1, 2].length",
        "if x in [1, 2]: pass",
        "[x for x in [1, 2]]",
        "vec![1, 2]",
        "x <- [1]",
        "na\xefve[1] r\xe9sum\xe9[2]",
        "cafe\u0301[1]",
        "[#1]",
        "x<sup>2</sup>",
        "Out[1]: [1, 2]",
        "- >>> [1, 2]",
        "1. >>> [1]",
        '"ids": [1, 2]',
        "[[1], [2]]",
        "yield [1]",
        "x += [1]",
        "[1] 1 2 3\n[4] 4 5",
        "<tt class='x'>[1]</tt>",
        "<code>x</code>[1]",
        "(see [1",
        "\u043f\u0435\u0440\u0435\u043c\u0435\u043d\u043d\u0430\u044f[1]",
        "\u03b1[1]",
        "let f = (x) => [1]",
        "a.b([1]).c([2])",
        "print [1]",
        "for k, v in [1, 2] {",
        "[1] NA NA",
        "return [1], [2]",
        "assertEqual(f(g(h(1))), [1])",
    ],
)
def test_code_without_marks_has_no_citations(answer):
    assert cited_numbers(answer, 5) == set()


@pytest.mark.parametrize(
    "piece",
    [
        "[1",
        "[1†",
        "[1, ",
        "[",
        "[a](",
        "passages 1 and ",
        "`",
        "> ",
        "[1 ",
        "[1" + " " * 999,
        "f(",
        "{",
        "[[1],",
        "[a[1]",
        "= ",
        "[1] 1\n",
        '[1] "',
        "for a, ",
        "<sup>",
        "<kbd>",
        "|",
        ">>> ",
        "[1]-",
        "\n \n[1]",
        "f(x)(",
    ],
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

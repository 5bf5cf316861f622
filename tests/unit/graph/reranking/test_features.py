"""The features of candidates, with values worked out by hand."""

from math import log, sqrt
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.reranking.code_names import error_names, identifiers, languages
from graph.reranking.features import FEATURES, features_of
from tests.fakes.candidate_pools import WordVectors, draft, passage

PARTS = {"keyword": 4.0, "question": 0.7, "title": 0.6, "answer": 0.25}


def test_the_features_of_passages_and_a_draft_by_hand():
    passages = [
        passage(1, "use copy", part_scores=PARTS, votes=9.0, accepted=True),
        passage(2, "red pear", part_scores={**PARTS, "keyword": 8.0}),
    ]
    candidates = [
        draft("use copy", "passage", passage=1),
        draft("red pear", "passage", passage=2),
        draft("use pear"),
    ]
    rows = features_of(
        "how to use copy", candidates, passages, WordVectors(["use", "copy", "pear", "red"])
    )
    first, second, written = rows
    assert first["keyword_score"] == 0.5
    assert second["keyword_score"] == 1.0
    assert (first["rank"], second["rank"]) == (1.0, 0.5)
    assert (first["post_cosine"], first["title_cosine"]) == (0.7, 0.6)
    assert first["votes"] == pytest.approx(log(10) / log(101), abs=1e-6)
    assert (first["accepted"], "accepted" in second) == (1.0, False)
    # Words: first-second 0, first-written 1/2, second-written 1/2.
    assert [row["word_agreement"] for row in rows] == [0.25, 0.25, 0.5]
    assert [row["vector_agreement"] for row in rows] == pytest.approx([0.25, 0.25, 0.5])
    assert [row["from_passage"] for row in rows] == [1.0, 1.0, 0.0]
    assert written["length"] == pytest.approx(log(3), abs=1e-6)
    assert not {"rank", "keyword_score", "post_cosine", "votes"} & written.keys()


def test_the_cosine_with_the_question_is_that_of_the_index_else_it_is_computed():
    vectors = WordVectors(["use", "copy"])
    passages = [passage(1, "use copy", part_scores=PARTS)]
    in_index = [draft("use copy", "passage", passage=1)]
    assert features_of("use", in_index, passages, vectors)[0]["question_cosine"] == 0.25
    assert vectors.questions == []
    rows = features_of("use", [*in_index, draft("use copy")], passages, vectors)
    assert rows[1]["question_cosine"] == pytest.approx(1 / sqrt(2), abs=1e-6)
    assert vectors.questions == ["use"]


def test_a_single_candidate_agrees_with_no_other_one():
    [row] = features_of("use", [draft("use copy")], [], WordVectors(["use", "copy"]))
    assert not {"word_agreement", "vector_agreement"} & row.keys()
    assert "question_cosine" in row


def test_code_and_names():
    question = "Why does `my_list.append(x)` raise a TypeError?\n\n    def f(self):\n        pass"
    rows = features_of(
        question,
        [
            draft("A TypeError: call `my_list.append` with\n\n    import os"),
            draft("```\nconst x = () => 1\n```"),
            draft("prose"),
        ],
        [],
        WordVectors(["a"]),
    )
    assert [row.get("same_language") for row in rows] == [1.0, 0.0, None]
    assert [row["shared_errors"] for row in rows] == [1.0, 0.0, 0.0]
    assert rows[0]["shared_names"] > rows[1]["shared_names"]
    assert rows[1]["code_share"] == 1.0
    assert rows[2]["code_share"] == 0.0


def test_names_of_code_in_prose_are_those_that_no_word_looks_like():
    assert identifiers("the os.path and snake_case of camelCase words", "") == {
        "os.path",
        "snake_case",
        "camelcase",
    }
    assert identifiers("see `foo` here", "foo") == {"foo"}
    assert error_names("KeyError and ValueErrors, MyException") == {"KeyError", "MyException"}


@pytest.mark.parametrize(
    ("code", "language"),
    [
        ("def f(x):", "python"),
        ("const a = 1", "javascript"),
        ("public static void main", "java"),
        ("#include <stdio.h>", "c"),
        ("sudo apt install x", "shell"),
        ("SELECT a FROM b", "sql"),
        ("<div class='x'>", "html"),
    ],
)
def test_the_language_of_code(code, language):
    assert language in languages(code)


@pytest.mark.parametrize(
    "unit",
    [
        "\n",
        " ",
        "function ",
        "<a ",
        "new x(",
        "class x",
        "select ",
        "def f(",
        "import ",
        "a.",
        "aError",
    ],
)
def test_hostile_code_takes_no_quadratic_time(unit):
    start = perf_counter()
    text = "function" + unit * (200_000 // len(unit))
    languages(text), error_names(text), identifiers(text, text)
    assert perf_counter() - start < 5


@given(st.lists(st.text(max_size=60), min_size=1, max_size=5), st.text(max_size=60))
def test_every_feature_is_known_and_finite_whatever_the_texts(texts, question):
    rows = features_of(question, [draft(text) for text in texts], [], WordVectors(["a", "b"]))
    for row in rows:
        assert set(row) <= set(FEATURES)
        assert all(abs(value) < 100 for value in row.values())

"""Parts of long texts: none is longer than the window, together they are the text, cut between words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.retrieval.encoder import Encoder, TextPart
from tests.fakes.corpora import EMBEDDER
from tests.fakes.encoders import StubModel
from tests.fakes.properties import examples

WINDOW = 6
"""Tokens of a text: the model reads one more, at its beginning."""


def split(*texts):
    encoder, model = Encoder(EMBEDDER), StubModel()
    model.max_seq_length = WINDOW + 1
    encoder._model = model
    return encoder.split(texts)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", [("", 1)]),
        ("one two", [("one two", 2)]),
        (" a b c d e f\n", [(" a b c d e f\n", 6)]),
        ("a b c d e f g", [("a b c d e f ", 6), ("g", 1)]),
        ("a b c d e f g h i j k l m", [("a b c d e f ", 6), ("g h i j k l ", 6), ("m", 1)]),
        # "together" has two tokens: it is not torn.
        ("a b c d e together", [("a b c d e ", 5), ("together", 2)]),
        # A word that is longer than the window is.
        ("x" * 28, [("x" * 24, 6), ("x" * 4, 1)]),
        ("a " + "x" * 28, [("a ", 1), ("x" * 24, 6), ("x" * 4, 1)]),
        ("\ud800 a b c d e f", [("? a b c d e ", 6), ("f", 1)]),
    ],
)
def test_a_text_is_split_between_words(text, parts):
    assert split(text) == [[TextPart(*part) for part in parts]]


def test_each_text_has_its_own_parts():
    assert [len(parts) for parts in split("a", "a b c d e f g", "", "b")] == [1, 2, 1, 1]
    assert split() == []


@examples(60)
@given(text=st.text("ab \n.-z", max_size=80))
def test_parts_are_the_text_and_fit_the_window(text):
    [parts] = split(text)
    joined = "".join(part.text for part in parts)
    assert joined.split() == text.split()
    assert joined.strip() == text.strip()
    assert all(1 <= part.tokens <= WINDOW for part in parts)

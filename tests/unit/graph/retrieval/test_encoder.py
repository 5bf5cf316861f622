"""Vectors that depend on their text alone, and parts of long texts that are cut between words."""

from threading import Thread

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graph.retrieval import encoder as encoder_module
from graph.retrieval.encoder import Encoder, TextPart
from graph.support.errors import ConfigError
from tests.fakes.corpora import EMBEDDER
from tests.fakes.encoders import DIMENSION, StubModel, Tokenizer
from tests.fakes.properties import any_text, examples

WINDOW = 6
"""Tokens of a text: the model reads one more, at its beginning."""


TEXTS = [f"{number} {'word ' * (number * 7 % 13)}" for number in range(50)]


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    monkeypatch.setattr(encoder_module, "_BLOCK", 8)


def opened() -> Encoder:
    stub = Encoder(EMBEDDER)
    stub._model = StubModel()
    return stub


def test_each_text_has_its_own_vector_of_length_1_whatever_texts_stand_beside_it():
    together = opened().encode(TEXTS)
    assert together.shape == (50, DIMENSION)
    assert together.dtype == np.float32
    assert np.linalg.norm(together, axis=1) == pytest.approx(np.ones(50), abs=1e-6)
    alone = np.concatenate([opened().encode([text]) for text in TEXTS[::5]])
    assert together[::5].tobytes() == alone.tobytes()
    assert together[::-1].tobytes() == opened().encode(TEXTS[::-1]).tobytes()
    assert np.unique(together.round(4), axis=0).shape == together.shape


def test_the_number_of_texts_in_a_pass_depends_on_their_length_alone(monkeypatch):
    stub = opened()
    stub._model.max_seq_length = 1000
    rows_of = {}
    for texts in (
        TEXTS,
        TEXTS[:1],
        TEXTS[3:20],
        ["x" * 300, "x"],
        ["x" * 300] * 3,
        ["x" * 120] * 5,
    ):
        stub.encode(texts)
        for rows, tokens in stub._model.passes:
            assert rows_of.setdefault(tokens, rows) == rows
    assert all(tokens % 8 == 0 for tokens in rows_of)
    assert (rows_of[8], rows_of[64], rows_of[128], rows_of[304]) == (32, 4, 2, 1)


def test_a_query_has_a_pass_of_its_own():
    stub = opened()
    stub.encode_queries(["a query", "another", "x" * 40])
    assert [rows for rows, _ in stub._model.passes] == [1, 1, 1]


def test_no_text_is_padded_behind_the_window():
    stub = opened()
    stub._model.max_seq_length = 30
    stub.encode(["x" * 100, "y" * 26])
    assert stub._model.passes == [(8, 30)]


@pytest.mark.parametrize(
    ("side", "length", "expected"),
    [
        ("right", 2, [[7, 8], [1, 2], [7, 8]]),
        ("left", 2, [[8, 9], [2, 3], [8, 9]]),
        ("right", 5, [[7, 8, 9, 99, 99], [1, 2, 3, 99, 99], [7, 8, 9, 99, 99]]),
        ("left", 5, [[99, 99, 7, 8, 9], [99, 99, 1, 2, 3], [99, 99, 7, 8, 9]]),
    ],
)
def test_a_pass_is_cut_and_padded_where_the_tokenizer_pads(side, length, expected):
    ids = torch.tensor([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
    features = {"input_ids": ids, "attention_mask": ids, "modality": "text", "prompt_length": 2}
    tokenizer = Tokenizer()
    tokenizer.padding_side, tokenizer.pad_token_id = side, 99
    cut = encoder_module._inputs(features, encoder_module._Pass([2, 0], 3, length), tokenizer)
    assert cut["input_ids"].tolist() == expected
    assert cut["attention_mask"].tolist() == [
        [0 if token == 99 else token for token in row] for row in expected
    ]
    assert (cut["modality"], cut["prompt_length"]) == ("text", 2)


def test_a_vector_has_the_dimensions_that_the_model_is_cut_to():
    stub = opened()
    stub._model.truncate_dim = 5
    vectors = stub.encode(TEXTS)
    whole = opened().encode(TEXTS)[:, :5]
    assert vectors == pytest.approx(whole / np.linalg.norm(whole, axis=1, keepdims=True), abs=1e-6)


def test_nothing_gives_nothing():
    assert opened().encode([]).shape == (0, 0)


def test_threads_take_turns():
    stub, vectors = opened(), []
    alone = opened().encode(TEXTS).tobytes()
    threads = [Thread(target=lambda: vectors.append(stub.encode(TEXTS))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [array.tobytes() for array in vectors] == [alone] * 4


@examples(50)
@given(texts=st.lists(any_text, min_size=1, max_size=5))
def test_any_text_can_be_encoded(texts):
    assert np.isfinite(opened().encode([*texts, "\ud800", ""])).all()


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


class Pool:
    """A pool of workers that does all tasks here."""

    def map(self, open_work, tasks, on_wait):
        work = open_work()
        for label, block in tasks:
            self.labels.append(label)
            yield work(block)

    def __init__(self):
        self.labels = []


def test_blocks_are_encoded_in_workers_if_there_are_some(monkeypatch):
    encoder, in_worker = opened(), opened()
    blocks = [TEXTS[:20], TEXTS[20:]]
    here = list(encoder.encode_blocks(iter(blocks)))
    monkeypatch.setattr(encoder_module, "open_encoder", lambda spec: in_worker)
    monkeypatch.setattr(encoder_module, "encoder_identity", lambda spec: {"encoder": "stub"})
    encoder.pool, encoder._model = Pool(), None
    vectors = list(encoder.encode_blocks(iter(blocks)))
    assert [block.tobytes() for block in vectors] == [block.tobytes() for block in here]
    assert encoder.pool.labels == ["block 1", "block 2"]


def test_a_worker_with_another_encoder_is_refused(monkeypatch):
    monkeypatch.setattr(encoder_module, "encoder_identity", lambda spec: {"encoder_dtype": "bf16"})
    with pytest.raises(ConfigError, match="is not that of the command"):
        encoder_module._open_in_worker(EMBEDDER, {"encoder_dtype": "float32"})

"""Texts become vectors in chunks; a chunk that is on disk and whole is not encoded again."""

import errno
import os
from threading import Thread

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.retrieval import encoder
from graph.retrieval.encoder import Encoder
from graph.retrieval.vector_chunks import Chunks
from tests.fakes.corpora import EMBEDDER
from tests.fakes.encoders import DIMENSION, MAX_TOKENS, StubModel
from tests.fakes.properties import any_text, examples

TEXTS = [f"{number} {'word ' * (number * 7 % 13)}" for number in range(50)]


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch):
    monkeypatch.setattr(encoder, "CHUNK", 8)


def opened() -> Encoder:
    stub = Encoder(EMBEDDER)
    stub._model = StubModel()
    return stub


class Counter:
    """A progress that records, and raises when it is told to stop."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.counts: list[int] = []
        self.stop_at = stop_at

    def advance(self, count, note=""):
        self.counts.append(count)
        if len(self.counts) == self.stop_at:
            raise KeyboardInterrupt


def test_each_text_gets_its_own_vector_of_length_1_whatever_stands_beside_it():
    together = opened().encode(TEXTS)
    assert together.shape == (50, DIMENSION)
    assert together.dtype == np.float32
    assert np.linalg.norm(together, axis=1) == pytest.approx(np.ones(50), abs=1e-6)
    alone = np.concatenate([opened().encode([text]) for text in TEXTS])
    assert together == pytest.approx(alone, abs=1e-6)
    assert np.unique(together.round(4), axis=0).shape == together.shape


def test_batches_are_of_like_length_and_fit_the_cache(monkeypatch):
    monkeypatch.setattr(encoder, "CHUNK", 1000)
    monkeypatch.setattr(encoder, "_BATCH_TOKENS", 128)
    stub = opened()
    stub.encode([*TEXTS, "x" * 1000])
    sizes = stub._model.batches
    assert stub._model.encoded == 51
    assert all(texts * tokens <= 128 for texts, tokens in sizes)
    assert [tokens for _, tokens in sizes] == sorted((t for _, t in sizes), reverse=True)
    assert sizes[0] == (2, MAX_TOKENS)
    padded = sum(texts * tokens for texts, tokens in sizes)
    real = sum(min(MAX_TOKENS, 1 + len(text)) for text in [*TEXTS, "x" * 1000])
    assert padded < 1.3 * real


def test_a_text_longer_than_a_batch_goes_alone(monkeypatch):
    monkeypatch.setattr(encoder, "_BATCH_TOKENS", 10)
    stub = opened()
    stub.encode(["x" * 30, "y" * 30, "z"])
    assert stub._model.batches == [(1, 31), (1, 31), (1, 2)]


def test_nothing_gives_nothing():
    assert opened().encode([]).shape == (0, 0)


def test_progress_counts_every_text_once():
    bar = Counter()
    opened().encode(TEXTS, bar)
    assert bar.counts == [8, 8, 8, 8, 8, 8, 2]


def test_what_was_kept_is_not_encoded_again(tmp_path):
    first, second = opened(), opened()
    expected = first.encode(TEXTS, chunks=Chunks(tmp_path / "kept"))
    assert len(list((tmp_path / "kept").iterdir())) == 7
    bar = Counter()
    vectors = second.encode(TEXTS, bar, Chunks(tmp_path / "kept"))
    assert second._model.encoded == 0
    assert sum(bar.counts) == 50
    assert vectors.tobytes() == expected.tobytes() == opened().encode(TEXTS).tobytes()


@pytest.mark.parametrize("stop_at", [1, 3, 7])
def test_encoding_that_was_cut_off_goes_on_where_it_was(tmp_path, stop_at):
    chunks = Chunks(tmp_path)
    first, second = opened(), opened()
    with pytest.raises(KeyboardInterrupt):
        first.encode(TEXTS, Counter(stop_at), chunks)
    vectors = second.encode(TEXTS, chunks=chunks)
    assert first._model.encoded == min(50, 8 * stop_at)
    assert first._model.encoded + second._model.encoded == 50
    assert vectors.tobytes() == opened().encode(TEXTS).tobytes()


def test_other_texts_and_the_same_in_other_places_are_other_chunks(tmp_path):
    chunks = Chunks(tmp_path)
    vectors = np.arange(4, dtype=np.float32).reshape(2, 2)
    chunks.write(["ab", "c"], vectors)
    assert chunks.read(["ab", "c"]).tolist() == [[0.0, 1.0], [2.0, 3.0]]
    for other in (["a", "bc"], ["c", "ab"], ["ab"], ["ab", "c", ""], ["abc", ""]):
        assert chunks.read(other) is None
    assert Chunks(tmp_path / "none").read(["ab", "c"]) is None


def test_a_chunk_with_any_flipped_bit_or_any_cut_is_not_trusted(tmp_path):
    chunks = Chunks(tmp_path)
    chunks.write(["a", "b"], np.array([[1.0, 0.0], [0.5, -2.0]], dtype=np.float32))
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    assert len(whole) == 32 + 4 * 4
    damaged = [whole[:length] for length in range(len(whole))] + [whole + b"\0", b""]
    for bit in range(8 * len(whole)):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        damaged.append(bytes(changed))
    for content in damaged:
        file.write_bytes(content)
        assert chunks.read(["a", "b"]) is None
    file.write_bytes(whole)
    assert chunks.read(["a", "b"]).tolist() == [[1.0, 0.0], [0.5, -2.0]]


def test_a_cache_that_can_only_be_read_is_read(tmp_path, monkeypatch):
    Chunks(tmp_path / "e").write(["a"], np.ones((1, 4), np.float32))

    def refuse(path):
        raise OSError(errno.EROFS, "Read-only file system", path)

    monkeypatch.setattr(os, "utime", refuse)
    assert Chunks(tmp_path / "e").read(["a"]) is not None


def test_a_chunk_without_vectors_is_not_trusted(tmp_path):
    chunks = Chunks(tmp_path)
    chunks.write(["a"], np.empty((1, 0), dtype=np.float32))
    assert chunks.read(["a"]) is None


def test_a_damaged_chunk_is_encoded_and_kept_again(tmp_path):
    chunks = Chunks(tmp_path)
    expected = opened().encode(TEXTS, chunks=chunks)
    victim = sorted(tmp_path.iterdir())[3]
    victim.write_bytes(victim.read_bytes()[:-1])
    stub = opened()
    assert stub.encode(TEXTS, chunks=chunks).tobytes() == expected.tobytes()
    assert stub._model.encoded in (8, 2)
    again = opened()
    again.encode(TEXTS, chunks=chunks)
    assert again._model.encoded == 0


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


def test_chunks_that_no_build_has_used_for_a_month_are_removed_and_counted(tmp_path, caplog):
    caplog.set_level("INFO", logger="opencoder")
    vectors = np.ones((1, 2), dtype=np.float32)
    mine, other = Chunks(tmp_path / "vectors" / "mine"), Chunks(tmp_path / "vectors" / "other")
    for chunks in (mine, other):
        for text in ("old", "read", "new"):
            chunks.write([text], vectors)
    month = 31 * 24 * 3600
    for chunks in (mine, other):
        for text in ("old", "read"):
            path = chunks._file([text])
            os.utime(path, (path.stat().st_atime, path.stat().st_mtime - month))
    assert mine.read(["read"]) is not None
    Chunks(tmp_path / "vectors" / "third")
    assert [mine.read([text]) is not None for text in ("old", "read", "new")] == [False, True, True]
    assert [other.read([text]) is not None for text in ("old", "read", "new")] == [
        False,
        False,
        True,
    ]
    assert caplog.messages == [
        f"{tmp_path / 'vectors'}: removed 3 files of vectors that no build has used for a month"
    ]

"""A text whose vector is on disk and whole is not encoded again; all others are, once."""

import errno
import os
from functools import partial
from hashlib import sha256
from threading import Thread

import numpy as np
import pytest

from graph.retrieval import text_vectors
from graph.retrieval.text_vectors import TextVectors, encode_new
from graph.support.errors import ConfigError
from tests.fakes.processes import in_child, kill_self

TEXTS = [f"{number} {'word ' * (number * 7 % 13)}" for number in range(50)]
VECTORS = np.array([[1.0, 0.0], [0.5, -2.0]], dtype=np.float32)


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    monkeypatch.setattr(text_vectors, "BLOCK", 8)


class Counting:
    """An encoder: a text's vector is made of its digest. It records the texts, and can fail."""

    def __init__(self, calls: int = 1_000_000) -> None:
        self.blocks: list[list[str]] = []
        self.calls = calls

    @property
    def texts(self) -> list[str]:
        return [text for block in self.blocks for text in block]

    def __call__(self, texts):
        if len(self.blocks) == self.calls:
            raise KeyboardInterrupt
        self.blocks.append(list(texts))
        digests = b"".join(sha256(text.encode("utf-8", "replace")).digest() for text in texts)
        return np.frombuffer(digests, np.uint8).reshape(len(texts), 32).astype(np.float32)


def encoded(texts, folder, encode=None):
    """Return the vectors of texts, and those texts that were encoded."""
    encode = encode or Counting()
    result = encode_new(texts, partial(map, encode), TextVectors(folder), "encoding")
    assert result.computed == len(encode.texts)
    return result.vectors, encode.texts


def digest(text):
    return sha256(text.encode()).digest()


@pytest.fixture
def tmp_path(tmp_path):
    """Return a folder that is alone in its parent, which is searched for unused files too."""
    folder = tmp_path / "encoder"
    folder.mkdir()
    return folder


def stored(folder, *texts):
    """Return what is stored of these texts, as lists."""
    digests = [digest(text) for text in texts]
    rows = {}
    for file_digests, vectors in TextVectors(folder).read(set(digests)):
        rows |= dict(zip(file_digests, vectors.tolist(), strict=True))
    return [rows.get(name) for name in digests]


def test_each_text_is_encoded_once_and_has_its_vector(tmp_path):
    texts = [*TEXTS, TEXTS[3], "", TEXTS[3]]
    vectors, new = encoded(texts, tmp_path / "v")
    assert sorted(new) == sorted({*TEXTS, ""})
    assert (vectors == Counting()(texts)).all()
    assert vectors.dtype == np.float32


def test_blocks_hold_texts_of_similar_length(tmp_path):
    encode = Counting()
    encoded(TEXTS, tmp_path, encode)
    assert [len(block) for block in encode.blocks] == [8, 8, 8, 8, 8, 8, 2]
    lengths = [len(text) for text in encode.texts]
    assert lengths == sorted(lengths, reverse=True)


def test_nothing_gives_nothing(tmp_path):
    vectors, new = encoded([], tmp_path / "v")
    assert vectors.shape == (0, 0)
    assert new == []
    assert not (tmp_path / "v").exists()


def test_only_new_and_changed_texts_are_encoded_in_any_order(tmp_path):
    encoded(TEXTS, tmp_path)
    texts = ["new", *TEXTS[:10:-1], TEXTS[2] + "!", TEXTS[2]]
    vectors, new = encoded(texts, tmp_path)
    assert sorted(new) == sorted(["new", TEXTS[2] + "!"])
    assert (vectors == Counting()(texts)).all()
    assert encoded(texts[::-1], tmp_path)[1] == []


def test_a_lone_surrogate_is_the_question_mark_that_is_encoded(tmp_path):
    assert encoded(["a \ud800"], tmp_path)[1] == ["a \ud800"]
    assert encoded(["a ?"], tmp_path)[1] == []


@pytest.mark.parametrize("calls", [1, 3, 6])
def test_a_build_that_is_cut_off_continues(tmp_path, calls):
    first, second = Counting(calls), Counting()
    with pytest.raises(KeyboardInterrupt):
        encoded(TEXTS, tmp_path, first)
    vectors, _ = encoded(TEXTS, tmp_path, second)
    assert len(first.texts) == 8 * calls
    assert len(second.texts) == 50 - 8 * calls
    assert (vectors == Counting()(TEXTS)).all()


def test_a_process_that_is_killed_while_it_writes_leaves_whole_files(tmp_path, monkeypatch):
    def build():
        def dying(source, target):
            replaced.append(source)
            kill_self() if len(replaced) == 4 else replace(source, target)

        replace, replaced = os.replace, []
        monkeypatch.setattr(os, "replace", dying)
        encoded(TEXTS, tmp_path / "v")

    assert in_child(build).code == -9
    vectors, new = encoded(TEXTS, tmp_path / "v")
    assert len(new) == 50 - 3 * 8
    assert (vectors == Counting()(TEXTS)).all()
    assert len([path for path in (tmp_path / "v").iterdir() if path.name[0] == "."]) == 0


def test_builds_at_once_share_what_is_stored_and_get_the_same_vectors(tmp_path):
    results = []
    threads = [
        Thread(target=lambda n=n: results.append(encoded(TEXTS[n:] + TEXTS[:n], tmp_path)[0]))
        for n in (0, 0, 20, 30)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({np.sort(vectors, axis=0).tobytes() for vectors in results}) == 1
    assert encoded(TEXTS, tmp_path)[1] == []


def test_the_progress_says_how_many_were_reused(tmp_path, caplog):
    caplog.set_level("INFO", logger="opencoder")
    encoded(TEXTS[:30], tmp_path)
    caplog.clear()
    encoded(TEXTS, tmp_path)
    assert caplog.messages[-1].startswith("encoding: 50 of 50")
    assert caplog.messages[-1].endswith(", 30 reused")


def test_vectors_are_found_by_the_whole_text(tmp_path):
    TextVectors(tmp_path).write([digest("ab"), digest("c")], VECTORS)
    assert stored(tmp_path, "c", "ab", "a", "") == [[0.5, -2.0], [1.0, 0.0], None, None]
    assert stored(tmp_path / "none", "ab") == [None]


def test_a_file_with_any_flipped_bit_or_any_cut_is_removed(tmp_path, caplog):
    TextVectors(tmp_path).write([digest("a"), digest("b")], VECTORS)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    assert len(whole) == 48 + 2 * 32 + 4 * 4
    damaged = [whole[:length] for length in range(len(whole))] + [whole + b"\0"]
    for bit in range(8 * len(whole)):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        damaged.append(bytes(changed))
    for content in damaged:
        file.write_bytes(content)
        assert stored(tmp_path, "a", "b") == [None, None]
        assert not file.exists()
    assert f"{tmp_path}: 1 damaged file of vectors: their texts are encoded again" in caplog.text
    file.write_bytes(whole)
    assert stored(tmp_path, "a", "b") == VECTORS.tolist()


def test_a_damaged_file_is_encoded_and_stored_again(tmp_path):
    expected, _ = encoded(TEXTS, tmp_path)
    victim = sorted(tmp_path.iterdir())[3]
    victim.write_bytes(victim.read_bytes()[:-1])
    vectors, new = encoded(TEXTS, tmp_path)
    assert len(new) in (8, 2)
    assert (vectors == expected).all()
    assert encoded(TEXTS, tmp_path)[1] == []


def test_vectors_of_another_dimension_under_the_same_name_are_refused(tmp_path):
    TextVectors(tmp_path).write([digest("a")], VECTORS[:1])
    with pytest.raises(ConfigError, match=r"vectors of 32 numbers.* stored vectors of 2: give it"):
        encoded(["a", "b"], tmp_path)


def test_vectors_of_an_encoder_without_a_name_are_not_stored():
    encode = Counting()
    vectors, *counts = encode_new(["a", "b", "a"], partial(map, encode), None, "encoding")
    # The copy of a text is neither reused nor computed.
    assert (sorted(encode.texts), counts) == (["a", "b"], [0, 2])
    assert (vectors == Counting()(["a", "b", "a"])).all()


def test_vectors_without_a_dimension_are_not_used(tmp_path):
    TextVectors(tmp_path).write([digest("a")], np.empty((1, 0), dtype=np.float32))
    assert stored(tmp_path, "a") == [None]


def test_a_pipe_and_a_link_in_the_folder_are_not_read(tmp_path):
    TextVectors(tmp_path / "v").write([digest("a")], VECTORS[:1])
    (file,) = (tmp_path / "v").iterdir()
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / "v" / "abc")
    assert stored(tmp_path / "v", "a") == [None]
    assert encoded(["a"], tmp_path / "v")[1] == ["a"]


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES])
def test_a_cache_that_can_only_be_read_is_read(tmp_path, monkeypatch, caplog, code):
    encoded(TEXTS, tmp_path)

    def refuse(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "utime", refuse)
    monkeypatch.setattr(text_vectors, "write_bytes_atomically", refuse)
    more = [f"new {number}" for number in range(20)]
    vectors, new = encoded([*TEXTS, *more], tmp_path)
    assert sorted(new) == sorted(more)
    assert (vectors == Counting()([*TEXTS, *more])).all()
    warning = f"{tmp_path}: new vectors are not stored: {os.strerror(code)}"
    assert caplog.messages.count(warning) == 1


def test_a_full_disk_is_an_error(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(text_vectors, "write_bytes_atomically", full)
    with pytest.raises(OSError, match="No space left"):
        encoded(TEXTS, tmp_path)


def test_files_that_no_build_has_used_for_a_month_are_removed_and_counted(tmp_path, caplog):
    caplog.set_level("INFO", logger="opencoder")
    mine, other = (TextVectors(tmp_path / "vectors" / name) for name in ("mine", "other"))
    month = 31 * 24 * 3600
    for vectors in (mine, other):
        for text in ("old", "read"):
            vectors.write([digest(text)], VECTORS[:1])
        for path in vectors.folder.iterdir():
            os.utime(path, (path.stat().st_atime, path.stat().st_mtime - month))
        vectors.write([digest("new")], VECTORS[:1])
    # What a build reads after a month is used, and not removed before.
    assert len(list(TextVectors(mine.folder).read({digest("read")}))) == 1
    one = VECTORS[0].tolist()
    assert stored(mine.folder, "old", "read", "new") == [None, one, one]
    assert stored(other.folder, "old", "read", "new") == [None, None, one]
    assert caplog.messages == [
        f"{tmp_path / 'vectors'}: removed 3 files of vectors that no build has used for a month"
    ]

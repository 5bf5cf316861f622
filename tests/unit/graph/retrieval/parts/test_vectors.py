"""Vectors are searched exactly; very many get an approximate index that finds nearly the same."""

import faiss
import numpy as np
import pytest

from graph.retrieval.parts import vectors
from graph.retrieval.parts.vectors import VectorPart
from graph.support.errors import MissingExtraError


def clustered(count, dimension=24, seed=0):
    """Return normalised vectors around forty centres, as texts about forty subjects would give."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((40, dimension))
    vectors = centres[random.integers(0, 40, count)] + 0.5 * random.standard_normal(
        (count, dimension)
    )
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


STORED, ASKED = clustered(3000), clustered(50, seed=1)


@pytest.fixture(scope="module")
def approximate():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vectors, "APPROXIMATE_ABOVE", 2999)
        yield VectorPart.from_vectors("question", STORED)


def test_a_search_is_exact_and_best_first():
    nearest = VectorPart.from_vectors("title", STORED).search(ASKED, 10)
    expected = ASKED.astype(np.float64) @ STORED.T.astype(np.float64)
    order = np.argsort(-expected, axis=1)[:, :10]
    assert nearest.rows.tolist() == order.tolist()
    assert nearest.scores == pytest.approx(np.take_along_axis(expected, order, 1), abs=1e-6)


def test_more_than_there_is_cannot_be_found():
    nearest = VectorPart.from_vectors("title", STORED[:3]).search(ASKED[:2], 100)
    assert nearest.rows.shape == (2, 3)
    assert sorted(nearest.rows[0].tolist()) == [0, 1, 2]


def test_cosines_are_products_and_equal_vectors_get_equal_ones():
    repeated = np.repeat(STORED[:1], 1001, axis=0)
    index = VectorPart.from_vectors("title", np.concatenate([repeated, STORED[:5]]))
    cosines = index.cosines(ASKED[0], np.arange(1006))
    assert cosines.dtype == np.float64
    assert cosines[1001:] == pytest.approx(STORED[:5] @ ASKED[0], abs=1e-6)
    assert np.ptp(cosines[:1001].round(9)) == 0.0
    some = index.cosines(ASKED[0], np.array([7, 1000, 1003]))
    assert some.round(9).tolist() == cosines[[7, 1000, 1003]].round(9).tolist()


def test_few_vectors_are_saved_as_they_are_and_mapped(tmp_path):
    VectorPart.from_vectors("title", STORED).save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["title.npy"]
    opened = VectorPart.open(tmp_path, "title")
    assert isinstance(opened.vectors, np.memmap)
    assert not opened.vectors.flags.writeable
    assert opened.vectors.tobytes() == STORED.tobytes()
    assert opened.search(ASKED, 10).rows.tolist() == (
        VectorPart.from_vectors("title", STORED).search(ASKED, 10).rows.tolist()
    )


def test_a_planted_pickle_is_refused_and_never_run(tmp_path):
    class Canary:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    np.save(tmp_path / "title.npy", np.array([Canary()], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="Python objects"):
        VectorPart.open(tmp_path, "title")
    assert not (tmp_path / "sprung").exists()


def test_an_approximate_index_is_built_above_a_size_alone(monkeypatch):
    monkeypatch.setattr(vectors, "APPROXIMATE_ABOVE", 200)
    assert VectorPart.from_vectors("title", STORED[:200])._approximate is None
    assert VectorPart.from_vectors("title", STORED[:201])._approximate.ntotal == 201


def test_an_approximate_index_finds_nearly_what_the_exact_one_finds(approximate):
    exact = VectorPart("title", STORED).search(ASKED, 10)
    nearest = approximate.search(ASKED, 10)
    shared = [len({*a} & {*b}) for a, b in zip(exact.rows, nearest.rows, strict=True)]
    assert sum(shared) / 500 >= 0.98
    assert (np.diff(nearest.scores, axis=1) <= 0).all()
    assert nearest.scores[0] == pytest.approx(STORED[nearest.rows[0]] @ ASKED[0], abs=1e-6)


def test_an_approximate_index_is_the_same_each_time_it_is_built(approximate, tmp_path, monkeypatch):
    monkeypatch.setattr(vectors, "APPROXIMATE_ABOVE", 2999)
    VectorPart.from_vectors("title", STORED).save(tmp_path)
    approximate.save(tmp_path)
    assert (tmp_path / "title.faiss").read_bytes() == (tmp_path / "question.faiss").read_bytes()


def test_an_approximate_index_comes_back_mapped_and_finds_the_same(approximate, tmp_path):
    approximate.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["question.faiss", "question.npy"]
    opened = VectorPart.open(tmp_path, "question")
    before, after = approximate.search(ASKED, 20), opened.search(ASKED, 20)
    assert after.rows.tolist() == before.rows.tolist()
    assert after.scores.tobytes() == before.scores.tobytes()
    lists = faiss.downcast_InvertedLists(faiss.extract_index_ivf(opened._approximate).invlists)
    assert isinstance(lists, faiss.OnDiskInvertedLists)


def test_without_faiss_the_message_is_the_pip_command(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'opencoder\[cpu\]'"):
        VectorPart.from_vectors("title", STORED)

"""LangChain's embeddings in the place of the encoder, and the encoder as LangChain's embeddings."""

import logging
from pathlib import Path

import httpx
import numpy as np
import pytest

from graph.retrieval import open_retriever
from graph.retrieval.embeddings import EncoderEmbeddings, OwnEmbeddings, PostEmbeddings
from graph.schema import Retrieval
from graph.support.errors import (
    ConfigError,
    EnvironmentFailure,
    IndexMismatchError,
    QuestionError,
)
from tests.fakes.corpora import (
    EMBEDDER,
    FakeEncoder,
    encode_without_weights,
    row,
    small_corpus,
    write_corpus,
)
from tests.fakes.embeddings import WordEmbeddings

TEXTS = ["sort a list", "", "a lone \ud800 surrogate", "sort a list"]


class FixedEmbeddings(WordEmbeddings):
    """Gives what the test passes, or raises it."""

    def __init__(self, result) -> None:
        super().__init__()
        self.result = result

    def embed_documents(self, texts):
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    def embed_query(self, text):
        if isinstance(self.result, Exception):
            raise self.result
        return self.result[0]


def retriever(corpus, embedder, kind="semantic", folder=None):
    return open_retriever(Retrieval(kind=kind), embedder, corpus=corpus, folder=folder)


def found(retriever, query="sort a list in java"):
    return [(d.metadata["question_id"], d.metadata["score"]) for d in retriever.invoke(query)]


@pytest.mark.parametrize("kind", ["semantic", "hybrid"])
def test_embeddings_find_what_an_encoder_with_the_same_vectors_finds(tmp_path, monkeypatch, kind):
    corpus = small_corpus(tmp_path / "c.csv")
    own = WordEmbeddings()
    results = found(retriever(corpus, OwnEmbeddings(own, "words"), kind))
    assert own.queries == ["sort a list in java"]
    encode_without_weights(monkeypatch)
    expected = found(retriever(corpus, EMBEDDER, kind))
    assert [number for number, _ in results] == [number for number, _ in expected]
    assert [s for _, s in results] == pytest.approx([s for _, s in expected], abs=1e-6)


def test_vectors_have_length_1_in_the_order_of_the_texts():
    own = OwnEmbeddings(WordEmbeddings())
    vectors = own.encode(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors == pytest.approx(
        FakeEncoder(EMBEDDER).encode([t.replace("\ud800", "?") for t in TEXTS])
    )
    assert own.encode_queries(TEXTS) == pytest.approx(vectors)
    assert own.encode([]).shape == (0, 0)


def test_documents_go_in_batches():
    embeddings = WordEmbeddings()
    OwnEmbeddings(embeddings).encode(["text"] * 600)
    assert embeddings.sizes == [256, 256, 88]


def test_a_vector_of_zeros_stays_zero():
    assert OwnEmbeddings(FixedEmbeddings([[0.0, 0.0], [3.0, 4.0]])).encode(["", "x"]).tolist() == [
        [0.0, 0.0],
        pytest.approx([0.6, 0.8]),
    ]


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (None, "2 texts must give as many vectors of numbers, all of one length"),
        ([], "2 texts must give"),
        ([1.0, 2.0], "2 texts must give"),
        ([[1.0]], "2 texts must give"),
        ([[1.0]] * 3, "2 texts must give"),
        ([[1.0], [1.0, 2.0]], "2 texts must give"),
        ([[], []], "2 texts must give"),
        ([["a"], ["b"]], "2 texts must give"),
        ([[[1.0]], [[1.0]]], "2 texts must give"),
        ([[1.0], [float("nan")]], "a vector has numbers that are not finite"),
        ([[1.0], [float("inf")]], "a vector has numbers that are not finite"),
        ([[1.0], [1e300]], "a vector has numbers that are not finite"),
        ([[1.0], [None]], "a vector has numbers that are not finite"),
    ],
)
def test_vectors_that_cannot_be_used_are_one_clear_error(result, message):
    own = OwnEmbeddings(FixedEmbeddings(result), "mine")
    with pytest.raises(ConfigError, match=f"^embeddings 'mine': .*{message}") as caught:
        own.encode(["one", "two"])
    assert "\n" not in str(caught.value)


def test_vectors_of_another_dimension_are_one_clear_error():
    embeddings = FixedEmbeddings([[1.0, 2.0]])
    own = OwnEmbeddings(embeddings)
    own.encode(["x"])
    embeddings.result = [[1.0, 2.0, 3.0]]
    for encode in (own.encode, own.encode_queries):
        with pytest.raises(ConfigError, match=r"the vectors have 3 numbers, others .* 2$"):
            encode(["x"])


@pytest.mark.parametrize(
    ("error", "of_documents", "of_queries"),
    [
        (ValueError("too\nlong"), ConfigError, QuestionError),
        (ConnectionError("refused"), EnvironmentFailure, EnvironmentFailure),
        (httpx.ConnectError("refused"), EnvironmentFailure, EnvironmentFailure),
        (MemoryError(), EnvironmentFailure, EnvironmentFailure),
    ],
)
def test_an_error_of_the_embeddings_is_one_line_with_its_cause(error, of_documents, of_queries):
    own = OwnEmbeddings(FixedEmbeddings(error))
    for encode, kind in ((own.encode, of_documents), (own.encode_queries, of_queries)):
        with pytest.raises(kind) as caught:
            encode(["x"])
        assert type(error).__name__ in str(caught.value)
        assert "\n" not in str(caught.value)
        assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    ("embeddings", "name", "message"),
    [
        ("a name", None, "embeddings must be a LangChain Embeddings, not str"),
        (WordEmbeddings(), "", "embeddings_name='' must be a text that is not empty"),
        (WordEmbeddings(), " ", "embeddings_name=' ' must"),
        (WordEmbeddings(), 3, "embeddings_name=3 must"),
    ],
)
def test_what_is_no_embeddings_or_no_name_is_one_clear_error(embeddings, name, message):
    with pytest.raises(ConfigError, match=message):
        OwnEmbeddings(embeddings, name)


# The index


def test_an_index_of_named_embeddings_is_opened_again_without_encoding(tmp_path):
    corpus = small_corpus(tmp_path / "c.csv")
    first, again = WordEmbeddings(), WordEmbeddings()
    expected = found(retriever(corpus, OwnEmbeddings(first, "words")))
    assert found(retriever(corpus, OwnEmbeddings(again, "words"))) == expected
    # The first post is encoded to compare its vector with that of the index.
    assert len(again.documents) == 1
    assert len(first.documents) == 9


def test_each_name_has_an_index_of_its_own(tmp_path):
    corpus = small_corpus(tmp_path / "c.csv")
    folders = {
        retriever(corpus, OwnEmbeddings(WordEmbeddings(), name)).index_folder()
        for name in ("one", "two", "one")
    }
    assert len(folders) == 2


@pytest.mark.parametrize("change", [lambda v: v[:, ::-1], lambda v: v[:, :32], lambda v: -v])
def test_another_model_under_the_same_name_is_refused(tmp_path, change):
    class OtherEmbeddings(WordEmbeddings):
        def embed_documents(self, texts):
            return change(np.array(super().embed_documents(texts))).tolist()

    corpus = small_corpus(tmp_path / "c.csv")
    retriever(corpus, OwnEmbeddings(WordEmbeddings(), "words")).open()
    with pytest.raises(IndexMismatchError, match="give other embeddings another name"):
        retriever(corpus, OwnEmbeddings(OtherEmbeddings(), "words")).open()


@pytest.mark.parametrize("change", [lambda v: v[:, ::-1], lambda v: v[:, :32]])
def test_another_model_under_the_same_name_mixes_no_index_that_grows(tmp_path, change):
    class OtherEmbeddings(WordEmbeddings):
        def embed_documents(self, texts):
            return change(np.array(super().embed_documents(texts))).tolist()

    stored = [row(number, f"sort {number}") for number in range(5)]
    first = write_corpus(tmp_path / "first.csv", stored)
    grown = write_corpus(tmp_path / "grown.csv", [row(9, "a new post"), *stored])
    retriever(first, OwnEmbeddings(WordEmbeddings(), "words")).open()
    other = OtherEmbeddings()
    with pytest.raises(IndexMismatchError, match="give other embeddings another name"):
        retriever(grown, OwnEmbeddings(other, "words")).open()
    again = WordEmbeddings()
    assert retriever(grown, OwnEmbeddings(again, "words")).open() == 6
    # One text of the stored file to compare, and the new post; then the first post of the index.
    assert (len(other.documents), len(again.documents)) == (1, 3)


def test_vectors_of_two_models_in_two_files_are_not_mixed(tmp_path):
    class OtherEmbeddings(WordEmbeddings):
        def embed_documents(self, texts):
            return [row[::-1] for row in super().embed_documents(texts)]

    posts = [row(number, title) for number, title in enumerate(["sort", "copy", "merge"])]
    for model, name, rows in (
        (WordEmbeddings(), "one.csv", posts[:1]),
        (OtherEmbeddings(), "two.csv", posts[1:]),
    ):
        retriever(write_corpus(tmp_path / name, rows), OwnEmbeddings(model, "words")).open()
    both = write_corpus(tmp_path / "both.csv", posts)
    for model in (WordEmbeddings(), OtherEmbeddings()):
        with pytest.raises(IndexMismatchError, match="give other embeddings another name"):
            retriever(both, OwnEmbeddings(model, "words")).open()


def test_vectors_that_differ_a_little_from_call_to_call_are_accepted(tmp_path):
    class ServerEmbeddings(WordEmbeddings):
        def embed_documents(self, texts):
            noise = np.random.default_rng(len(self.sizes)).normal(0, 0.01, (len(texts), 64))
            return (np.array(super().embed_documents(texts)) + noise).tolist()

    corpus = small_corpus(tmp_path / "c.csv")
    retriever(corpus, OwnEmbeddings(WordEmbeddings(), "words")).open()
    retriever(corpus, OwnEmbeddings(ServerEmbeddings(), "words")).open()


def test_embeddings_without_a_name_leave_no_file(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("OPENCODER_CACHE", str(tmp_path / "cache"))
    corpus = small_corpus(tmp_path / "c.csv")
    for _ in range(2):
        embeddings = WordEmbeddings()
        opened = retriever(corpus, OwnEmbeddings(embeddings))
        with caplog.at_level(logging.WARNING):
            assert len(found(opened)) == 5
        folder = opened.index_folder()
        assert folder.is_dir()
        assert len(embeddings.documents) == 9
        del opened
        assert not folder.parent.exists()
    assert [p for p in (tmp_path / "cache").rglob("*") if p.is_file()] == []
    assert "pass embeddings_name to keep it" in caplog.text


def test_a_folder_for_embeddings_without_a_name_is_refused(tmp_path):
    corpus = small_corpus(tmp_path / "c.csv")
    opened = retriever(corpus, OwnEmbeddings(WordEmbeddings()), folder=tmp_path / "index")
    with pytest.raises(ConfigError, match="name them"):
        opened.open()
    assert not Path(tmp_path / "index").exists()


# The encoder as embeddings


def test_the_encoder_gives_lists_of_floats(monkeypatch):
    encode_without_weights(monkeypatch)
    embeddings = EncoderEmbeddings(EMBEDDER)
    texts = ["sort a list", "# read *a* file"]
    expected = FakeEncoder(EMBEDDER).encode(texts).tolist()
    assert embeddings.embed_documents(texts) == expected
    assert [embeddings.embed_query(text) for text in texts] == expected
    assert embeddings.embed_documents([]) == []


def test_post_embeddings_read_the_plain_text_of_markdown(monkeypatch):
    encode_without_weights(monkeypatch)
    monkeypatch.setattr(FakeEncoder, "texts", texts := [])
    embeddings = PostEmbeddings(EMBEDDER)
    post = "Sort a list\n\n```\nsorted(x)\n```\nIt is **fast**."
    embeddings.embed_documents([post])
    embeddings.embed_query(post)
    assert texts == ["Sort a list\nIt is fast.\nsorted(x)"] * 2

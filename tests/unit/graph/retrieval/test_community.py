"""The index as LangChain's own FAISS store and BM25 retriever: the posts of `semantic` and `keyword`."""

import random
import sys
from itertools import groupby

import pytest
from langchain_core.documents import Document

import graph
from graph.config import load_profile
from graph.retrieval import open_retriever
from graph.retrieval.parts import vectors
from graph.schema import Retrieval
from graph.support.errors import ConfigError, DatasetError, MissingExtraError
from tests.fakes.corpora import EMBEDDER, encode_without_weights, row, small_corpus, write_corpus

WORDS = [
    "list",
    "dict",
    "sort",
    "copy",
    "file",
    "json",
    "merge",
    "parse",
    "branch",
    "table",
    "class",
    "loop",
    "string",
    "number",
    "index",
    "key",
    "value",
    "thread",
    "error",
    "import",
    "path",
    "date",
    "regex",
    "lambda",
    "query",
]
AS_STORED = {"answers_per_question": 100, "drop_near_duplicates": False}
"""LangChain's classes return repeats too."""


@pytest.fixture(autouse=True)
def _fake_encoder(monkeypatch):
    encode_without_weights(monkeypatch)


@pytest.fixture
def corpus(tmp_path):
    """120 posts of 90 questions: some questions have two answers, and so equal vectors."""
    draw = random.Random(7)
    titles = [" ".join(draw.choices(WORDS, k=5)) for _ in range(90)]
    rows = [
        row(
            number % 90,
            titles[number % 90],
            tags=draw.choice(WORDS),
            answer_id=str(number),
            answer_body=f"<p>{' '.join(draw.choices(WORDS, k=9))}</p>",
        )
        for number in range(120)
    ]
    return write_corpus(tmp_path / "posts.csv", rows)


@pytest.fixture
def queries():
    draw = random.Random(8)
    texts = [" ".join(draw.choices(WORDS, k=draw.randint(1, 6))) for _ in range(96)]
    return [*texts, "", "quaternion", "if else", "# *Sort*\n\nwith `code`\n\n```\nx = 1\n```"]


def passages(corpus, kind, query, k):
    return open_retriever(
        Retrieval(kind=kind, top_k=k, **AS_STORED), EMBEDDER, corpus=corpus
    ).invoke(query)


def without_score(document):
    return {
        name: value
        for name, value in document.metadata.items()
        if name not in ("score", "part_scores")
    }


def test_the_vector_store_has_the_passages_of_semantic_for_100_queries(corpus, queries):
    store = graph.open_vector_store(corpus, profile="embedded")
    retrieval = Retrieval(kind="semantic", top_k=10, **AS_STORED)
    opened = open_retriever(retrieval, EMBEDDER, corpus=corpus)
    ties = 0
    for query in queries:
        expected = opened.invoke(query)
        results = store.similarity_search_with_score(query, k=10)
        scores = [float(score) for _, score in results]
        assert scores == pytest.approx([d.metadata["score"] for d in expected], abs=1e-6)
        # Equal vectors have no order of their own, and the last of them may not fit.
        for score, group in groupby(expected, key=lambda d: round(d.metadata["score"], 5)):
            ids = {d.metadata["answer_id"] for d in group}
            if score == round(scores[-1], 5):
                break
            others = {
                d.metadata["answer_id"] for d, other in results if round(float(other), 5) == score
            }
            assert ids == others
            ties += len(ids) > 1
    assert len(queries) == 100
    assert ties > 50


def test_bm25_has_the_passages_of_keyword_for_100_queries(corpus, queries):
    retriever = graph.open_bm25(corpus, k=10)
    opened = open_retriever(
        Retrieval(kind="keyword", top_k=10, **AS_STORED), EMBEDDER, corpus=corpus
    )
    lengths = []
    for query in queries:
        expected, results = opened.invoke(query), retriever.invoke(query)
        assert [d.metadata for d in results] == [without_score(d) for d in expected]
        assert [d.page_content for d in results] == [d.page_content for d in expected]
        scores = retriever.vectorizer.get_scores(retriever.preprocess_func(query))
        shown = [scores[int(d.id)] for d in results]
        assert shown == pytest.approx([d.metadata["score"] for d in expected], abs=2e-9)
        lengths.append(len(results))
    assert len(queries) == 100
    assert {0, 10} <= {*lengths}


def test_repeats_are_in_the_classes_of_langchain_and_not_in_the_configs(tmp_path):
    rows = [
        row(1, "sort a list", answer_id="1"),
        row(1, "sort a list", answer_id="2"),
        row(2, "sort a list", answer_id="3", answer_body="<p>answer 1</p>"),
        *[row(number, "zebra") for number in range(3, 9)],
    ]
    corpus = write_corpus(tmp_path / "c.csv", rows)
    store, bm25 = graph.open_vector_store(corpus, profile="embedded"), graph.open_bm25(corpus)
    for kind, documents in (
        ("semantic", store.similarity_search("sort a list", k=3)),
        ("keyword", bm25.invoke("sort a list")),
    ):
        assert {d.metadata["answer_id"] for d in documents} == {"1", "2", "3"}
        opened = open_retriever(Retrieval(kind=kind, top_k=3), EMBEDDER, corpus=corpus)
        ids = [d.metadata["answer_id"] for d in opened.invoke("sort a list")]
        assert {"1", "2", "3"} & {*ids} == {"1"}


def test_documents_are_posts_with_their_row_as_id(tmp_path):
    corpus = small_corpus(tmp_path / "c.csv")
    [best] = graph.open_vector_store(corpus, profile="embedded").similarity_search("java", k=1)
    [expected] = passages(corpus, "semantic", "java", 1)
    assert best.page_content == expected.page_content
    assert best.metadata == without_score(expected)
    assert best.id == str(int(best.metadata["question_id"]) - 1)
    assert graph.open_bm25(corpus, k=1).invoke("java")[0] == best


def test_the_store_filters_and_shows_relevance_and_can_grow(tmp_path):
    store = graph.open_vector_store(small_corpus(tmp_path / "c.csv"), profile="embedded")
    query = "sort a dictionary by value"
    cosines = [float(score) for _, score in store.similarity_search_with_score(query, k=8)]
    [(best, _), *_] = results = store.similarity_search_with_relevance_scores(query, k=8)
    assert best.metadata["question_id"] == "2"
    assert [relevance for _, relevance in results] == pytest.approx(cosines)
    assert cosines[0] > cosines[-1] >= 0
    [java] = store.similarity_search(query, k=1, filter={"answer_id": "1008"}, fetch_k=8)
    assert java.metadata["question_id"] == "8"
    diverse = store.as_retriever(search_type="mmr", search_kwargs={"k": 3}).invoke(query)
    assert diverse[0] == best
    store.add_texts(["Sort a\n\n**dictionary** by value"], ids=["mine"])
    assert {d.id for d in store.similarity_search(query, k=2)} == {best.id, "mine"}
    store.delete([best.id])
    assert store.similarity_search(query, k=1)[0].id == "mine"


def test_the_index_is_stored_once_and_shared_with_the_configs(tmp_path):
    corpus, folder = small_corpus(tmp_path / "c.csv"), tmp_path / "index"
    store = graph.open_vector_store(str(corpus), profile="embedded", folder=str(folder))
    built = (folder / "question.npy").stat().st_mtime_ns
    again = graph.open_vector_store(corpus, profile="embedded", folder=folder)
    assert (folder / "question.npy").stat().st_mtime_ns == built
    assert again.index.ntotal == store.index.ntotal == 8
    # The precision of the profile's vectors depends on the processor.
    embedder = load_profile("embedded").embedder
    opened = open_retriever(Retrieval(kind="semantic"), embedder, corpus=corpus, folder=folder)
    assert opened.open() == 8


def test_a_large_corpus_keeps_its_approximate_index(tmp_path, monkeypatch):
    monkeypatch.setattr(vectors, "APPROXIMATE_ABOVE", 100)
    rows = [row(n, " ".join(random.Random(n).choices(WORDS, k=6))) for n in range(400)]
    corpus = write_corpus(tmp_path / "c.csv", rows)
    store = graph.open_vector_store(corpus, profile="embedded")
    opened = open_retriever(Retrieval(kind="semantic", **AS_STORED), EMBEDDER, corpus=corpus)
    scores = [float(score) for _, score in store.similarity_search_with_score("sort list", k=5)]
    assert scores == pytest.approx([d.metadata["score"] for d in opened.invoke("sort list")])
    assert type(store.index).__name__ == "IndexIVFFlat"
    # In a class of FAISS itself, each of these ends the process.
    for change in (
        lambda: store.add_texts(["more"]),
        lambda: store.add_documents([Document("more")]),
        lambda: store.add_embeddings([("more", [0.0] * 64)]),
        lambda: store.merge_from(store),
        lambda: store.delete(["3"]),
    ):
        with pytest.raises(ConfigError, match="nothing can be added or deleted"):
            change()


@pytest.mark.parametrize("k", [0, -1, "x", None, 1.5, True])
def test_a_number_of_posts_that_is_none_is_one_line(tmp_path, k):
    with pytest.raises(ConfigError, match="k is the number of documents, at least 1, not"):
        graph.open_bm25(small_corpus(tmp_path / "c.csv"), k=k)


@pytest.mark.parametrize("name", ["open_bm25", "open_vector_store"])
def test_a_missing_extra_is_one_line_before_anything_is_built(tmp_path, monkeypatch, name):
    for module in [m for m in sys.modules if m.startswith("langchain_community")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "langchain_community", None)
    with pytest.raises(MissingExtraError) as caught:
        getattr(graph, name)(tmp_path / "no such file.csv")
    assert str(caught.value) == (
        f"{name} needs langchain-community: pip install 'opencoder[community]'"
    )


def test_a_bad_path_or_profile_is_one_line(tmp_path):
    for open_ in (graph.open_bm25, graph.open_vector_store):
        with pytest.raises(DatasetError, match="nothing"):
            open_(tmp_path / "nothing.csv")
        with pytest.raises(ConfigError, match="home folder is unknown"):
            open_("~no_such_user/posts.csv")
    with pytest.raises(ConfigError, match="profile"):
        graph.open_vector_store(tmp_path / "nothing.csv", profile="unknown")

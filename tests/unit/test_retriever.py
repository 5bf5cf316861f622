"""The retriever: best posts first, ties in the order of the corpus, a bonus for tags that is bounded."""

import pytest

from graph.retrieval import index, open_retriever
from graph.retrieval.keyword import tokenize
from graph.retrieval.retriever import PostRetriever, tag_share
from graph.schema import EmbedderSpec, Retrieval
from tests.corpora import EMBEDDER, SUBJECTS, FakeEncoder, post, row, small_corpus, write_corpus
from tests.unit.test_keyword import okapi


@pytest.fixture(autouse=True)
def _fake_encoder(monkeypatch):
    monkeypatch.setattr(index, "open_encoder", FakeEncoder)


def retriever(corpus, kind="keyword", **changes):
    return open_retriever(Retrieval(kind=kind, **changes), EMBEDDER, corpus=corpus)


def ids(documents):
    return [document.metadata["question_id"] for document in documents]


def scores(documents):
    return [document.metadata["score"] for document in documents]


def titled(tmp_path, *posts):
    """Write a corpus of (title, tags), ids from 1."""
    rows = [row(number, title, tags=tags) for number, (title, tags) in enumerate(posts, 1)]
    return write_corpus(tmp_path / "titled.csv", rows)


FILLER = [("zebra", "")] * 60
"""Okapi gives a word that half of all posts have no weight: small corpora need others."""


def test_the_best_post_comes_first_with_its_score(tmp_path):
    documents = retriever(small_corpus(tmp_path / "c.csv")).invoke("sort a nested list in java")
    texts = [f"How to {subject}? I want to {subject}." for subject in SUBJECTS]
    expected = okapi(texts, "sort a nested list in java")
    order = sorted(range(len(SUBJECTS)), key=lambda number: -expected[number])[:5]
    assert ids(documents) == [str(number + 1) for number in order]
    assert scores(documents) == pytest.approx([expected[number] for number in order])


def test_semantic_scores_are_cosines_best_first(tmp_path):
    corpus = titled(tmp_path, ("red apple", ""), ("green pear", ""), ("red pear", ""))
    documents = retriever(corpus, "semantic").invoke("red pear")
    assert ids(documents) == ["3", "1", "2"]
    assert scores(documents) == pytest.approx([1.0, 0.5, 0.5])


@pytest.mark.parametrize("kind", ["keyword", "semantic"])
@pytest.mark.parametrize("top_k", [1, 3, 7])
def test_at_most_top_k_posts_are_returned(tmp_path, kind, top_k):
    corpus = small_corpus(tmp_path / "c.csv")
    assert len(retriever(corpus, kind, top_k=top_k).invoke("how to want")) == top_k


def test_more_than_there_is_cannot_be_returned(tmp_path):
    corpus = titled(tmp_path, ("red apple", ""), ("green pear", ""))
    assert ids(retriever(corpus, "semantic", top_k=100).invoke("green")) == ["2", "1"]


@pytest.mark.parametrize("kind", ["keyword", "semantic"])
def test_equal_scores_stay_in_the_order_of_the_corpus(tmp_path, kind):
    corpus = titled(tmp_path, ("other", ""), *[("copy list", "")] * 30, ("another", ""))
    found = retriever(corpus, kind, top_k=10).invoke("copy list")
    assert ids(found) == [str(number) for number in range(2, 12)]
    assert len(set(scores(found))) == 1


def test_keyword_returns_nothing_that_shares_no_word(tmp_path):
    corpus = small_corpus(tmp_path / "c.csv")
    assert ids(retriever(corpus, top_k=8).invoke("branches json")) == ["4", "6"]
    assert retriever(corpus).invoke("quaternion") == []
    assert retriever(corpus, tag_bonus=1.0).invoke("quaternion") == []


def test_documents_carry_their_metadata(tmp_path):
    rows = [row(1, "red", tags="a|b", question_url="https://x/1", licence="CC0")]
    rows += [row(number, "blue") for number in range(2, 9)]
    (document,) = retriever(write_corpus(tmp_path / "c.csv", rows)).invoke("red")
    assert document.metadata == {
        "question_id": "1",
        "answer_id": "1001",
        "title": "red",
        "tags": ["a", "b"],
        "answer_score": "1",
        "url": "https://x/1",
        "licence": "CC0",
        "score": document.metadata["score"],
    }
    assert document.metadata["score"] > 0


@pytest.mark.parametrize(
    ("tags", "query", "share"),
    [
        ((), "python", 0.0),
        (("python",), "a Python question", 1.0),
        (("python", "list"), "python", 0.5),
        (("java",), "a javascript question", 0.0),
        (("javascript",), "java", 0.0),
        (("c",), "c++", 0.0),
        (("c++",), "c", 0.0),
        (("c#", "C++"), "c# or c++", 1.0),
        (("node.js",), "in node.js", 1.0),
        (("sql", "git", "bash"), "git", 1 / 3),
    ],
)
def test_only_a_whole_tag_counts(tags, query, share):
    assert tag_share(post(tags=tags), set(tokenize(query))) == pytest.approx(share)


@pytest.mark.parametrize("tag", ["deep-copy", "python-3.x", ".net", "objective-c"])
def test_a_tag_with_a_hyphen_or_a_dot_counts_where_a_question_names_it(tmp_path, tag):
    corpus = titled(tmp_path, (f"{tag} one", ""), (f"{tag} one", tag))
    assert ids(retriever(corpus, "semantic", tag_bonus=0.5).invoke(f"{tag} one")) == ["2", "1"]


def test_the_bonus_is_added_once_and_is_bounded(tmp_path):
    corpus = titled(tmp_path, ("red pear", "fruit|green"), ("red pear", ""), ("blue", "fruit"))
    found = retriever(corpus, "semantic", tag_bonus=0.3).invoke("red pear")
    assert scores(found) == pytest.approx([1.0, 1.0, 0.0], abs=1e-6)
    found = retriever(corpus, "semantic", tag_bonus=0.3).invoke("fruit fruit")
    bonus = {document.metadata["question_id"]: document.metadata["score"] for document in found}
    assert bonus["3"] - bonus["2"] == pytest.approx(0.3, abs=1e-6)
    assert bonus["1"] - bonus["2"] == pytest.approx(0.15, abs=1e-6)


def test_a_tag_cannot_drown_what_the_question_says(tmp_path):
    corpus = titled(tmp_path, ("red pear", ""), ("unrelated words here", "pear"))
    found = retriever(corpus, "semantic", tag_bonus=0.5).invoke("red pear")
    assert ids(found) == ["1", "2"]


def test_keyword_scores_are_measured_against_the_best_before_the_bonus(tmp_path):
    corpus = titled(tmp_path, ("red pear", ""), ("red", "pear"), *FILLER)
    plain = scores(retriever(corpus).invoke("red pear"))
    found = retriever(corpus, tag_bonus=0.4).invoke("red pear")
    assert plain[1] / plain[0] + 0.4 > 1
    assert ids(found) == ["2", "1"]
    assert scores(found) == pytest.approx([plain[1] / plain[0] + 0.4, 1.0])


def test_the_bonus_reorders_only_posts_that_are_near_the_top(tmp_path):
    near = [("red pear", "")] * 20
    corpus = titled(tmp_path, *near, ("red", "pear"), *FILLER)
    assert ids(retriever(corpus, top_k=1, tag_bonus=1.0).invoke("red pear")) == ["1"]


def test_without_a_bonus_tags_change_nothing(tmp_path):
    corpus = titled(tmp_path, ("red pear", ""), ("red pear", "red|pear"), *FILLER)
    assert ids(retriever(corpus).invoke("red pear")) == ["1", "2"]


def test_the_index_is_opened_once_for_all_questions(tmp_path, monkeypatch):
    opened = []
    build = index.build_or_verify
    monkeypatch.setattr(
        "graph.retrieval.retriever.build_or_verify",
        lambda *args: opened.append(args) or build(*args),
    )
    asked = retriever(small_corpus(tmp_path / "c.csv"))
    assert opened == []
    for question in ("sort", "merge", "join"):
        asked.invoke(question)
    assert len(opened) == 1
    assert asked.open() == len(SUBJECTS)


def test_nothing_is_encoded_when_a_retriever_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr(FakeEncoder, "texts", [])
    made = PostRetriever(
        kind="semantic",
        top_k=1,
        tag_bonus=0.0,
        corpus=small_corpus(tmp_path / "c.csv"),
        folder=None,
        embedder=EmbedderSpec(model="some/encoder"),
    )
    assert FakeEncoder.texts == []
    made.open()
    assert len(FakeEncoder.texts) == len(SUBJECTS)
    made.invoke("a question")
    assert FakeEncoder.texts[len(SUBJECTS) :] == ["a question"]

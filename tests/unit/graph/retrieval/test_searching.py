"""An open index: its parts nominate posts, whose scores are weighed sums of the parts' scores."""

import numpy as np
import pytest
from rank_bm25 import BM25Okapi

from graph.retrieval import fingerprints, fusion
from graph.retrieval.parts.keyword import KeywordPart, document_terms, query_terms
from graph.retrieval.parts.vectors import VectorPart
from graph.retrieval.posts import StoredPosts
from graph.retrieval.query import Query
from graph.retrieval.searching import OpenIndex
from graph.schema import Retrieval
from tests.fakes.corpora import post

WEIGHTS = {"keyword": 0.5, "question": 0.25, "title": 0.125, "answer": 0.125}
TITLES = ["red pear", "green pear", "blue plum", "grey fig", "black grape", "white melon"]
POSTS = [
    post(number, title=title, tags=(), question=f"{title} body", answer=f"answer {number}")
    for number, title in enumerate(TITLES)
]


class FixedEncoder:
    """Points every question into the same direction."""

    def encode_queries(self, texts):
        return np.tile(np.array([[0.6, 0.8]], dtype=np.float32), (len(texts), 1))


def unit(*angles):
    return np.array([[np.cos(a), np.sin(a)] for a in angles], dtype=np.float32)


FIELDS = {
    "question": unit(0.0, 0.5, 1.0, 1.5, 2.0, 2.5),
    "title": unit(2.5, 2.0, 1.5, 1.0, 0.5, 0.0),
    "answer": unit(1.0, 1.0, 1.0, 3.0, 3.0, 3.0),
}


@pytest.fixture(autouse=True)
def _weights(monkeypatch):
    monkeypatch.setattr(fusion, "fitted_weights", lambda: WEIGHTS)


def opened(tmp_path, kind="hybrid", posts=POSTS, fields=FIELDS):
    retrieval = Retrieval(kind=kind, vectors=tuple(fields) or ("question",))
    StoredPosts.save(tmp_path, posts)
    parts = {}
    if kind in ("keyword", "hybrid"):
        parts["keyword"] = KeywordPart.build("keyword", posts, None)
    if kind in ("semantic", "hybrid"):
        parts |= {name: VectorPart.from_vectors(name, rows) for name, rows in fields.items()}
    return OpenIndex(
        retrieval,
        StoredPosts.open(tmp_path),
        fingerprints.of(posts),
        parts,
        FixedEncoder() if kind != "keyword" else None,
    )


def okapi(text, posts=POSTS):
    bm25 = BM25Okapi([document_terms(post) for post in posts], k1=5, b=0.75)
    return bm25.get_scores(query_terms(Query.of(text)))


def test_a_hybrid_score_is_the_sum_of_weight_times_feature(tmp_path):
    (candidates,) = opened(tmp_path).search([Query.of("red pear")], 6)
    cosines = {name: rows.astype(float) @ [0.6, 0.8] for name, rows in FIELDS.items()}
    keyword = okapi("red pear") / max(okapi("red pear"))
    assert keyword[0] == 1.0
    assert 0.0 < keyword[1] < 1.0
    expected = 0.5 * keyword + sum(WEIGHTS[name] * cosine for name, cosine in cosines.items())
    order = np.argsort(-expected)
    assert candidates.rows.tolist() == order.tolist()
    assert candidates.scores == pytest.approx(expected[order], abs=1e-6)
    assert candidates.rows[0] == 0


def test_a_semantic_score_is_the_mean_of_the_cosines(tmp_path):
    fields = {name: FIELDS[name] for name in ("title", "answer")}
    (candidates,) = opened(tmp_path, "semantic", fields=fields).search([Query.of("x")], 6)
    expected = (fields["title"] + fields["answer"]) @ [0.6, 0.8] / 2
    assert candidates.rows.tolist() == np.argsort(-expected).tolist()
    assert candidates.scores == pytest.approx(sorted(expected, reverse=True), abs=1e-6)


def test_a_keyword_score_is_that_of_rank_bm25_and_no_match_is_no_candidate(tmp_path):
    index = opened(tmp_path, "keyword")
    (candidates,) = index.search([Query.of("red pear")], 6)
    assert candidates.rows.tolist() == [0, 1]
    assert candidates.scores == pytest.approx(okapi("red pear")[:2], abs=1e-8)
    assert index.search([Query.of("quaternion")], 6)[0].rows.tolist() == []


@pytest.mark.parametrize("kind", ["keyword", "semantic", "hybrid"])
def test_several_questions_are_answered_as_each_alone(tmp_path, kind):
    index = opened(tmp_path, kind)
    queries = [Query.of(text) for text in ("red pear", "", "blue plum\n\nor fig", "zzz")]
    for query, together in zip(queries, index.search(queries, 6), strict=True):
        (alone,) = index.search([query], 6)
        assert alone.rows.tolist() == together.rows.tolist()
        assert alone.scores.tolist() == together.scores.tolist()
    assert index.search([], 6) == []
    assert index.nominate([], 6) == []


def test_what_no_word_matches_is_weighed_by_its_vectors_alone(tmp_path):
    (candidates,) = opened(tmp_path).search([Query.of("quaternion")], 6)
    cosines = {name: rows.astype(float) @ [0.6, 0.8] for name, rows in FIELDS.items()}
    expected = sum(WEIGHTS[name] * cosine for name, cosine in cosines.items())
    assert candidates.scores == pytest.approx(sorted(expected, reverse=True), abs=1e-6)


def test_every_part_names_posts_and_all_parts_score_the_union(tmp_path):
    (nominated,) = opened(tmp_path).nominate([Query.of("white melon")], 1)
    # The best by word, by question, by title and by answer.
    assert nominated.rows.tolist() == [0, 2, 3, 5]
    assert set(nominated.features) == {"keyword", "question", "title", "answer"}
    assert nominated.features["keyword"].tolist() == [0.0, 0.0, 0.0, 1.0]
    for name, vectors in FIELDS.items():
        assert nominated.features[name] == pytest.approx(
            vectors[nominated.rows] @ [0.6, 0.8], abs=1e-6
        )


def test_equal_scores_stay_in_the_order_of_the_corpus(tmp_path):
    posts = [
        post(n, title=f"other{n}") if n % 3 else post(n, title="copy list", question="", answer="")
        for n in range(400)
    ]
    # 384 dimensions, as in use: products of equal vectors then differ in their last bits.
    vector = np.random.default_rng(0).standard_normal(384).astype(np.float32)
    vector /= np.linalg.norm(vector)
    fields = {"question": np.repeat(vector[None], 400, axis=0)}

    class Encoder:
        def encode_queries(self, texts):
            return np.roll(vector, 1)[None].repeat(len(texts), axis=0)

    for kind in ("keyword", "hybrid", "semantic"):
        index = opened(tmp_path, kind, posts, fields)
        index._encoder = Encoder()
        (candidates,) = index.search([Query.of("copy list")], 400)
        equal = candidates.rows if kind == "semantic" else candidates.rows[:134]
        assert len(set(candidates.scores[: len(equal)].tolist())) == 1
        assert equal.tolist() == list(range(0, 400, 1 if kind == "semantic" else 3)), kind


@pytest.mark.parametrize("kind", ["keyword", "semantic", "hybrid"])
def test_as_many_as_are_wanted_are_found_beside_the_excluded(tmp_path, kind, monkeypatch):
    monkeypatch.setattr("graph.retrieval.searching._MIN_POOL", 1)
    posts = [post(number, title=f"pear number{number}") for number in range(30)]
    posts += [post(number, title="fig") for number in range(30, 70)]
    fields = {"question": unit(*np.linspace(0, 3, 70))}
    index = opened(tmp_path, kind, posts, fields)
    excluded = [*range(20), 69]
    (candidates,) = index.search([Query.of("pear")], 10, excluded)
    assert len(candidates.rows) >= 10
    assert not {*candidates.rows.tolist()} & {*excluded}


def test_an_excluded_post_sets_no_mark_for_the_others(tmp_path):
    # A leak matches every word; the best of the others is still the best there is.
    posts = [*POSTS, post(9, title="green pear salad with nuts", question="", answer="")]
    fields = {"question": unit(0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0)}
    index = opened(tmp_path, "hybrid", posts, fields)
    query = Query.of("green pear salad with nuts")
    (nominated,) = index.nominate([query], 10, [6])
    assert nominated.features["keyword"].max() == 1.0
    assert nominated.rows[nominated.features["keyword"].argmax()] == 1
    (with_leak,) = index.nominate([query], 10)
    assert with_leak.features["keyword"].argmax() == 6
    assert with_leak.features["keyword"][1] < 0.9


def test_an_approximate_search_that_finds_too_little_is_no_harm(tmp_path):
    index = opened(tmp_path, "semantic", fields={"question": FIELDS["question"]})

    class TooFew:
        def search(self, queries, depth):
            rows = np.full((len(queries), depth), -1, dtype=np.int64)
            rows[:, 0] = 4
            return np.zeros_like(rows, dtype=np.float32), rows

    index.parts["question"]._approximate = TooFew()
    (candidates,) = index.search([Query.of("x")], 6)
    assert candidates.rows.tolist() == [4]


def test_all_vector_parts_share_one_encoding_of_the_queries(tmp_path):
    calls = []

    class Encoder(FixedEncoder):
        def encode_queries(self, texts):
            calls.append(list(texts))
            return super().encode_queries(texts)

    index = opened(tmp_path)
    index._encoder = Encoder()
    index.search([Query.of("red pear"), Query.of("fig\n\nor plum")], 6)
    assert calls == [["red pear", "fig\nor plum"]]


def test_vectors_are_those_of_the_first_field_and_keyword_has_none(tmp_path):
    index = opened(tmp_path)
    assert index.vectors is index.parts["question"].vectors
    with pytest.raises(ValueError, match="no part of this index has vectors"):
        _ = opened(tmp_path, "keyword").vectors

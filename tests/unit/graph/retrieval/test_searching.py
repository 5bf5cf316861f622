"""An open index: its parts name posts, and the score of each is a weighed sum of what they say."""

import numpy as np
import pytest
from rank_bm25 import BM25Okapi

from graph.retrieval import fingerprints, fusion
from graph.retrieval.parts.keyword import KeywordIndex, document_terms, query_terms
from graph.retrieval.parts.vectors import VectorIndex
from graph.retrieval.posts import Posts
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

    def encode(self, texts):
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
    Posts.save(tmp_path, posts)
    words = KeywordIndex.build([document_terms(each) for each in posts])
    semantic = kind in ("semantic", "hybrid")
    return OpenIndex(
        retrieval,
        Posts.open(tmp_path),
        fingerprints.of(posts),
        words if kind in ("keyword", "hybrid") else None,
        {name: VectorIndex.build(made) for name, made in fields.items()} if semantic else {},
        FixedEncoder() if semantic else None,
    )


def okapi(text, posts=POSTS):
    made = BM25Okapi([document_terms(each) for each in posts], k1=5, b=0.75)
    return made.get_scores(query_terms(Query.of(text)))


def test_a_hybrid_score_is_the_sum_of_weight_times_feature(tmp_path):
    (found,) = opened(tmp_path).search([Query.of("red pear")], 6)
    cosines = {name: made.astype(float) @ [0.6, 0.8] for name, made in FIELDS.items()}
    keyword = okapi("red pear") / max(okapi("red pear"))
    assert keyword[0] == 1.0
    assert 0.0 < keyword[1] < 1.0
    expected = 0.5 * keyword + sum(WEIGHTS[name] * each for name, each in cosines.items())
    order = np.argsort(-expected)
    assert found.rows.tolist() == order.tolist()
    assert found.scores == pytest.approx(expected[order], abs=1e-6)
    assert found.rows[0] == 0


def test_a_semantic_score_is_the_mean_of_the_cosines(tmp_path):
    fields = {name: FIELDS[name] for name in ("title", "answer")}
    (found,) = opened(tmp_path, "semantic", fields=fields).search([Query.of("x")], 6)
    expected = (fields["title"] + fields["answer"]) @ [0.6, 0.8] / 2
    assert found.rows.tolist() == np.argsort(-expected).tolist()
    assert found.scores == pytest.approx(sorted(expected, reverse=True), abs=1e-6)


def test_a_keyword_score_is_that_of_rank_bm25_and_no_match_is_no_candidate(tmp_path):
    index = opened(tmp_path, "keyword")
    (found,) = index.search([Query.of("red pear")], 6)
    assert found.rows.tolist() == [0, 1]
    assert found.scores == pytest.approx(okapi("red pear")[:2], abs=1e-8)
    assert index.search([Query.of("quaternion")], 6)[0].rows.tolist() == []
    assert index.encode([Query.of("red")]).shape == (0, 0)


@pytest.mark.parametrize("kind", ["keyword", "semantic", "hybrid"])
def test_several_questions_are_answered_as_each_alone(tmp_path, kind):
    index = opened(tmp_path, kind)
    questions = [Query.of(text) for text in ("red pear", "", "blue plum\n\nor fig", "zzz")]
    together = index.search(questions, 6)
    for question, found in zip(questions, together, strict=True):
        (alone,) = index.search([question], 6)
        assert alone.rows.tolist() == found.rows.tolist()
        assert alone.scores.tolist() == found.scores.tolist()
    assert index.search([], 6) == []
    assert index.nominate([], 6) == []


def test_what_no_word_matches_is_weighed_by_its_vectors_alone(tmp_path):
    (found,) = opened(tmp_path).search([Query.of("quaternion")], 6)
    cosines = {name: made.astype(float) @ [0.6, 0.8] for name, made in FIELDS.items()}
    expected = sum(WEIGHTS[name] * each for name, each in cosines.items())
    assert found.scores == pytest.approx(sorted(expected, reverse=True), abs=1e-6)


def test_every_part_names_posts_and_all_parts_score_the_union(tmp_path):
    (found,) = opened(tmp_path).nominate([Query.of("white melon")], 1)
    # The best by word, by question, by title and by answer.
    assert found.rows.tolist() == [0, 2, 3, 5]
    assert set(found.features) == {"keyword", "question", "title", "answer"}
    assert found.features["keyword"].tolist() == [0.0, 0.0, 0.0, 1.0]
    for name, made in FIELDS.items():
        assert found.features[name] == pytest.approx(made[found.rows] @ [0.6, 0.8], abs=1e-6)


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
        def encode(self, texts):
            return np.roll(vector, 1)[None].repeat(len(texts), axis=0)

    for kind in ("keyword", "hybrid", "semantic"):
        index = opened(tmp_path, kind, posts, fields)
        index._encoder = index._encoder and Encoder()
        (found,) = index.search([Query.of("copy list")], 400)
        equal = found.rows if kind == "semantic" else found.rows[:134]
        assert len(set(found.scores[: len(equal)].tolist())) == 1
        assert equal.tolist() == list(range(0, 400, 1 if kind == "semantic" else 3)), kind


@pytest.mark.parametrize("kind", ["keyword", "semantic", "hybrid"])
def test_as_many_as_are_wanted_are_found_beside_the_excluded(tmp_path, kind, monkeypatch):
    monkeypatch.setattr("graph.retrieval.searching._POOL", 1)
    posts = [post(number, title=f"pear number{number}") for number in range(30)]
    posts += [post(number, title="fig") for number in range(30, 70)]
    fields = {"question": unit(*np.linspace(0, 3, 70))}
    index = opened(tmp_path, kind, posts, fields)
    excluded = [*range(20), 69]
    (found,) = index.search([Query.of("pear")], 10, excluded)
    assert len(found.rows) >= 10
    assert not {*found.rows.tolist()} & {*excluded}


def test_an_excluded_post_sets_no_mark_for_the_others(tmp_path):
    # A leak matches every word; the best of the others is still the best there is.
    posts = [*POSTS, post(9, title="green pear salad with nuts", question="", answer="")]
    fields = {"question": unit(0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0)}
    index = opened(tmp_path, "hybrid", posts, fields)
    question = Query.of("green pear salad with nuts")
    (found,) = index.nominate([question], 10, [6])
    assert found.features["keyword"].max() == 1.0
    assert found.rows[found.features["keyword"].argmax()] == 1
    (with_leak,) = index.nominate([question], 10)
    assert with_leak.features["keyword"].argmax() == 6
    assert with_leak.features["keyword"][1] < 0.9


def test_an_approximate_search_that_finds_too_little_is_no_harm(tmp_path):
    index = opened(tmp_path, "semantic", fields={"question": FIELDS["question"]})

    class TooFew:
        def search(self, queries, depth):
            rows = np.full((len(queries), depth), -1, dtype=np.int64)
            rows[:, 0] = 4
            return np.zeros_like(rows, dtype=np.float32), rows

    index.vectors["question"]._approximate = TooFew()
    (found,) = index.search([Query.of("x")], 6)
    assert found.rows.tolist() == [4]

"""Keyword scores are those of rank_bm25, frozen into a matrix and opened without copying."""

from math import log

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rank_bm25 import BM25Okapi

from graph.retrieval.parts import keyword
from graph.retrieval.parts.keyword import KeywordPart, document_terms, query_terms
from graph.retrieval.query import Query
from graph.retrieval.terms import tokenize
from tests.fakes.corpora import post
from tests.fakes.properties import any_text, examples

WORDS = ["a", "list", "copy", "c++", "os.path", "x1", "deep", "the", "2"]
texts = st.lists(st.sampled_from(WORDS), max_size=12)


def okapi(documents, query):
    """The scores of `rank_bm25` for lists of terms, with Lucene's idf where its own is not above 0.

    It is cut to the smallest idf above 0.
    """
    bm25 = BM25Okapi([terms or [""] for terms in documents], k1=5, b=0.75)
    least = min((idf for idf in bm25.idf.values() if idf > 0), default=float("inf"))
    for term, idf in bm25.idf.items():
        if idf <= 0:
            count = sum(term in (terms or [""]) for terms in documents)
            lucene = log(1 + (len(documents) - count + 0.5) / (count + 0.5))
            bm25.idf[term] = min(lucene, least)
    return bm25.get_scores(query)


def top(scores, count=10):
    """Return the best rows; of equal scores the first, where equal is up to the order of a sum."""
    return np.lexsort((np.arange(len(scores)), -np.round(scores, 9)))[:count].tolist()


def zipf_documents(count, seed=7):
    """Return texts of Zipf's kind: some words are in most texts, and their idf gets its floor."""
    random = np.random.default_rng(seed)
    return [
        [f"word{min(rank, 400)}" for rank in random.zipf(1.3, size)]
        for size in random.integers(0, 60, count)
    ]


@examples(50)
@given(documents=st.lists(texts, min_size=1, max_size=8), queries=st.lists(texts, max_size=3))
@example(documents=[[], [], []], queries=[["list"]])
@example(documents=[["list"], ["list"]], queries=[["list", "list"]])
@example(documents=[["deep", "copy"], ["copy"], ["the"]], queries=[["copy", "deep", "copy"], []])
def test_scores_are_those_of_rank_bm25(documents, queries):
    scores = KeywordPart.from_terms(documents).scores(queries)
    assert scores.shape == (len(queries), len(documents))
    for number, query in enumerate(queries):
        assert scores[number] == pytest.approx(okapi(documents, query), abs=1e-9)


def test_scores_and_the_ten_best_are_those_of_rank_bm25_itself_on_a_larger_corpus():
    documents = zipf_documents(300)
    index = KeywordPart.from_terms(documents)
    bm25 = BM25Okapi([terms or [""] for terms in documents], k1=5, b=0.75)
    assert min(bm25.idf.values()) > 0
    queries = [[*document[:8], *document[:2]] for document in documents[:60]]
    batch = index.scores(queries)
    for number, query in enumerate(queries):
        expected = bm25.get_scores(query)
        assert batch[number] == pytest.approx(expected, abs=1e-9)
        assert index.scores([query])[0] == pytest.approx(expected, abs=1e-9)
        assert top(batch[number]) == top(expected)


def test_a_score_worked_out_by_hand():
    # One of three texts has "deep": idf = ln(2.5 / 1.5); 2 words where the mean is 4/3; k1 is 5.
    documents = [["deep", "copy"], ["list"], ["list"]]
    scores = KeywordPart.from_terms(documents).scores([["deep"], ["deep", "deep"]])
    expected = np.log(2.5 / 1.5) * 6 / (1 + 5 * (0.25 + 0.75 * 2 / (4 / 3)))
    assert scores[0] == pytest.approx([expected, 0.0, 0.0], abs=1e-12)
    assert scores[1] == pytest.approx([2 * expected, 0.0, 0.0], abs=1e-12)


@pytest.mark.parametrize(
    "titles",
    [
        ["Copy a nested list"],
        ["Copy a nested list", "Sort a dictionary"],
        ["Copy a nested list", "Copy a nested list"],
        ["Copy a list", "Copy a file", "Copy a folder", "Sort a file"],
        ["Copy a list", "Copy a list", "Sort a list", "Sort a list"],
        ["Is it?", "if else"],
    ],
)
def test_the_title_of_a_post_finds_it_in_the_smallest_corpora(titles):
    posts = [post(number, title=title, tags=(), question="") for number, title in enumerate(titles)]
    index = KeywordPart.build("keyword", posts, None)
    scores = index.scores([query_terms(Query.of(title)) for title in titles])
    for row, title in enumerate(titles):
        assert scores[row, row] > 0
        best = [titles[column] for column in np.flatnonzero(scores[row] == scores[row].max())]
        assert set(best) == {title}


@pytest.mark.parametrize("size", [8, 10, 20])
def test_a_term_of_half_of_the_posts_scores_no_more_than_a_rarer_one(size):
    documents = [["common", "filler"] if row < size // 2 else ["filler"] for row in range(size)]
    documents = [[*terms, "rare"] if row % 5 == 0 else terms for row, terms in enumerate(documents)]
    scores = KeywordPart.from_terms(documents).scores([["common"], ["rare"]])
    assert 0 < scores[0, 0] <= scores[1, 0]


def test_terms_and_stop_words_are_scored_apart():
    documents, stop_words = [["deep"], ["list"], ["copy"]], [["if", "else"], ["for"], []]
    apart = KeywordPart.from_terms(documents, stop_words).scores(
        [["deep"], ["if"], ["copy", "for"]]
    )
    terms_alone = KeywordPart.from_terms(documents).scores([["deep"], ["if"], ["copy"]])
    stop_words_alone = KeywordPart.from_terms(stop_words).scores([["deep"], ["if"], ["for"]])
    assert apart == pytest.approx(terms_alone + stop_words_alone)


def test_unknown_terms_and_empty_queries_score_nothing():
    index = KeywordPart.from_terms([["deep", "copy"], ["list"], []])
    queries = [["quaternion"], [], ["日本"], [""]]
    assert index.scores(queries[:3]).tolist() == [[0.0, 0.0, 0.0]] * 3
    assert index.scores([]).shape == (0, 3)


def test_a_field_counts_as_often_as_it_weighs():
    counted = document_terms(
        post(title="red pear", tags=("apple",), question="green", answer="blue blue")
    )
    counts = {term: counted.count(term) for term in set(counted)}
    assert counts == {"red": 10, "pear": 10, "appl": 10, "green": 2, "blue": 2}
    everywhere = post(title="pear", tags=("pear", "c++"), question="pear pear", answer="pear")
    assert document_terms(everywhere).count("pear") == 10 + 10 + 2 + 2 + 1
    assert document_terms(everywhere).count("c++") == 10


def test_a_query_counts_a_term_once_a_field():
    counted = query_terms(Query("red pear pear", "pear blue blue blue"))
    assert {term: counted.count(term) for term in set(counted)} == {"red": 3, "pear": 4, "blue": 1}
    assert query_terms(Query("", "")) == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query("How does it look?", ""), {"how": 3, "does": 3, "it": 3, "look": 3}),
        (Query("if else", ""), {"if": 6, "else": 6}),
        (Query("How does with work?", ""), {"how": 3, "does": 3, "with": 6, "work": 3}),
        (Query("if-else", ""), {"if-else": 3, "if": 6, "else": 6}),
        (Query("How ifElse?", "Why"), {"ifels": 3, "how": 3, "if": 6, "else": 6, "why": 1}),
        (Query("if-else in Java", ""), {"if-else": 3, "java": 3}),
        (Query("for while", "Why?"), {"for": 6, "while": 6, "why": 1}),
        (Query("if else in Java", ""), {"java": 3}),
        (Query("if else", "In Java."), {"java": 1}),
        (Query("Why not //", ""), {"//": 3}),
    ],
)
def test_stop_words_count_where_a_query_has_nothing_else(query, expected):
    counted = query_terms(query)
    assert {term.removeprefix("stop:"): counted.count(term) for term in counted} == expected


def test_the_identity_states_every_number_that_changes_a_score():
    assert keyword.PARAMETERS["fields"] == {"title": 10, "question": 2, "answer": 1}
    assert {name: keyword.PARAMETERS[name] for name in ("k1", "b", "epsilon")} == {
        "k1": 5.0,
        "b": 0.75,
        "epsilon": 0.25,
    }
    assert isinstance(keyword.PARAMETERS["terms"], int)


def test_an_index_comes_back_exactly_as_it_was_saved(tmp_path):
    built = KeywordPart.from_terms([*zipf_documents(20), tokenize("c++ os.path.join"), []])
    built.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(keyword.FILES)
    opened = KeywordPart.open(tmp_path)
    queries = [["word1", "word3", "word1"], ["os.path.join"], ["c++", "path"], ["none"], []]
    assert opened.scores(queries).max() > 0
    assert opened.scores(queries).tobytes() == built.scores(queries).tobytes()


def test_an_opened_index_stays_on_disk_and_unpickles_nothing(tmp_path, monkeypatch):
    KeywordPart.from_terms([["deep", "copy"], ["list"]]).save(tmp_path)
    load, calls = np.load, []

    def watched(path, **options):
        calls.append((path.name, options))
        return load(path, **options)

    monkeypatch.setattr(np, "load", watched)
    opened = KeywordPart.open(tmp_path)
    careful = {"mmap_mode": "r", "allow_pickle": False}
    assert calls == [(f"{name}.npy", careful) for name in ("data", "indices", "indptr")]
    data = opened._scores.data
    while not isinstance(data, np.memmap):
        assert data.base is not None, "the scores were copied into memory"
        data = data.base
    assert not data.flags.writeable


def test_a_planted_pickle_is_refused_and_never_run(tmp_path):
    class Canary:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    KeywordPart.from_terms([["deep", "copy"], ["list"]]).save(tmp_path)
    np.save(tmp_path / "data.npy", np.array([Canary()], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="Python objects"):
        KeywordPart.open(tmp_path)
    assert not (tmp_path / "sprung").exists()


@examples(50)
@given(query=any_text)
def test_no_query_is_a_surprise(query):
    index = KeywordPart.from_terms([["deep", "copy"], ["list"], ["b"]])
    assert np.isfinite(index.scores([query_terms(Query.of(query))])).all()

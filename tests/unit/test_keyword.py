"""Keyword scores are those of rank_bm25, frozen into a matrix and opened without copying."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rank_bm25 import BM25Okapi

from graph.retrieval.keyword import KeywordIndex, tokenize
from tests.properties import any_text, examples

WORDS = ["a", "list", "copy", "c++", "os.path", "x1", "deep", "the", "2"]
texts = st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)


def okapi(documents, query):
    """The scores that `rank_bm25` itself gives, with its default parameters."""
    return BM25Okapi([tokenize(text) or [""] for text in documents]).get_scores(tokenize(query))


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("How to Copy a LIST?", ["how", "to", "copy", "a", "list"]),
        ("os.path.join(a)", ["os.path.join", "os", "path", "join", "a"]),
        ("C++ and C# differ", ["c++", "and", "c#", "differ"]),
        ("snake_case camelCase __init__", ["snake_case", "camelcase", "__init__"]),
        ("x = 3.14; y=1e5.", ["x", "3.14", "3", "14", "y", "1e5"]),
        ("it's e-mail", ["it", "s", "e", "mail"]),
        ("node.js", ["node.js", "node", "js"]),
        ("...", []),
        ("", []),
        ("日本語 naïve", ["na", "ve"]),
    ],
)
def test_text_and_code_are_split_into_terms(text, terms):
    assert tokenize(text) == terms


@examples(100)
@given(documents=st.lists(texts, min_size=1, max_size=8), query=texts)
@example(documents=["", "", ""], query="list")
@example(documents=["list", "list"], query="list list")
@example(documents=["deep copy", "copy", "the list"], query="copy deep copy")
def test_scores_are_those_of_rank_bm25(documents, query):
    expected = okapi(documents, query)
    assert KeywordIndex.build(documents).scores(query) == pytest.approx(expected, abs=1e-5)


def test_scores_match_on_a_larger_random_corpus():
    random = np.random.default_rng(7)
    vocabulary = [f"word{number}" for number in range(400)]
    # Zipf: a few words are in most texts, so that their idf is negative and gets its floor.
    documents = [
        " ".join(vocabulary[min(rank, 400) - 1] for rank in random.zipf(1.3, size))
        for size in random.integers(5, 60, 150)
    ]
    index = KeywordIndex.build(documents)
    for document in documents[:30]:
        query = " ".join(document.split()[:8])
        assert index.scores(query) == pytest.approx(okapi(documents, query), abs=1e-5)


def test_a_score_worked_out_by_hand():
    # One of three texts has "deep": idf = ln(2.5 / 1.5); 2 words where the mean is 4/3.
    scores = KeywordIndex.build(["deep copy", "list", "list"]).scores("deep")
    expected = np.log(2.5 / 1.5) * 2.5 / (1 + 1.5 * (0.25 + 0.75 * 2 / (4 / 3)))
    assert scores == pytest.approx([expected, 0.0, 0.0], abs=1e-12)


def test_a_repeated_term_counts_twice():
    index = KeywordIndex.build(["deep copy", "list", "list"])
    assert index.scores("deep deep") == pytest.approx(2 * index.scores("deep"))
    assert index.scores("deep")[0] > 0


def test_unknown_terms_and_empty_queries_score_nothing():
    index = KeywordIndex.build(["deep copy", "list"])
    for query in ("quaternion", "", "?!", "日本"):
        assert index.scores(query).tolist() == [0.0, 0.0]


def test_an_index_comes_back_exactly_as_it_was_saved(tmp_path):
    built = KeywordIndex.build(["deep copy of a list", "", "the list", "c++ os.path.join"])
    built.save(tmp_path)
    opened = KeywordIndex.open(tmp_path)
    for query in ("list copy list", "os.path", "c++ the", "none"):
        assert opened.scores(query).tobytes() == built.scores(query).tobytes()


def test_an_opened_index_stays_on_disk_and_unpickles_nothing(tmp_path, monkeypatch):
    KeywordIndex.build(["deep copy", "list"]).save(tmp_path)
    load, seen = np.load, []

    def watched(path, **options):
        seen.append((path.name, options))
        return load(path, **options)

    monkeypatch.setattr(np, "load", watched)
    opened = KeywordIndex.open(tmp_path)
    careful = {"mmap_mode": "r", "allow_pickle": False}
    assert seen == [(f"{name}.npy", careful) for name in ("data", "indices", "indptr")]
    data = opened._scores.data
    while not isinstance(data, np.memmap):
        assert data.base is not None, "the scores were copied into memory"
        data = data.base
    assert not data.flags.writeable


def test_a_planted_pickle_is_refused_and_never_run(tmp_path):
    class Canary:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    KeywordIndex.build(["deep copy", "list"]).save(tmp_path)
    np.save(tmp_path / "data.npy", np.array([Canary()], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="Python objects"):
        KeywordIndex.open(tmp_path)
    assert not (tmp_path / "sprung").exists()


@examples(100)
@given(query=any_text)
def test_no_query_is_a_surprise(query):
    scores = KeywordIndex.build(["deep copy", "list", "a b c"]).scores(query)
    assert np.isfinite(scores).all()

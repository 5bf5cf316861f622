"""The retriever: the best posts first, top_k of them, no excluded posts and no repeats."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from html import escape
from math import exp

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from rank_bm25 import BM25Okapi

from graph.retrieval import fusion, index, open_retriever
from graph.retrieval.corpus import read_corpus
from graph.retrieval.cross_encoder import CrossEncoder
from graph.retrieval.parts.keyword import document_terms, query_terms
from graph.retrieval.parts.postgres import PostgresPart
from graph.retrieval.query import Query
from graph.retrieval.retriever import PostRetriever
from graph.schema import EmbedderSpec, Retrieval
from graph.support.errors import ConfigError
from tests.fakes.corpora import (
    EMBEDDER,
    SUBJECTS,
    FakeEncoder,
    encode_without_weights,
    row,
    small_corpus,
    write_corpus,
)
from tests.fakes.properties import any_text, examples

KINDS = ["keyword", "semantic", "hybrid"]


@pytest.fixture(autouse=True)
def _fake_encoder(monkeypatch):
    encode_without_weights(monkeypatch)


def retriever(corpus, kind="keyword", excluded=frozenset(), **changes):
    retrieval = Retrieval(kind=kind, **changes)
    return open_retriever(retrieval, EMBEDDER, corpus=corpus, excluded=frozenset(excluded))


def ids(documents):
    return [document.metadata["question_id"] for document in documents]


def scores(documents):
    return [document.metadata["score"] for document in documents]


def titled(tmp_path, *posts):
    """Write a corpus of (title, tags), ids from 1; the answers have nothing in common."""
    rows = [
        row(number, title, tags=tags, answer_body=f"<p>reply{1000 + number}</p>")
        for number, (title, tags) in enumerate(posts, 1)
    ]
    return write_corpus(tmp_path / "titled.csv", rows)


FILLER = [("zebra", "")] * 60
"""Okapi gives a word that half of all posts have no weight: small corpora need others."""


def test_the_best_post_comes_first_with_its_score(tmp_path):
    corpus = small_corpus(tmp_path / "c.csv")
    documents = retriever(corpus).invoke("sort a nested list in java")
    terms = [document_terms(post) for post in read_corpus(corpus)]
    query = query_terms(Query.of("sort a nested list in java"))
    expected = BM25Okapi(terms, k1=5, b=0.75).get_scores(query)
    order = [n for n in sorted(range(8), key=lambda n: -expected[n]) if expected[n] > 0][:5]
    assert len(order) == 4
    assert ids(documents) == [str(number + 1) for number in order]
    assert scores(documents) == pytest.approx([expected[number] for number in order])


def test_semantic_scores_are_cosines_best_first(tmp_path):
    corpus = titled(tmp_path, ("red apple", ""), ("green pear", ""), ("red pear", ""))
    documents = retriever(corpus, "semantic").invoke("red pear")
    assert ids(documents) == ["3", "1", "2"]
    assert scores(documents) == pytest.approx([1.0, 0.5, 0.5])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("top_k", [1, 3, 7])
def test_at_most_top_k_posts_are_returned(tmp_path, kind, top_k):
    corpus = small_corpus(tmp_path / "c.csv")
    query = "copy sort read merge join parse condition exception"
    assert len(retriever(corpus, kind, top_k=top_k).invoke(query)) == top_k


def test_more_than_there_is_cannot_be_returned(tmp_path):
    corpus = titled(tmp_path, ("red apple", ""), ("green pear", ""))
    assert ids(retriever(corpus, "semantic", top_k=100).invoke("green")) == ["2", "1"]


@pytest.mark.parametrize("kind", KINDS)
def test_equal_scores_stay_in_the_order_of_the_corpus(tmp_path, kind):
    corpus = titled(tmp_path, ("other", ""), *[("copy list", "")] * 30, *FILLER)
    documents = retriever(corpus, kind, top_k=10).invoke("copy list")
    assert ids(documents) == [str(number) for number in range(2, 12)]
    assert len(set(scores(documents))) == 1


def test_keyword_returns_nothing_that_shares_no_word(tmp_path):
    corpus = small_corpus(tmp_path / "c.csv")
    assert ids(retriever(corpus, top_k=8).invoke("branches json")) == ["4", "6"]
    assert retriever(corpus).invoke("quaternion") == []
    assert retriever(corpus, tag_bonus=1.0).invoke("quaternion") == []


def test_documents_carry_their_metadata(tmp_path):
    rows = [
        row(1, "red", tags="a|b", question_url="https://x/1", licence="CC0", is_accepted="true")
    ]
    rows += [row(n, "blue", question_url="", licence="", is_accepted="") for n in range(2, 9)]
    (document,) = retriever(write_corpus(tmp_path / "c.csv", rows)).invoke("red")
    assert document.metadata == {
        "question_id": "1",
        "answer_id": "1001",
        "title": "red",
        "tags": ["a", "b"],
        "answer_score": "1",
        "accepted": True,
        "answer_chars": 8,
        "url": "https://x/1",
        "licence": "CC0",
        "score": document.metadata["score"],
        "part_scores": {"keyword": pytest.approx(document.metadata["score"])},
    }
    assert document.metadata["score"] > 0


@pytest.mark.parametrize("kind", ["keyword", "semantic"])
def test_a_part_that_only_scores_changes_no_ranking_and_no_score(tmp_path, kind):
    corpus = small_corpus(tmp_path / "c.csv")
    others = [name for name in ("keyword", "question", "title", "answer") if name != kind]
    plain = retriever(corpus, kind).invoke("sort a nested list in java")
    scored = retriever(corpus, kind, scored=others).invoke("sort a nested list in java")
    assert ids(scored) == ids(plain)
    assert scores(scored) == pytest.approx(scores(plain))
    names = {"keyword", "question", "title", "answer"}
    assert set(scored[0].metadata["part_scores"]) == names
    assert len(plain[0].metadata["part_scores"]) == 1


def test_the_parts_of_hybrid_sum_up_to_its_score(tmp_path):
    corpus = small_corpus(tmp_path / "c.csv")
    opened = retriever(corpus, "hybrid", vectors=["question", "title", "answer"])
    weights = fusion.weights(opened.retrieval)
    for document in opened.invoke("sort a nested list in java"):
        parts = document.metadata["part_scores"]
        total = sum(weight * parts[name] for name, weight in weights.items())
        assert document.metadata["score"] == pytest.approx(total)


def test_stored_vectors_are_those_of_the_post_with_this_answer(tmp_path):
    rows = [row(1, "red", answer_body=f"<p>{text}</p>") for text in ("pear", "plum")]
    opened = retriever(write_corpus(tmp_path / "c.csv", rows), "semantic", scored=["answer"])
    posts = [("1", "plum"), ("1", "fig"), ("2", "pear")]
    plum, fig, unknown = opened.vectors_of_posts("answer", posts)
    assert plum.tolist() == FakeEncoder(EMBEDDER).encode(["plum"])[0].tolist()
    assert fig is None
    assert unknown is None
    assert opened.vectors_of_posts("title", posts) == [None] * 3


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_excluded_never_comes_back_and_others_take_its_place(tmp_path, kind):
    corpus = titled(tmp_path, *[("red pear", "")] * 300, *FILLER * 6)
    leaks = {str(number) for number in range(1, 291)}
    opened = retriever(corpus, kind, leaks, drop_near_duplicates=False)
    assert ids(opened.invoke("red")) == ["291", "292", "293", "294", "295"]
    (ranking,) = opened.rank(["red"], 20)
    assert not {ranked.question_id for ranked in ranking} & leaks
    assert len(ranking) == (20 if kind != "keyword" else 10)


def test_where_everything_is_excluded_nothing_is_found(tmp_path):
    corpus = small_corpus(tmp_path / "c.csv")
    everything = {str(number) for number in range(1, 9)}
    for kind in KINDS:
        assert retriever(corpus, kind, everything).invoke("sort a list") == []
        assert len(retriever(corpus, kind, {"no such id"}).invoke("sort a list")) > 0


def answers(tmp_path, count):
    """Write `count` answers to question 7, which is about pears, and six other questions."""
    rows = [
        row(7, "red pear", answer_id=str(n), answer_body=f"<p>reply{1000 + n}</p>")
        for n in range(count)
    ]
    rows += [row(n, f"fig number{n}", answer_body=f"<p>so{n} it{n}</p>") for n in range(20, 26)]
    return write_corpus(tmp_path / "answers.csv", rows)


@pytest.mark.parametrize("allowed", [1, 2, 4])
def test_a_question_gives_at_most_so_many_answers(tmp_path, allowed):
    documents = retriever(answers(tmp_path, 5), "semantic", answers_per_question=allowed).invoke(
        "pear"
    )
    assert ids(documents).count("7") == allowed
    assert len(documents) == 5
    assert [d.metadata["answer_id"] for d in documents[:allowed]] == [
        str(n) for n in range(allowed)
    ]


@pytest.mark.parametrize("kind", ["semantic", "hybrid"])
def test_a_question_with_very_many_answers_does_not_hide_the_others(tmp_path, kind):
    documents = retriever(answers(tmp_path, 700), kind).invoke("red pear")
    assert ids(documents)[0] == "7"
    assert len(set(ids(documents))) == 5


def test_near_duplicates_are_returned_once_unless_they_are_wanted(tmp_path):
    body = " ".join(f"word{n}" for n in range(60))
    rows = [row(n, "red pear", body, answer_body=body) for n in range(1, 6)]
    rows += [row(n, f"fig number{n}", answer_body=f"<p>so{n} it{n}</p>") for n in range(20, 40)]
    corpus = write_corpus(tmp_path / "c.csv", rows)
    query = f"red pear\n\n{body}"
    for kind in KINDS:
        once = ids(retriever(corpus, kind).invoke(query))
        assert once[0] == "1"
        assert not {"2", "3", "4", "5"} & {*once}
        every = retriever(corpus, kind, drop_near_duplicates=False).invoke(query)
        assert ids(every) == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize("tag", ["deep-copy", "python-3.x", ".net", "objective-c"])
def test_a_tag_with_a_hyphen_or_a_dot_counts_where_a_question_names_it(tmp_path, tag):
    corpus = titled(tmp_path, (f"{tag} one", ""), (f"{tag} one", tag))
    assert ids(retriever(corpus, "semantic", tag_bonus=0.5).invoke(f"{tag} one")) == ["2", "1"]


def test_each_bonus_reaches_the_scores(tmp_path):
    rows = [
        row(n, "red pear", answer_body=f"<p>reply{n}</p>", answer_score="0", is_accepted="")
        for n in range(1, 4)
    ]
    rows[1] |= {"answer_score": "1000"}
    rows[2] |= {"is_accepted": "True"}
    corpus = write_corpus(tmp_path / "c.csv", rows)
    for bonus, best in (("score_bonus", "2"), ("accepted_bonus", "3")):
        documents = retriever(corpus, "semantic", **{bonus: 0.25}).invoke("red pear")
        assert ids(documents)[0] == best
        assert scores(documents) == pytest.approx([1.25, 1.0, 1.0], abs=1e-6)
    assert ids(retriever(corpus, "semantic").invoke("red pear")) == ["1", "2", "3"]


def test_a_tag_cannot_drown_what_the_question_says(tmp_path):
    corpus = titled(tmp_path, ("red pear", ""), ("green figs slowly", "pear"))
    documents = retriever(corpus, "semantic", tag_bonus=0.5).invoke("red pear")
    assert ids(documents) == ["1", "2"]


def test_keyword_scores_are_measured_against_the_best_before_the_bonus(tmp_path):
    corpus = titled(tmp_path, ("red pear", ""), ("red", "pear"), *FILLER)
    plain = scores(retriever(corpus).invoke("red pear"))
    documents = retriever(corpus, tag_bonus=0.4).invoke("red pear")
    # A tag counts as the title does, so both posts match alike.
    assert plain[1] == pytest.approx(plain[0])
    assert ids(documents) == ["2", "1"]
    assert scores(documents) == pytest.approx([1.4, 1.0])


def test_diversity_puts_something_new_in_second_place(tmp_path):
    titles = ["red pear salad"] * 3 + ["red pear", "green fig"]
    corpus = titled(tmp_path, *[(title, "") for title in titles])
    for kind in ("semantic", "hybrid"):
        plain = ids(retriever(corpus, kind, top_k=3).invoke("red pear salad"))
        assert plain == ["1", "2", "3"]
        documents = ids(retriever(corpus, kind, top_k=3, diversity=0.7).invoke("red pear salad"))
        assert documents[0] == "1"
        assert not {"2", "3"} & {documents[1]}


class StubCrossEncoder:
    """Prefers posts that say "fig"; records the pairs it reads."""

    def __init__(self, score=lambda post: float("fig" in post)):
        self.score, self.pairs = score, []

    def predict(self, pairs, show_progress_bar, activation_fn):
        assert not show_progress_bar
        for query, post in pairs:
            (query + post).encode("utf-8")
        self.pairs.extend(pairs)
        scores = torch.tensor([self.score(post) for _, post in pairs])
        return activation_fn(scores).numpy()


def test_a_cross_encoder_reads_so_many_of_the_best_and_reorders_them(tmp_path, monkeypatch):
    titles = ["red pear"] * 3 + ["red fig", "pear fig", "fig alone", "zebra"]
    corpus = titled(tmp_path, *[(title, "") for title in titles])
    stub = StubCrossEncoder()
    monkeypatch.setattr(CrossEncoder, "_read", lambda self: stub)
    changes = {"cross_encoder": "some/model", "top_k": 4}
    opened = retriever(corpus, "semantic", cross_encoder_depth=5, **changes)
    documents = opened.invoke("red pear\n\n\ud800")
    assert ids(documents) == ["4", "5", "1", "2"]
    sigmoid = 1 / (1 + exp(-1))
    assert scores(documents) == pytest.approx([sigmoid, sigmoid, 0.5, 0.5])
    assert {pair[0] for pair in stub.pairs} == {"red pear\n?"}
    assert [pair[1] for pair in stub.pairs][:1] == ["red pear\n\n\nreply1001"]
    assert len(stub.pairs) == 5
    with_diversity = retriever(corpus, "semantic", diversity=0.5, **changes).invoke("red pear")
    assert ids(with_diversity)[0] == "4"
    (ranking,) = opened.rank(["red pear"], 2)
    assert [ranked.question_id for ranked in ranking] == ["4", "5"]


def test_a_cross_encoder_that_reads_more_than_is_nominated_by_default_gets_them(
    tmp_path, monkeypatch
):
    corpus = titled(tmp_path, *[("red pear", "")] * 300)
    stub = StubCrossEncoder()
    monkeypatch.setattr(CrossEncoder, "_read", lambda self: stub)
    changes = {"cross_encoder": "some/model", "cross_encoder_depth": 250, "top_k": 1}
    assert ids(retriever(corpus, "semantic", **changes).invoke("red pear")) == ["1"]
    assert len(stub.pairs) == 250


@pytest.mark.parametrize("score", [lambda post: float("nan"), lambda post: [0.5, 0.5]])
def test_a_cross_encoder_that_gives_no_scores_is_a_mistake_of_the_config(
    tmp_path, monkeypatch, score
):
    monkeypatch.setattr(CrossEncoder, "_read", lambda self: StubCrossEncoder(score))
    opened = retriever(small_corpus(tmp_path / "c.csv"), cross_encoder="some/model")
    with pytest.raises(ConfigError, match="'some/model' must give one finite score a pair"):
        opened.invoke("sort")
    assert opened.invoke("quaternion") == []


def test_a_cross_encoder_loads_with_the_index_and_once(tmp_path, monkeypatch):
    loaded = []
    monkeypatch.setattr(
        CrossEncoder, "_read", lambda self: loaded.append(self) or StubCrossEncoder()
    )
    opened = retriever(small_corpus(tmp_path / "c.csv"), cross_encoder="some/model")
    assert loaded == []
    opened.open()
    opened.invoke("sort")
    assert len(loaded) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_ranking_names_each_question_once_and_at_most_depth(tmp_path, kind):
    corpus = answers(tmp_path, 40)
    opened = retriever(corpus, kind, answers_per_question=3)
    for depth in (0, 1, 4, 7, 100):
        rankings = opened.rank(["pear", "fig number21", "quaternion"], depth)
        assert len(rankings) == 3
        for ranking in rankings:
            names = [ranked.question_id for ranked in ranking]
            assert len(names) == len(set(names)) <= depth
            values = [ranked.score for ranked in ranking]
            assert values == sorted(values, reverse=True)
    if kind != "keyword":
        assert [len(ranking) for ranking in opened.rank(["pear", "fig"], 100)] == [7, 7]
        assert opened.rank(["pear"], 4)[0][0].question_id == "7"
    assert opened.rank([], 5) == []


def test_a_ranking_agrees_with_what_is_returned(tmp_path):
    corpus = small_corpus(tmp_path / "c.csv")
    for kind in KINDS:
        opened = retriever(corpus, kind)
        for subject in SUBJECTS:
            (ranking,) = opened.rank([subject], 5)
            documents = opened.invoke(subject)
            assert [ranked.question_id for ranked in ranking] == ids(documents)
            assert [ranked.score for ranked in ranking] == pytest.approx(scores(documents))


HOSTILE = [
    "",
    " \n\n ",
    "the of and how to",
    "x" * 200_000,
    "word " * 40_000,
    "a.b" * 40_000,
    "-" * 200_000,
    "\ud800\udfff",
    "\x00\x01",
    "(" * 10_000,
]


def test_no_query_is_a_surprise(tmp_path):
    corpus = small_corpus(tmp_path / "c.csv")
    opened = retriever(corpus, "hybrid", tag_bonus=0.1)
    for query in HOSTILE:
        assert len(opened.invoke(query)) == 5
    # The only query with words that posts have is one of stop words.
    numbers = [len(ranking) for ranking in retriever(corpus).rank(HOSTILE, 3)]
    assert numbers == [3 * (query == "the of and how to") for query in HOSTILE]


@settings(
    examples(50),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(query=any_text)
def test_any_text_can_be_asked(tmp_path, query):
    opened = _OPENED.setdefault(tmp_path, retriever(small_corpus(tmp_path / "c.csv"), "hybrid"))
    assert len(opened.invoke(query)) == 5


_OPENED: dict[object, PostRetriever] = {}


@pytest.mark.parametrize("kind", KINDS)
def test_many_threads_may_ask_at_once(tmp_path, kind):
    corpus = small_corpus(tmp_path / "c.csv")
    expected = [ids(retriever(corpus, kind).invoke(subject)) for subject in SUBJECTS]
    opened = retriever(corpus, kind)
    with ThreadPoolExecutor(16) as pool:
        rankings = list(pool.map(lambda n: ids(opened.invoke(SUBJECTS[n % 8])), range(80)))
    assert rankings == expected * 10


def test_the_index_is_opened_once_for_all_questions(tmp_path, monkeypatch):
    builds = []
    build = index.build_or_verify
    monkeypatch.setattr(
        "graph.retrieval.retriever.build_or_verify",
        lambda *args: builds.append(args) or build(*args),
    )
    opened = retriever(small_corpus(tmp_path / "c.csv"))
    assert builds == []
    for question in ("sort", "merge", "join"):
        opened.invoke(question)
    assert len(builds) == 1
    assert opened.open() == len(SUBJECTS)


def test_nothing_is_encoded_when_a_retriever_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr(FakeEncoder, "texts", [])
    semantic = PostRetriever(
        retrieval=Retrieval(kind="semantic", top_k=1),
        corpus=small_corpus(tmp_path / "c.csv"),
        folder=None,
        embedder=EmbedderSpec(model="some/encoder"),
    )
    assert FakeEncoder.texts == []
    semantic.open()
    assert len(FakeEncoder.texts) == len(SUBJECTS)
    semantic.invoke("a question\n\nwith a body")
    assert FakeEncoder.texts[len(SUBJECTS) :] == ["a question\nwith a body"]


def test_the_server_is_asked_once_for_the_vectors_of_all_fields(tmp_path, monkeypatch):
    checks = []

    monkeypatch.setattr(PostgresPart, "check_server", lambda: checks.append(1))
    monkeypatch.setattr("graph.retrieval.retriever.build_or_verify", lambda *_: 1 / 0)
    opened = open_retriever(
        Retrieval(kind="hybrid", vectors=("question", "answer"), store="postgres"),
        EmbedderSpec(model="all-MiniLM-L6-v2", weights="package"),
        corpus=small_corpus(tmp_path / "c.csv"),
    )
    with pytest.raises(ZeroDivisionError):
        opened.open()
    assert checks == [1]


OPERATORS = [
    ("@", "a @ b", "Python", "Matrix multiplication."),
    (":=", "if (n := len(a)) &gt; 10:", "Python", "It assigns within an expression."),
    ("//", "a // b", "Python", "Floor division."),
    ("**", "a ** b", "Python", "Power."),
    ("->", "def f() -&gt; int:", "Python", "The annotated type."),
    ("%", "a % b", "Python", "Remainder."),
    ("&&", "a &amp;&amp; b", "JavaScript", "Logical and."),
    ("=>", "x =&gt; x", "JavaScript", "A function."),
    ("??", "a ?? b", "C#", "The first that is not null."),
    ("::", "std::sort", "C++", "A namespace."),
    ("...", "f(...xs)", "JavaScript", "Spread."),
    ("$", "$name", "PHP", "A variable."),
]


def test_a_question_about_an_operator_finds_the_post_about_it(tmp_path):
    rows = [
        row(number, f"What does the {operator} operator do in {language}?",
            f"<p>I saw <code>{code}</code>.</p>", f"{language.lower()}|operators",
            answer_body=f"<p>{answer}</p>")
        for number, (operator, code, language, answer) in enumerate(OPERATORS, 1)
    ]  # fmt: skip
    # The titles of real posts do not always name the operator.
    unnamed = [
        row(number + 100, "What is this syntax?", f"<pre><code>{code}</code></pre>")
        for number, (_, code, _, _) in enumerate(OPERATORS, 1)
    ]
    subjects = [row(200 + number, f"How to {subject}?") for number, subject in enumerate(SUBJECTS)]
    opened = retriever(write_corpus(tmp_path / "c.csv", [*rows, *unnamed, *subjects]))
    for number, (operator, _, language, _) in enumerate(OPERATORS, 1):
        question = f"What does the {operator} operator do in {language}?"
        assert ids(opened.invoke(question))[0] == str(number), operator
        assert ids(opened.invoke(f"What is {operator} for?"))[:2] == [
            str(number),
            str(number + 100),
        ]


SIGNS = """
    == === != !== -> => <=> & && | || ^ ~ << >> >>> ?. ?? ?: :: ... .. % += -= ++ -- <- ! * + - / < >
    <= >= = $ # @@ %% %>% |> <| >>= =~ !~ **= //= &= |= ^= <<= ??= [] {} () [:] ; ' " &* ->> . !! <>
    ~= /= %= @= :- ||| =:= ===> → ≠ ≤ \u00d7 ÷ ∘ $( ${} $_ $? $$ &> >& <<< ~~ !. *. ->* .* ::* <: %in%
    <!-- #!
"""


def test_a_question_about_any_signs_finds_the_post_about_them(tmp_path):
    rows = [
        row(number, f"What does the {signs} operator do?",
            f"<p>I saw <code>a {escape(signs)} b</code> in code.</p>", "operators",
            answer_body=f"<p>Sign number {number}.</p>")
        for number, signs in enumerate(SIGNS.split(), 1)
    ]  # fmt: skip
    subjects = [row(200 + number, f"How to {subject}?") for number, subject in enumerate(SUBJECTS)]
    opened = retriever(write_corpus(tmp_path / "c.csv", [*rows, *subjects]))
    for question in ("What does the {} operator do?", "What does `{}` mean?", "the {}-operator"):
        best = {signs: ids(opened.invoke(question.format(signs)))[:1] for signs in SIGNS.split()}
        expected = {signs: [str(number)] for number, signs in enumerate(SIGNS.split(), 1)}
        assert best == expected


@pytest.mark.parametrize(
    ("query", "best"),
    [
        ("How does with work?", "1"),
        ("if-else", "2"),
        ("How does if-else work?", "2"),
        ("if-then-else", "2"),
        ("if...else", "2"),
        ("if..else", "2"),
        ("if_else", "2"),
        ("ifElse", "2"),
        ("if.else", "2"),
        ("IF-ELSE?", "2"),
        ("if/else", "2"),
        ("if\u2013else", "2"),
        ("if\u2011else", "2"),
        ("for-while", "3"),
        ("for\u2026while", "3"),
        ("with-as", "1"),
        ("do-while?", "6"),
        ("if else", "2"),
        ("for while", "3"),
        ("is not", "4"),
        ("try, else", "5"),
    ],
)
def test_a_query_of_keywords_that_are_stop_words_finds_the_post_about_them(tmp_path, query, best):
    titles = [
        "What does with ... as do?",
        "if and else on one line",
        "Choosing between for and while loops",
        "Comparing with is not",
        "When does the else of a try run?",
        "do while",
    ]
    rows = [row(number, title) for number, title in enumerate(titles, 1)]
    subjects = [row(200 + number, f"How to {subject}?") for number, subject in enumerate(SUBJECTS)]
    opened = retriever(write_corpus(tmp_path / "c.csv", [*rows, *subjects]))
    assert ids(opened.invoke(query))[0] == best


@pytest.mark.parametrize(
    ("title", "query"),
    [
        ("Café encoding", "cafe\u0301 ENCODING"),
        ("Gro\u0308\u00dfe einer Liste", "GR\u00d6SSE EINER LISTE"),
        ("\uff2c\uff49\uff53\uff54 slicing", "list"),
        ("Pythonで辞書をソートする", "辞書 ソート"),
        ("如何对字典排序", "字典排序"),
        ("เรียงลำดับพจนานุกรม", "พจนานุกรม"),
    ],
)
def test_a_post_is_found_in_any_form_of_its_script(tmp_path, title, query):
    subjects = [row(number, f"How to {subject}?") for number, subject in enumerate(SUBJECTS, 2)]
    opened = retriever(write_corpus(tmp_path / "c.csv", [row(1, title), *subjects]))
    assert ids(opened.invoke(query))[0] == "1"


@pytest.mark.parametrize("kind", KINDS)
def test_k_is_the_number_of_documents(tmp_path, kind):
    corpus = small_corpus(tmp_path / "c.csv")
    opened = retriever(corpus, kind)
    question = "How to copy, sort, read, merge, join, parse or catch a list?"
    assert len(opened.invoke(question)) == 5
    for k in (1, np.int64(3)):
        documents = opened.invoke(question, k=k)
        assert ids(documents) == ids(opened.invoke(question))[:k]
        assert ids(asyncio.run(opened.ainvoke(question, k=k))) == ids(documents)
        constructed = PostRetriever(
            retrieval=Retrieval(kind=kind), corpus=corpus, folder=None, embedder=EMBEDDER, k=k
        )
        assert ids(constructed.invoke(question)) == ids(documents)
        assert ids(asyncio.run(constructed.ainvoke(question))) == ids(documents)
        assert len(constructed.invoke(question, k=2)) == 2
        assert [len(batch) for batch in constructed.batch([question] * 2)] == [k, k]


@pytest.mark.parametrize("k", [0, -1, True, 1.5, "2"])
def test_a_k_that_is_no_number_of_documents_is_one_clear_error(tmp_path, k):
    corpus = small_corpus(tmp_path / "c.csv")
    message = f"k is the number of documents, at least 1, not {k!r}"
    for call in (
        lambda: retriever(corpus).invoke("sort", k=k),
        lambda: asyncio.run(retriever(corpus).ainvoke("sort", k=k)),
        lambda: PostRetriever(
            retrieval=Retrieval(kind="keyword"), corpus=corpus, folder=None, embedder=EMBEDDER, k=k
        ),
    ):
        with pytest.raises(ConfigError) as caught:
            call()
        assert str(caught.value) == message


def test_a_post_that_is_excluded_is_not_returnable(tmp_path):
    question_ids = {"1", "2", "9", "99"}
    corpus = small_corpus(tmp_path / "c.csv")
    assert retriever(corpus).returnable(question_ids) == {"1", "2"}
    assert retriever(corpus, excluded={"2", "3"}).returnable(question_ids) == {"1"}
    assert retriever(corpus).returnable(set()) == set()

"""The control configs: passages that are right, passages that are wrong, and no model at all."""

from functools import partial

import pytest

from evaluation.answering.answering_setup import open_setup
from evaluation.answering.questions import Item
from graph import build_graph
from graph.config import load_settings
from graph.models import BatchedModel, Models
from graph.models.lockstep import Lockstep
from graph.retrieval import open_retriever
from graph.retrieval.control_retrievers import (
    OracleRetriever,
    ShuffledRetriever,
    other_questions,
    searched,
)
from graph.schema import Retrieval
from graph.support.errors import ConfigError, DatasetError
from nodes.extract import extract
from nodes.retrieve import as_passage
from tests.fakes.corpora import EMBEDDER, encode_without_weights, row, write_corpus
from tests.fakes.fake_models import FakeModel, FakeRetriever, ScriptedEngine, documents

ROWS = [
    row(1, "red"),
    row(2, "green"),
    row(2, "olive", answer_id="99"),
    row(3, "blue", "<p>why blue?</p>"),
]


@pytest.fixture
def corpus(tmp_path):
    return write_corpus(tmp_path / "corpus.csv", ROWS)


def item(index, question, *relevant):
    return Item(index, str(index + 1), question, "a reference", relevant)


def ids_of(documents):
    return [(d.metadata["question_id"], d.metadata["answer_id"]) for d in documents]


def test_the_oracle_returns_the_relevant_posts_in_the_datasets_order(corpus):
    relevant = {"a": ["3", "1"], "b": ["2"], "c": ["7"], "d": []}
    oracle = OracleRetriever.of(relevant, corpus, Retrieval(kind="oracle"))
    assert ids_of(oracle.invoke("a")) == [("3", "1003"), ("1", "1001")]
    assert ids_of(oracle.invoke("b")) == [("2", "1002")]
    assert oracle.invoke("c") == oracle.invoke("d") == []
    assert oracle.unanswerable == 2


def test_the_oracle_takes_as_many_answers_of_a_question_as_the_config_says(corpus):
    wide = Retrieval(kind="oracle", answers_per_question=2)
    oracle = OracleRetriever.of({"b": ["2"]}, corpus, wide)
    assert ids_of(oracle.invoke("b")) == [("2", "1002"), ("2", "99")]


@pytest.mark.parametrize("relevant", [{}, {"a": []}, {"a": ["12345"]}])
def test_an_oracle_that_knows_nothing_is_refused(corpus, relevant):
    with pytest.raises(
        DatasetError, match=r"none of the dataset's relevant_question_ids is in .*csv"
    ):
        OracleRetriever.of(relevant, corpus, Retrieval(kind="oracle"))


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("size", [2, 3, 10])
def test_every_question_gets_another_one_and_each_serves_once(size, seed):
    texts = [f"question {number}" for number in range(size)]
    others = other_questions([*texts, texts[0]], seed)
    assert sorted(others) == sorted(others.values()) == sorted(texts)
    assert all(text != other for text, other in others.items())
    assert others == other_questions(texts, seed)


def test_the_seed_decides_which_other_question():
    texts = [str(number) for number in range(10)]
    assert other_questions(texts, 0) != other_questions(texts, 1)


@pytest.mark.parametrize("texts", [[], ["a"], ["a", "a"]])
def test_one_question_cannot_be_shuffled(texts):
    with pytest.raises(ConfigError, match="two different questions or more"):
        other_questions(texts, 0)


def test_shuffled_asks_for_the_other_question():
    inner = FakeRetriever(documents=documents("x"))
    shuffled = ShuffledRetriever(inner=inner, other_question={"a": "b", "b": "a"})
    assert shuffled.invoke("a") == inner.documents
    assert inner.queries == ["b"]


def test_shuffled_gives_no_scores_by_part_since_they_are_those_of_the_other_question(corpus):
    inner = open_retriever(Retrieval(kind="keyword"), EMBEDDER, corpus=corpus)
    shuffled = ShuffledRetriever(inner=inner, other_question={"green": "blue", "blue": "green"})
    with_scores, without = inner.invoke("blue"), shuffled.invoke("green")
    assert [d.page_content for d in without] == [d.page_content for d in with_scores] != []
    assert all("part_scores" in document.metadata for document in with_scores)
    assert not any("part_scores" in document.metadata for document in without)


def test_shuffled_searches_as_semantic_does_and_the_others_as_they_say():
    kinds = ("none", "semantic", "keyword", "hybrid", "oracle", "shuffled")
    kinds_searched = [searched(Retrieval(kind=kind)).kind for kind in kinds]
    assert kinds_searched == ["none", "semantic", "keyword", "hybrid", "oracle", "semantic"]


def test_extract_answers_with_the_first_passages_answer_alone(corpus):
    oracle = OracleRetriever.of({"a": ["3", "1"]}, corpus, Retrieval(kind="oracle"))
    passages = [as_passage(n, document) for n, document in enumerate(oracle.invoke("a"), 1)]
    assert "It was asked:" in passages[0]["text"]
    update = extract({"question": "a", "passages": passages})
    assert update["answer"] == passages[0]["text"].partition("\n\nIt was asked:")[0]
    assert update["answer"] == "answer 3"
    assert update["passages"] == passages
    assert update["steps"][0]["node"] == "extract"


def test_extract_without_a_passage_is_an_empty_answer():
    assert extract({"question": "a", "passages": []})["answer"] == ""


def test_extract_asks_no_model():
    model = FakeModel()
    retriever = FakeRetriever(documents=documents("one", "two"))
    assert build_graph("extract", model=model, retriever=retriever).invoke({"question": "q"}) == {
        "answer": "one",
        "passages": [
            as_passage(n, document) for n, document in enumerate(documents("one", "two"), 1)
        ],
        "withheld": False,
    }
    assert (model.written, model.chosen) == ([], [])


@pytest.mark.parametrize("name", ["oracle", "shuffled"])
def test_a_control_needs_a_dataset(name):
    with pytest.raises(
        ConfigError, match=f"retrieval.kind {name} needs the questions of a dataset"
    ):
        build_graph(name, model=FakeModel())


def setup_of(name, corpus, items):
    lockstep = Lockstep()
    model = BatchedModel(ScriptedEngine(), lockstep)
    settings = load_settings(name, "embedded", ["critique.max_points=1"])
    models = Models(model, model, lockstep)
    return open_setup(settings, models, corpus=corpus, items=items, judged=False)


def test_a_run_of_the_oracle_says_how_many_questions_get_no_passages(corpus, caplog):
    setup = setup_of("oracle", corpus, [item(0, "a", "3"), item(1, "b", "999"), item(2, "c")])
    assert "oracle: 2 of 3 questions have no relevant post in the corpus" in caplog.text
    (state,) = (
        o.value for o in setup.lockstep.run([lambda: setup.graph.invoke({"question": "a"})])
    )
    assert [passage["question_id"] for passage in state["passages"]] == ["3"]


def test_a_shuffled_run_searches_for_another_question(corpus, monkeypatch, tmp_path):
    monkeypatch.setenv("OPENCODER_CACHE", str(tmp_path / "cache"))
    encode_without_weights(monkeypatch)
    setup = setup_of("shuffled", corpus, [item(0, "red"), item(1, "blue")])
    ask = partial(setup.graph.invoke, {"question": "red"})
    (state,) = (outcome.value for outcome in setup.lockstep.run([ask]))
    assert state["passages"][0]["question_id"] == "3"


@pytest.mark.parametrize("name", ["oracle", "shuffled", "semantic", "keyword"])
def test_a_run_knows_which_relevant_posts_its_corpus_lacks(name, corpus, monkeypatch, tmp_path):
    monkeypatch.setenv("OPENCODER_CACHE", str(tmp_path / "cache"))
    encode_without_weights(monkeypatch)
    items = [item(0, "a", "3", "998"), item(1, "b", "999"), item(2, "c"), item(3, "d", "1")]
    assert setup_of(name, corpus, items).not_in_corpus == {"998", "999"}


def test_a_run_that_retrieves_nothing_lacks_no_post(corpus):
    assert setup_of("baseline", corpus, [item(0, "a", "999")]).not_in_corpus == frozenset()

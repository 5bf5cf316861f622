"""The scorer: vectors of the index where it has them, of the encoder elsewhere."""

from functools import partial

import pytest

from graph.config import load_config
from graph.reranking.formula import Formula, Reranker, Term
from graph.reranking.scorer import LearnedScorer, open_scorer
from graph.retrieval import open_retriever
from graph.retrieval.embeddings import open_embedder
from graph.support.question_folds import FOLDS
from nodes.extra_candidates import extra_candidates
from nodes.retrieve import retrieve
from tests.fakes.candidate_pools import draft
from tests.fakes.corpora import EMBEDDER, FakeEncoder, encode_without_weights, small_corpus
from tests.fakes.fake_models import FakeRetriever, documents

FORMULA = Formula({"question_cosine": Term(1.0, 0.0, 1.0)})
RERANKER = Reranker(FORMULA, (FORMULA,) * FOLDS, frozenset(), {})


@pytest.fixture(autouse=True)
def _fake_encoder(monkeypatch):
    encode_without_weights(monkeypatch)


def state_of(retriever, question="copy a nested list"):
    state = {"question": question, **retrieve({"question": question}, retriever=retriever, top_k=5)}
    update = extra_candidates(
        state, model=None, kinds=["passages"], temperature=0.0, max_new_tokens=1
    )
    return {**state, **update}


@pytest.mark.parametrize("config", ["semantic_pick", "keyword_pick", "hybrid_pick"])
def test_no_text_is_encoded_for_passages_of_an_index_with_answers(tmp_path, config):
    retrieval = load_config(config).retrieval
    retriever = open_retriever(retrieval, EMBEDDER, corpus=small_corpus(tmp_path / "c.csv"))
    state = state_of(retriever)
    scorer = LearnedScorer(RERANKER, partial(open_embedder, EMBEDDER), retriever)
    FakeEncoder.texts.clear()
    scores = scorer.score(state["question"], state["extra_candidates"], state["passages"])
    assert FakeEncoder.texts == []
    assert {"question_cosine", "post_cosine", "title_cosine", "keyword_score"} <= set(
        scores[0]["features"]
    )
    encoding = LearnedScorer(RERANKER, partial(open_embedder, EMBEDDER), None)
    assert encoding.score(state["question"], state["extra_candidates"], state["passages"]) == scores


def test_a_foreign_retriever_and_drafts_are_encoded():
    retriever = FakeRetriever(documents=documents("one", "two"))
    state = state_of(retriever, "one")
    scorer = LearnedScorer(RERANKER, partial(open_embedder, EMBEDDER), retriever)
    FakeEncoder.texts.clear()
    scores = scorer.score("one", [*state["extra_candidates"], draft("one")], state["passages"])
    assert len(FakeEncoder.texts) == 4
    assert scores[2]["score"] == pytest.approx(1.0)


def test_only_a_learned_config_has_a_scorer():
    assert open_scorer(load_config("semantic"), FakeEncoder, None) is None
    assert open_scorer(load_config("semantic_pick"), FakeEncoder, None) is not None

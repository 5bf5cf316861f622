"""The scorer: vectors of the index where it has them, of the encoder elsewhere."""

from functools import partial

import pytest

from graph.config import load_config
from graph.reranking.formula import Expectation, Formula, Reranker, Term, save_reranker
from graph.reranking.scorer import LearnedScorer, open_scorer
from graph.retrieval import open_retriever
from graph.retrieval.embeddings import open_embedder
from graph.schema import Answer, Config, Generation, Rerank, Retrieval
from graph.support.errors import ConfigError
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


EXPECTATION = Expectation(0.25, {"question_cosine": Term(0.5, 0.0, 1.0)})


def reranker_with(expectation):
    formula = FORMULA._replace(expectation=expectation)
    return Reranker(formula, (formula,) * FOLDS, frozenset(), {})


@pytest.mark.parametrize(("expectation", "expected"), [(EXPECTATION, 0.75), (None, None)])
def test_a_score_has_the_expected_score_of_its_formula_if_there_is_one(expectation, expected):
    retriever = FakeRetriever(documents=documents("one"))
    state = state_of(retriever, "one")
    encoding = partial(open_embedder, EMBEDDER)
    scorer = LearnedScorer(reranker_with(expectation), encoding, retriever)
    [score] = scorer.score("one", state["extra_candidates"], state["passages"])
    assert score["score"] == pytest.approx(1.0)
    assert score.get("expected") == (expected if expected is None else pytest.approx(expected))


PICK = {
    "retrieval": Retrieval(kind="semantic"),
    "generation": Generation(method="extract"),
    "rerank": Rerank(initial=True, method="learned", candidates=("passages",)),
}


def configs_of(reranker):
    """Return a config that only ranks, and one for each threshold; all use a reranker's file."""
    rerank = PICK["rerank"].model_copy(update={"reranker": reranker})
    ranks = Config(**{**PICK, "rerank": rerank})
    gate = Generation(closed_book_below=0.3)
    gated = Config(retrieval=PICK["retrieval"], generation=gate, rerank=Rerank(reranker=reranker))
    return ranks, [ranks.model_copy(update={"answer": Answer(abstain=0.3)}), gated]


def test_a_threshold_needs_a_formula_with_an_expectation(tmp_path):
    path = tmp_path / "mine.json"
    ranks, thresholds = configs_of(str(path))
    save_reranker(path, reranker_with(None))
    assert open_scorer(ranks, FakeEncoder, None) is not None
    for config in thresholds:
        with pytest.raises(ConfigError) as caught:
            open_scorer(config, FakeEncoder, None)
        assert str(caught.value) == (
            f"{path}: holds no expected scores, which answer.abstain and generation.closed_book_below "
            "need: fit another one with python -m evaluation fit-reranker RUN --out FILE.json, and name it "
            "in rerank.reranker"
        )
    save_reranker(path, reranker_with(EXPECTATION))
    for config in (ranks, *thresholds):
        assert open_scorer(config, FakeEncoder, None) is not None


def test_the_refusal_of_the_projects_own_formula_names_its_file(tmp_path, monkeypatch):
    path = tmp_path / "shipped.json"
    save_reranker(path, reranker_with(None))
    monkeypatch.setattr("graph.reranking.formula.SHIPPED", path)
    monkeypatch.setattr("graph.reranking.scorer.SHIPPED", path)
    _, thresholds = configs_of(None)
    for config in thresholds:
        with pytest.raises(ConfigError, match=r"shipped\.json: holds no expected scores"):
            open_scorer(config, FakeEncoder, None)

"""Reranking by consensus: the draft that is most similar to the other ones, without a model."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph import build_graph, draw, trace
from graph.config import load_config, load_settings
from graph.schema import Rerank
from graph.support.errors import ConfigError
from nodes.consensus import consensus
from nodes.word_overlap import agreement, shared_words
from tests.fakes.fake_models import FakeModel, FakeRetriever, documents
from tests.fakes.properties import examples


def state(*texts):
    drafts = [{"text": text, "reasoning": f"why {text}"} for text in texts]
    return {"question": "why?", "candidates": drafts}


@pytest.mark.parametrize(
    ("one", "other", "share"),
    [
        ("a b", "a b", 1.0),
        ("a b", "c d", 0.0),
        ("a b c", "a d", 2 / 5),
        ("a a b", "a c", 2 / 5),
        ("a", "", 0.0),
        ("", "", 0.0),
    ],
)
def test_the_f_score_of_shared_words_by_hand(one, other, share):
    f_score = shared_words(Counter(one.split()), Counter(other.split()))
    assert f_score == pytest.approx(share)
    assert f_score == shared_words(Counter(other.split()), Counter(one.split()))


def test_agreement_is_the_mean_over_the_other_texts():
    # a-b 1/2, a-c 0, b-c 1/2
    assert agreement(["red pear", "PEAR, plum!", "plum fig"]) == [0.25, 0.5, 0.25]
    assert agreement(["alone"]) == [0.0]


def test_the_draft_that_is_most_similar_to_the_other_ones_is_chosen():
    update = consensus(state("red pear", "pear plum", "plum fig"), node="rerank_drafts")
    assert (update["answer"], update["reasoning"]) == ("pear plum", "why pear plum")
    (step,) = update["steps"]
    assert (step["node"], step["chosen"]) == ("rerank_drafts", 1)
    assert step["agreements"] == [0.25, 0.5, 0.25]


@pytest.mark.parametrize("texts", [("a", "b", "c"), ("a b", "b a", "a b"), ("", "", "")])
def test_a_tie_goes_to_the_earlier_draft(texts):
    assert consensus(state(*texts), node="rerank_drafts")["steps"][0]["chosen"] == 0


@examples(100)
@given(st.lists(st.text(max_size=30), min_size=1, max_size=6))
def test_agreement_is_a_share_whatever_the_texts(texts):
    assert all(0.0 <= value <= 1.0 for value in agreement(texts))


@pytest.mark.parametrize("name", ["semantic_rerank_initial", "semantic_rerank_refined"])
def test_a_config_reranks_by_consensus_without_a_verdict(name):
    config = load_config(name)
    rerank = config.rerank.model_copy(update={"method": "consensus", "drafts": 3})
    drafts = ["red pear", "pear plum", "plum fig"]
    initial = name.endswith("initial")
    replies = [*drafts, "1. wrong", "x"] if initial else ["x", "1. wrong", *drafts]
    model = FakeModel(replies)
    built = build_graph(
        config.model_copy(update={"rerank": rerank}),
        model=model,
        retriever=FakeRetriever(documents=documents("p")),
    )
    steps = {step["node"]: step for step in trace(built, "why?")}
    assert steps["rerank_drafts" if initial else "rerank_refined"]["answer"] == "pear plum"
    assert model.chosen == model.replies == []


def test_two_drafts_have_no_consensus():
    flags = ["rerank.method=consensus"]
    with pytest.raises(ConfigError, match="consensus needs drafts of 3 or more"):
        load_settings("semantic_rerank_initial", "embedded", flags)
    with pytest.raises(ValueError, match="drafts of 3 or more"):
        Rerank(method="consensus")


def test_a_drawing_says_by_consensus():
    flags = ["rerank.drafts=3", "rerank.method=consensus"]
    config = load_settings("semantic_rerank_initial", "embedded", flags).config
    assert "rerank_drafts<br/>by consensus" in draw(config)
    assert "by consensus" not in draw("semantic_rerank_initial")

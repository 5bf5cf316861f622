"""accept: a refinement is kept only if both orders prefer it to the reviewed answer."""

import pytest

from evaluation.analysis.run_results import results_of
from evaluation.tables.results_tables import notes
from graph import build_graph, trace
from graph.config import load_config, load_settings
from graph.schema import Refine
from nodes.accept import accept
from tests.fakes.fake_models import FakeModel, FakeRetriever, documents, section
from tests.fakes.records import record

STATE = {"question": "why?", "passages": [], "reviewed": "the draft", "answer": "the refinement"}
FIRST, SECOND = {"A": 0.9, "B": 0.1}, {"A": 0.2, "B": 0.8}
TIE = {"A": 0.5, "B": 0.5}


def preferring(name, **changes):
    config = load_config(name)
    return config.model_copy(update={"refine": Refine(accept="preferred", **changes)})


@pytest.mark.parametrize(
    ("straight", "swapped", "answer"),
    [
        (SECOND, FIRST, "the refinement"),
        (FIRST, SECOND, "the draft"),
        (FIRST, FIRST, "the draft"),
        (SECOND, SECOND, "the draft"),
        (TIE, TIE, "the draft"),
        # The mean is for the refinement, but one order is not.
        ({"A": 0.05, "B": 0.95}, {"A": 0.4, "B": 0.6}, "the draft"),
        (SECOND, None, "the draft"),
        (None, FIRST, "the draft"),
    ],
)
def test_only_a_refinement_that_both_orders_prefer_is_kept(straight, swapped, answer):
    chooser = FakeModel(verdicts=[straight, swapped])
    update = accept(STATE, chooser=chooser)
    assert update["answer"] == update["steps"][0]["answer"] == answer
    assert update["steps"][0]["chosen"] == int(answer == "the refinement")
    orders = [(section(p, "answer_a"), section(p, "answer_b")) for p in chooser.chosen]
    assert orders == [("the draft", "the refinement"), ("the refinement", "the draft")]


@pytest.mark.parametrize(
    ("reviewed", "refined", "answer"),
    [("same", "same", "same"), ("", "text", "text"), ("text", "", "text"), ("", "", "")],
)
def test_where_there_is_nothing_to_compare_no_model_is_asked(reviewed, refined, answer):
    chooser = FakeModel()
    update = accept({**STATE, "reviewed": reviewed, "answer": refined}, chooser=chooser)
    assert update["answer"] == answer
    assert chooser.chosen == update["steps"][0]["verdicts"] == []


@pytest.mark.parametrize("name", ["semantic", "semantic_rerank_refined"])
def test_accept_is_the_last_stage_of_a_round_and_knows_what_was_reviewed(name):
    refined = ["refined one", "refined two"][: 2 if "rerank" in name else 1]
    comparing = [SECOND, FIRST] if "rerank" in name else []
    model = FakeModel(["a draft", "1. wrong", *refined], [*comparing, FIRST, SECOND])
    retriever = FakeRetriever(documents=documents("x"))
    steps = list(trace(build_graph(preferring(name), model=model, retriever=retriever), "why?"))
    assert [step["node"] for step in steps][-1] == "accept"
    assert steps[-2]["answer"] == refined[-1]
    assert steps[-1]["answer"] == "a draft"


def test_a_second_round_goes_on_from_the_answer_that_was_kept():
    replies = ["a draft", "1. wrong", "worse", "1. still wrong", "better"]
    model = FakeModel(replies, [FIRST, SECOND, SECOND, FIRST])
    built = build_graph(
        preferring("semantic", max_rounds=2),
        model=model,
        retriever=FakeRetriever(documents=documents("x")),
    )
    steps = list(trace(built, "why?"))
    assert [step["answer"] for step in steps if step["node"] == "accept"] == ["a draft", "better"]
    assert section(model.written[3], "draft") == section(model.written[4], "draft") == "a draft"


@pytest.mark.parametrize("rounds", [1, 3, 10])
def test_the_recursion_limit_leaves_room_for_all_rounds(rounds):
    replies = ["a draft", *(["1. wrong", "r1", "r2"] * rounds)]
    model = FakeModel(replies, [FIRST, SECOND] * (2 * rounds))
    built = build_graph(
        preferring("semantic_rerank_refined", max_rounds=rounds),
        model=model,
        retriever=FakeRetriever(documents=documents("x")),
    )
    assert built.invoke({"question": "why?"})["answer"] == "a draft"
    assert model.replies == []


def test_without_it_the_graph_is_as_it_was():
    model = FakeModel(["a draft", "1. wrong", "refined"])
    retriever = FakeRetriever(documents=documents("x"))
    steps = list(trace(build_graph("semantic", model=model, retriever=retriever), "why?"))
    assert [step["node"] for step in steps] == ["retrieve", "generate", "critique", "refine"]


def test_results_count_what_was_kept_and_what_could_not_be_read():
    def step(chosen, wins):
        preference = {"first": 0, "second": 1, "first_wins": wins, "orders_agree": True}
        return {"node": "accept", "chosen": chosen, "preferences": [preference]}

    same = {"node": "accept", "chosen": 1, "preferences": []}
    steps = [step(1, 0.2), step(0, 0.7), step(0, None), same]
    results = results_of(load_settings("semantic", "embedded", []), [record(0, steps=steps)])
    assert results["refinements"] == {"accepted": 2, "not preferred": 1, "unreadable": 1}
    assert notes(results)[-1].startswith(
        "2 of 4 refinements were preferred in both orders and kept"
    )
    assert results_of(load_settings("semantic", "embedded", []), [])["refinements"] == {}

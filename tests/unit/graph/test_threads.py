"""Threads: with a checkpointer each question of a thread starts fresh."""

import pytest
from langgraph.checkpoint.memory import MemorySaver

from graph import trace
from graph.build import answering_graph, judged_graph
from graph.config import load_config
from graph.schema import Answer, Config, Generation, Refine, Rerank, Retrieval
from nodes.state import State
from tests.fakes.fake_models import (
    ExpectingScorer,
    FakeModel,
    FakeRetriever,
    documents,
    section,
    step_of,
)

THREAD = {"configurable": {"thread_id": "1"}}
GRADES = {"0": 0.0, "1": 0.0, "2": 0.0, "3": 0.5, "4": 0.5}
TIE = {"A": 0.5, "B": 0.5}
ROUNDS = ["critique", "refine"] * 3
THREE_ROUNDS = Config(retrieval=Retrieval(kind="semantic"), refine=Refine(max_rounds=3))
QUESTIONS = ["why one?", "why two?", "why three?"]


def answering(config, model, **options):
    retriever = FakeRetriever(documents=documents("a passage"))
    graph = answering_graph(
        config, model=model, chooser=model, retriever=retriever, output=State, **options
    )
    graph.checkpointer = MemorySaver()
    return graph


def complaining() -> FakeModel:
    return FakeModel(["1. wrong"] * 100, [TIE] * 100)


def nodes(steps):
    return [step["node"] for step in steps]


def test_every_question_of_a_thread_is_refined_as_often_as_the_first():
    graph = answering(THREE_ROUNDS, complaining())
    for question in QUESTIONS:
        state = graph.invoke({"question": question}, THREAD)
        assert nodes(state["steps"]) == ["retrieve", "generate", *ROUNDS]
        assert state["rounds"] == 3
        assert state["question"] == question


@pytest.mark.parametrize("name", ["baseline", "extract", "semantic_cot", "semantic_rerank_initial"])
def test_the_steps_of_a_thread_are_those_of_its_last_question(name):
    graph = answering(load_config(name), complaining())
    alone = nodes(graph.invoke({"question": "why?"}, {"configurable": {"thread_id": "0"}})["steps"])
    for question in QUESTIONS:
        assert nodes(graph.invoke({"question": question}, THREAD)["steps"]) == alone
    assert nodes(graph.get_state(THREAD).values["steps"]) == alone


def test_extra_candidates_of_the_question_before_are_no_candidates():
    config = Config(
        retrieval=Retrieval(kind="semantic"), rerank=Rerank(initial=True, candidates=("extract",))
    )
    graph = answering(config, complaining())
    for question in QUESTIONS:
        steps = graph.invoke({"question": question}, THREAD)["steps"]
        rerank = next(step for step in steps if step["node"] == "rerank_drafts")
        assert len(rerank["candidates"]) == 3


def test_no_prompt_of_a_question_holds_the_one_before_it():
    model = FakeModel(
        ["earlier draft", "1. wrong", "earlier answer", "second draft", "No problems."]
    )
    graph = answering(load_config("semantic"), model)
    graph.invoke({"question": "why one?"}, THREAD)
    state = graph.invoke({"question": "why two?"}, THREAD)
    assert state["answer"] == "second draft"
    assert state["points"] == []
    assert state["reviewed"] == ""
    assert not any("earlier" in prompt or "one?" in prompt for prompt in model.written[3:])


def test_nothing_of_the_question_before_is_left_after_the_first_node():
    graph = answering(THREE_ROUNDS, complaining())
    graph.invoke({"question": "why one?"}, THREAD)
    stream = graph.stream({"question": "why two?"}, THREAD, stream_mode="values")
    _, after_retrieve, *_ = stream
    assert after_retrieve["answer"] == after_retrieve["reasoning"] == ""
    assert after_retrieve["candidates"] == after_retrieve["points"] == []
    assert after_retrieve["rounds"] == 0
    assert nodes(after_retrieve["steps"]) == ["retrieve"]


def test_stream_and_trace_yield_the_steps_of_each_question_alone():
    graph = answering(THREE_ROUNDS, complaining())
    for question in QUESTIONS:
        updates = list(graph.stream({"question": question}, THREAD, stream_mode="updates"))
        steps = [step for update in updates for node in update.values() for step in node["steps"]]
        assert nodes(steps) == ["retrieve", "generate", *ROUNDS]
        assert [step.get("is_first", False) for step in steps] == [True] + [False] * 7
    for question in QUESTIONS:
        assert nodes(trace(graph, question, THREAD)) == ["retrieve", "generate", *ROUNDS]
        assert graph.get_state(THREAD).values["question"] == question


def test_a_question_goes_on_after_an_interrupt_with_an_updated_state():
    model = FakeModel(["a draft", "1. wrong", "refined"] * 2)
    graph = answering(load_config("semantic"), model)
    for question in QUESTIONS[:2]:
        graph.invoke({"question": question}, THREAD, interrupt_before=["critique"])
        assert graph.get_state(THREAD).next == ("critique",)
        graph.update_state(THREAD, {"answer": "a draft of a person"})
        state = graph.invoke(None, THREAD)
        assert nodes(state["steps"]) == ["retrieve", "generate", "critique", "refine"]
        assert section(model.written[-1], "draft") == "a draft of a person"
        assert step_of(model.written[-1]) == "refine"


def test_a_question_after_one_that_was_interrupted_starts_fresh():
    graph = answering(THREE_ROUNDS, complaining())
    graph.invoke({"question": "why one?"}, THREAD, interrupt_before=["refine"])
    state = graph.invoke({"question": "why two?"}, THREAD)
    assert nodes(state["steps"]) == ["retrieve", "generate", *ROUNDS]


def test_a_judged_thread_holds_the_steps_of_its_last_question():
    retriever = FakeRetriever(documents=documents("a passage"))
    model, judge = complaining(), FakeModel(verdicts=[GRADES] * 3)
    inner = answering_graph(
        THREE_ROUNDS, model=model, chooser=model, retriever=retriever, output=State
    )
    graph = judged_graph(inner, judge)
    graph.checkpointer = MemorySaver()
    for question in QUESTIONS:
        state = graph.invoke({"question": question, "reference": "because"}, THREAD)
        assert nodes(state["steps"]) == ["retrieve", "generate", *ROUNDS, "judge"]
        assert state["score"] == 0.875


def test_a_withheld_answer_of_the_question_before_is_forgotten():
    config = Config(
        retrieval=Retrieval(kind="semantic"),
        rerank=Rerank(initial=True, method="learned", candidates=("passages",)),
        generation=Generation(method="extract"),
        answer=Answer(abstain=0.5),
    )
    graph = answering(config, complaining(), scorer=ExpectingScorer(lambda _: 0.4))
    assert graph.invoke({"question": "why one?"}, THREAD)["withheld"] is True
    stream = graph.stream({"question": "why two?"}, THREAD, stream_mode="values")
    before, after_retrieve, *_ = stream
    assert (before["expected_score"], before["withheld"]) == (0.4, True)
    assert (after_retrieve["expected_score"], after_retrieve["withheld"]) == (0.0, False)

"""The documents of the events of a question: what is rendered beside the other questions."""

import asyncio

import pytest

from graph.config import load_config
from serving.page import event_documents
from serving.page.event_documents import documents
from serving.question_queue import Answered, Chunk, Failed, Queued, Started, StepEnded, StepStarted
from tests.fakes.candidate_pools import passage
from tests.fakes.fake_models import reply, verdict

EVENTS = (
    Queued(0),
    Started(),
    StepStarted("generate"),
    *[Chunk("generate", 0, "word ")] * 3,
    StepEnded({"node": "generate", "answer": "*an* answer"}),
    Answered("*an* answer", [], False, 0.5),
    Failed("no answer", None),
)


def documents_of(events):
    async def collect():
        async def as_they_happen():
            for event in events:
                yield event

        return [document async for document in documents(as_they_happen(), load_config("semantic"))]

    return asyncio.run(collect())


def test_only_what_is_rendered_waits_for_a_thread(monkeypatch):
    rendered = []

    async def render(function, event):
        rendered.append(type(event))
        return function(event)

    monkeypatch.setattr(event_documents, "to_thread", render)
    kinds = [document["type"] for document in documents_of(EVENTS)]
    assert kinds == [
        *("queued", "started", "step_started", "chunk", "chunk", "chunk"),
        *("step", "answered", "failed"),
    ]
    assert rendered == [StepEnded, Answered]


def test_the_changes_are_those_of_a_new_version_of_the_answer():
    drafts = [{"text": text, "reasoning": ""} for text in ("one", "two")]
    steps = [
        {"node": "generate", "candidates": drafts, "answer": "one"},
        {"node": "rerank_drafts", "candidates": drafts, "chosen": 1, "answer": "two"},
        {"node": "refine", "candidates": drafts[:1], "answer": "two words"},
        {"node": "abstain", "withheld": True, "expected_score": 0.1, "answer": "none"},
    ]
    changes = [document["changes"] for document in documents_of(map(StepEnded, steps))]
    assert changes == [[], [], [("same", "two"), ("inserted", " words")], []]


def test_the_cost_of_a_step_tells_what_was_read_before_and_what_is_an_estimate():
    calls = [
        reply("one", prompt_tokens=30, cached_tokens=20),
        reply("two", cut_tokens=4, cut_tokens_estimated=True),
    ]
    step = {"node": "generate", "replies": calls, "verdicts": [verdict({"A": 1.0})]}
    (document,) = documents_of([StepEnded(step)])
    assert document["cost"] == {
        "seconds": None,
        "calls": 3,
        "replies": 2,
        "prompt_tokens": 42,
        "cached_tokens": 20,
        "new_tokens": 6,
        "cut_tokens": 4,
        "is_estimate": False,
        "is_cut_estimate": True,
    }


def test_an_answer_is_linked_to_the_passages_that_were_retrieved_before_it():
    passages = [passage(number, f"*post* {number}") for number in (1, 2)]
    steps = [
        {"node": "retrieve", "passages": passages},
        {
            "node": "generate",
            "candidates": [{"text": "as [2] says", "reasoning": ""}],
            "answer": "as [2] and [3] say",
        },
    ]
    retrieved, generated, answered = documents_of(
        [*map(StepEnded, steps), Answered("as [1] says", passages, False, 0.5)]
    )
    assert [p["text_html"] for p in retrieved["step"]["passages"]] == [
        "<p><em>post</em> 1</p>\n",
        "<p><em>post</em> 2</p>\n",
    ]
    assert retrieved["has_passages"] is True
    assert generated["has_passages"] is False
    # There is no third one.
    assert generated["answer_html"].count("#passage-") == 1
    assert "#passage-2" in generated["answer_html"]
    [candidate] = generated["candidates_html"]
    assert "#passage-2" in candidate
    assert "#passage-1" in answered["answer_html"]


@pytest.mark.parametrize("withheld", [False, True])
def test_an_answer_tells_whether_it_is_withheld(withheld):
    [document] = documents_of([Answered("*an* answer", [], withheld, 0.5)])
    assert document == {
        "type": "answered",
        "answer": "*an* answer",
        "answer_html": "<p><em>an</em> answer</p>\n",
        "withheld": withheld,
        "seconds": 0.5,
    }


def test_a_search_that_finds_nothing_is_shown():
    [document] = documents_of([StepEnded({"node": "retrieve", "passages": []})])
    assert document["has_passages"] is True


def test_the_same_answer_again_is_no_change():
    drafts = [{"text": "one", "reasoning": ""}]
    step = {"node": "refine", "candidates": drafts, "answer": "one"}
    assert [d["changes"] for d in documents_of(map(StepEnded, [step, step]))] == [[], []]


def test_the_cost_of_a_step_is_that_of_all_its_calls():
    step = {
        "node": "rerank_drafts",
        "seconds": 1.5,
        "replies": [reply("a", cut_tokens=4, cached_tokens=5), reply("b", tokens_estimated=True)],
        "verdicts": [verdict({"A": 1.0})],
    }
    [document] = documents_of([StepEnded(step)])
    cost = document["cost"]
    assert (cost["seconds"], cost["calls"]) == (1.5, 3)
    assert cost["prompt_tokens"] == 2 * 7 + step["verdicts"][0]["prompt_tokens"]
    assert cost["new_tokens"] == 6
    assert (cost["cut_tokens"], cost["cached_tokens"]) == (4, 5)
    assert cost["is_estimate"] is True
    [plain] = documents_of([StepEnded({**step, "replies": step["replies"][:1]})])
    assert plain["cost"]["is_estimate"] is False

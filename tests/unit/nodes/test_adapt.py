"""The node adapt: the model rewrites the picked answer for the question."""

from nodes.adapt import adapt
from tests.fakes.candidate_pools import passage
from tests.fakes.fake_models import FakeModel


def state(answer, **more):
    passages = [passage(1, "first text"), passage(2, "second text")]
    return {"question": "why?", "passages": passages, "answer": answer, **more}


def adapted(given, model, drafts=1):
    return adapt(given, model=model, drafts=drafts, temperature=0.0, max_new_tokens=9)


def test_the_answer_is_quoted_and_the_reply_is_the_draft():
    model = FakeModel(["rewritten"])
    update = adapted(state("picked <b>answer</b>"), model)
    assert update["answer"] == "rewritten"
    assert update["candidates"] == [{"text": "rewritten", "reasoning": "", "source": "adaptation"}]
    assert "picked <b>answer</b>\n</draft" in model.written[0]
    assert model.settings == [(9, 0.0)]


def test_only_the_first_passages_are_in_the_prompt():
    model = FakeModel(["a", "b"])
    adapted(state("picked", prompt_passages=1), model)
    adapted(state("picked"), model)
    assert ["second text" in prompt for prompt in model.written] == [False, True]
    assert all("first text" in prompt for prompt in model.written)


def test_an_empty_reply_keeps_the_answer():
    update = adapted(state("picked"), FakeModel(["  ", "new"]), drafts=2)
    assert [candidate["text"] for candidate in update["candidates"]] == ["picked", "new"]


def test_without_an_answer_no_model_is_called():
    update = adapted(state(""), FakeModel())
    assert (update["answer"], update["steps"][0]["replies"]) == ("", [])

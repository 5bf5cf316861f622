"""The planned model calls of a question are the calls that its graph makes, and fit their reserves."""

from collections import Counter

import pytest

from graph.build import answering_graph
from graph.call_plan import planned_calls, reserves, texts_per_question
from graph.config import config_names, load_settings
from prompts.generate_prompts import ANSWER_ALONE
from prompts.rerank_prompts import COMPARE
from tests.fakes.fake_models import FakeRetriever, LengthScorer, PromptRecorder, documents

OVERRIDES = (
    [],
    ["refine.max_rounds=3"],
    ["refine.accept=preferred"],
    ["rerank.drafts=4", "critique.max_points=20"],
    ["rerank.drafts=3", "rerank.method=consensus"],
    ["rerank.drafts=3", "rerank.method=likelihood"],
)
# Other methods than learned are refused there.
OF_LEARNED = OVERRIDES[:4]
RERANKED = [["rerank.candidates=[extract, baseline]"], ["rerank.candidates=[baseline]"]]


def recorded(config) -> PromptRecorder:
    """Ask a question of a graph whose critiques find a point in every round and whose texts differ."""
    numbers = iter(range(1_000))
    model = PromptRecorder(lambda _: f"1. point number {next(numbers)}")
    retriever = FakeRetriever(documents=documents("a lock", "a queue"))
    graph = answering_graph(
        config, model=model, chooser=model, retriever=retriever, scorer=LengthScorer()
    )
    graph.invoke({"question": "why does it hang?"})
    return model


def overrides_of(name):
    return OF_LEARNED if name.endswith(("_pick", "_adapt")) else OVERRIDES


@pytest.mark.parametrize("name", config_names())
def test_the_planned_calls_are_the_calls(name):
    for overrides in [*overrides_of(name), *(RERANKED if "rerank" in name else [])]:
        config = load_settings(name, "embedded", overrides).config
        planned: Counter[str] = Counter()
        for calls in planned_calls(config):
            planned[calls.template.template] += calls.number
        sent = Counter(row.prompt.template.template for row in recorded(config).sent)
        assert sent == planned, overrides
        writing = [calls for calls in planned_calls(config) if calls.writes]
        assert texts_per_question(config) == sum(calls.number for calls in writing)


@pytest.mark.parametrize("name", config_names())
def test_every_prompt_with_passages_has_the_reserves_of_its_config(name):
    for overrides in overrides_of(name):
        config = load_settings(name, "embedded", overrides).config
        for row in recorded(config).sent:
            is_alone = row.prompt.template is ANSWER_ALONE
            alone = () if name != "baseline" else reserves(config)
            assert row.prompt.context.reserves == (alone if is_alone else reserves(config))


def test_the_answers_of_all_passages_are_compared_in_pairs():
    overrides = ["rerank.candidates=[passages]", "retrieval.top_k=2"]
    config = load_settings("semantic_rerank_initial", "embedded", overrides).config
    comparisons = [calls.number for calls in planned_calls(config) if calls.template is COMPARE]
    sent = [row for row in recorded(config).sent if row.prompt.template is COMPARE]
    # Two drafts and two passages, each pair in both orders.
    assert comparisons == [len(sent)] == [12]


def test_a_reserve_counts_the_texts_that_a_step_quotes_and_its_reply():
    config = load_settings("semantic_cot", "embedded", ["generation.max_new_tokens=100"]).config
    numbers = [(reserve.text_tokens, reserve.reply_tokens) for reserve in reserves(config)]
    assert numbers == [(0, 100), (100, 100), (100, 100), (200, 100)]


def test_no_config_reserves_room_for_steps_that_it_does_not_have():
    assert reserves(load_settings("baseline", "embedded", []).config) == ()
    assert planned_calls(load_settings("extract", "embedded", []).config) == []
    plain = reserves(load_settings("semantic", "embedded", []).config)
    reranked = reserves(load_settings("semantic_rerank_initial", "embedded", []).config)
    assert {*plain} < {*reranked}

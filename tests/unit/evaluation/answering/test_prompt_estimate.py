"""The estimate of the prompt tokens of a run: near those of the prompts that its nodes build."""

import pytest

from evaluation.answering.prompt_estimate import estimate_prompt_tokens, passage_tokens
from graph.build import answering_graph
from graph.call_plan import planned_calls
from graph.config import config_names, load_settings
from graph.models.engines.request_engine import request_fitter
from graph.models.engines.token_usage import ESTIMATE_SCALE, estimate_tokens
from tests.fakes.fake_models import FakeRetriever, PromptRecorder, documents
from tests.fakes.project_files import SAMPLE_CORPUS

QUESTION = "why does it hang? " * 20
POST = "A sentence of a post. " * 60
PASSAGE = estimate_tokens(f"[1] title 1\n{POST}\n")
OVERRIDES = (
    ["generation.max_new_tokens=120"],
    ["generation.max_new_tokens=120", "refine.accept=preferred", "refine.max_rounds=2"],
    ["generation.max_new_tokens=40", "rerank.drafts=3", "rerank.method=likelihood"],
)


def prompt_tokens(config, window) -> tuple[int, int]:
    """Count the estimated tokens of all prompts of a question: whole, and with a shared context."""
    length = config.generation.max_new_tokens
    numbers = iter(range(100, 1_000))
    model = PromptRecorder(lambda _: f"1. n{next(numbers)} " + "abc " * (3 * length // 4 - 2))
    retriever = FakeRetriever(documents=documents(*[POST] * config.retrieval.top_k))
    graph = answering_graph(config, model=model, chooser=model, retriever=retriever)
    graph.invoke({"question": QUESTION})
    assert len(model.sent) == sum(calls.number for calls in planned_calls(config))
    fitter = request_fitter(window)
    texts = [fitter.fit(*row).text for row in model.sent]
    ends = [
        text.partition(f"</passages {row.prompt.context.boundary}>\n\n")[0] if "<passages" in text else ""
        for text, row in zip(texts, model.sent, strict=True)
    ]  # fmt: skip
    whole = sum(map(estimate_tokens, texts))
    contexts = [estimate_tokens(end) for end in ends if end]
    return whole, whole - sum(contexts[1:])


@pytest.mark.parametrize("window", [900, 1_500, 100_000])
@pytest.mark.parametrize(
    "name",
    [n for n in config_names() if not n.startswith(("hybrid", "key")) and n != "semantic_pick"],
)
def test_the_estimate_is_near_the_prompts_of_a_run(name, window):
    for overrides in OVERRIDES:
        config = load_settings(name, "embedded", overrides).config
        estimate = estimate_prompt_tokens(config, [QUESTION] * 3, PASSAGE, window, ESTIMATE_SCALE)
        if name == "extract":
            assert estimate == (0, 0)
            continue
        whole, shared = prompt_tokens(config, window)
        assert estimate.whole / 3 == pytest.approx(whole, rel=0.1)
        assert estimate.shared / 3 == pytest.approx(shared, rel=0.1)
        assert (estimate.shared < estimate.whole / 1.5) == (name != "baseline")


def test_only_the_passages_of_a_prompt_count():
    config = load_settings("semantic", "embedded", ["generation.passages=2"]).config
    two = load_settings("semantic", "embedded", ["retrieval.top_k=2"]).config
    estimate = estimate_prompt_tokens(config, [QUESTION], PASSAGE, 100_000, ESTIMATE_SCALE)
    assert estimate == estimate_prompt_tokens(two, [QUESTION], PASSAGE, 100_000, ESTIMATE_SCALE)
    assert estimate.whole == pytest.approx(prompt_tokens(config, 100_000)[0], rel=0.1)


def test_an_unknown_window_cuts_nothing():
    config = load_settings("semantic", "embedded", []).config
    unknown = estimate_prompt_tokens(config, [QUESTION], PASSAGE, None)
    assert unknown == estimate_prompt_tokens(config, [QUESTION], PASSAGE, 10**6)
    assert unknown.whole > estimate_prompt_tokens(config, [QUESTION], PASSAGE, 1_500).whole


def test_a_passage_is_as_long_as_the_posts_of_the_corpus():
    assert 200 < passage_tokens(SAMPLE_CORPUS) < 2_000

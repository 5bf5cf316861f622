"""A user's own LangChain model: its window, its token counts, and LangChain's cache."""

import logging

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.globals import set_llm_cache
from langchain_core.language_models import FakeListChatModel, FakeListLLM, GenericFakeChatModel
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.language_models.llms import LLM
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult, Generation, LLMResult
from langchain_core.prompts import PromptTemplate
from pydantic import Field

from graph import build_graph
from graph.config import load_config
from graph.models.engines import WINDOW, langchain_engine
from graph.models.engines.langchain_engine import LangChainEngine
from graph.models.pipeline import BatchedPipeline
from graph.narration import _headline
from graph.support.errors import ConfigError, EnvironmentFailure, PromptTooLongError
from nodes.model import Prompt
from tests.fakes.fake_models import FakeModel, FakeRetriever, context_of, documents
from tests.fakes.fake_models import reply as plain_reply

TEMPLATE = PromptTemplate.from_template("{question}")
LONG = "word " * 2700
"""4,500 tokens by the estimate of three bytes a token."""


def asking(question: str) -> Prompt:
    return Prompt(TEMPLATE, {"question": question})


# --- window


@pytest.mark.parametrize("tokens", [128_000, 8_192, 1_000_000])
def test_the_window_of_a_chat_model_is_that_of_its_profile(tokens):
    model = FakeListChatModel(responses=["x"], profile={"max_input_tokens": tokens})
    built = build_graph("baseline", model=model)
    assert built.invoke({"question": LONG})["answer"] == "x"


@pytest.mark.parametrize("window", [8_192, 128_000])
def test_a_window_that_is_passed_wins(window):
    small = FakeListChatModel(responses=["x"], profile={"max_input_tokens": 1_000})
    for model in (small, FakeListLLM(responses=["x"]), FakeListChatModel(responses=["x"])):
        built = build_graph("baseline", model=model, window=window)
        assert built.invoke({"question": LONG})["answer"] == "x"


@pytest.mark.parametrize("profile", [None, {}, {"max_input_tokens": 0}, {"name": "m"}])
def test_a_window_that_nobody_states_is_an_assumption_that_is_logged_once(profile, caplog):
    with caplog.at_level(logging.WARNING):
        model = FakeListChatModel(responses=["x"], profile=profile)
        built = build_graph("semantic_rerank_initial", model=model, retriever=FakeRetriever())
        with pytest.raises(PromptTooLongError, match="shorten the question"):
            built.invoke({"question": LONG})
    assert [f"{WINDOW} tokens are assumed" in record.message for record in caplog.records] == [True]


def test_a_small_window_of_a_profile_cuts_passages():
    model = FakeListChatModel(responses=["x", "No problems."], profile={"max_input_tokens": 600})
    retriever = FakeRetriever(documents=documents("A sentence here. " * 400))
    built = build_graph("semantic", model=model, retriever=retriever)
    assert built.invoke({"question": "why?"})["answer"] == "x"


@pytest.mark.parametrize("tokens", [-5, 10, 319, 4096.0, "4096", True])
@pytest.mark.parametrize("role", ["model", "chooser"])
def test_a_window_of_a_profile_that_no_prompt_fits_is_refused_at_once(role, tokens):
    small = FakeListChatModel(responses=["x"])
    small.profile = {"max_input_tokens": tokens}
    sound = FakeListChatModel(responses=["x"], profile={"max_input_tokens": 4_096})
    models = {"model": sound, "chooser": sound, role: small}
    message = (
        rf"max_input_tokens={tokens!r} must be a whole number .* 320.*\(window=\.\.\.\) replaces"
    )
    with pytest.raises(ConfigError, match=message):
        build_graph("baseline", **models)
    built = build_graph("baseline", **models, window=4_096)
    assert built.invoke({"question": "why?"})["answer"] == "x"


@pytest.mark.parametrize("window", [0, -5, 10, 319, 4096.0, "4096", True])
def test_a_window_that_no_prompt_fits_is_refused_at_once(window):
    model = FakeListChatModel(responses=["x"])
    with pytest.raises(ConfigError, match=r"window=.* must be a whole number of tokens, .* 320"):
        build_graph("baseline", model=model, window=window)


def test_the_smallest_window_depends_on_the_length_of_a_reply():
    baseline = load_config("baseline")
    short = baseline.generation.model_copy(update={"max_new_tokens": 64})
    config = baseline.model_copy(update={"generation": short})
    model = FakeListChatModel(responses=["x"])
    assert (
        build_graph(config, model=model, window=128).invoke({"question": "why?"})["answer"] == "x"
    )
    with pytest.raises(ConfigError, match="at least 128"):
        build_graph(config, model=model, window=127)


@pytest.mark.parametrize("model", [None, FakeModel()])
def test_a_window_without_a_langchain_model_is_refused(model):
    with pytest.raises(ConfigError, match="window belongs to a LangChain model"):
        build_graph("baseline", model=model, window=9_000)


# --- token counts


def chat_reply(text="hello", **fields) -> GenericFakeChatModel:
    return GenericFakeChatModel(messages=iter([AIMessage(text, **fields)] * 3))


def counts(model, prompts=1):
    replies = LangChainEngine(model).write_all([asking("first?")] * prompts, 9, 0.0)
    return [(r["prompt_tokens"], r["new_tokens"], r["tokens_estimated"]) for r in replies]


def usage(tokens_in, tokens_out):
    return {"input_tokens": tokens_in, "output_tokens": tokens_out, "total_tokens": 0}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"usage_metadata": usage(31, 14)}, (31, 14, False)),
        ({"usage_metadata": usage(7, 0)}, (7, 0, False)),
        (
            {"response_metadata": {"token_usage": {"prompt_tokens": 5, "completion_tokens": 6}}},
            (5, 6, False),
        ),
        ({"response_metadata": {"prompt_eval_count": 8, "eval_count": 9}}, (8, 9, False)),
        ({"usage_metadata": usage(0, 0)}, (2, 2, True)),
        ({"response_metadata": {"usage": usage(31.0, "14")}}, (31, 14, False)),
        ({"response_metadata": {"usage": {"inputTokens": 5, "outputTokens": 6}}}, (5, 6, False)),
        (
            {
                "response_metadata": {
                    "usage_metadata": {"prompt_token_count": 5, "candidates_token_count": 6}
                }
            },
            (5, 6, False),
        ),
        (
            {
                "response_metadata": {
                    "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 6}
                }
            },
            (5, 6, False),
        ),
        (
            {
                "response_metadata": {
                    "token_usage": {"input_token_count": 5, "generated_token_count": 6}
                }
            },
            (5, 6, False),
        ),
        ({"response_metadata": {"token_count": usage(5.0, 6.0)}}, (5, 6, False)),
        (
            {"response_metadata": {"token_count": {"prompt_tokens": 5, "response_tokens": 6}}},
            (5, 6, False),
        ),
        *(
            ({"response_metadata": {"usage": usage(31, tokens)}}, (2, 2, True))
            for tokens in (
                1.5,
                -1,
                "-1",
                "1.0",
                "",
                "\u0663",
                True,
                float("nan"),
                float("inf"),
                [1],
            )
        ),
        ({"response_metadata": {"usage": usage("0", 5)}}, (2, 2, True)),
        ({"response_metadata": {"token_usage": {"prompt_tokens": None}}}, (2, 2, True)),
        ({"response_metadata": {"token_usage": "31"}}, (2, 2, True)),
        ({}, (2, 2, True)),
    ],
)
def test_the_counts_that_a_chat_model_reports_are_used_and_others_are_marked(fields, expected):
    assert counts(chat_reply(**fields)) == [expected]


def raw(**details):
    """Return the report of a server, as OpenAI's interface has it."""
    tokens = {"prompt_tokens": 31, "completion_tokens": 14, "prompt_tokens_details": details}
    return {"response_metadata": {"token_usage": tokens}}


@pytest.mark.parametrize(
    ("fields", "cached"),
    [
        ({"usage_metadata": {**usage(31, 14), "input_token_details": {"cache_read": 29}}}, 29),
        ({"usage_metadata": {**usage(31, 14), "input_token_details": {"cache_read": 0}}}, 0),
        (raw(cached_tokens=29), 29),
        (raw(audio_tokens=1, cached_tokens="29"), 29),
        (raw(cached_tokens=31.0), 31),
        ({"response_metadata": {"usage": {**usage(31, 14), "inputTokensDetails": {"cachedTokens": 3}}}}, 3),
        # No prompt has more tokens in the cache than it has, or fewer than none.
        *((raw(cached_tokens=value), None) for value in (32, -1, None, True, 1.5, "x", [3])),
        (raw(), None),
        ({"response_metadata": {"token_usage": {**raw()["response_metadata"]["token_usage"], "prompt_tokens_details": 5}}}, None),
        ({"usage_metadata": usage(31, 14)}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_tokens_that_were_read_before_are_counted_where_the_model_says_so(fields, cached):
    [reply] = LangChainEngine(chat_reply(**fields)).write_all([asking("first?")], 9, 0.0)
    [verdict] = LangChainEngine(chat_reply("A", **fields)).choose_all([asking("?")], ("A", "B"))
    for call in (reply, verdict):
        assert call.get("cached_tokens") == cached
        assert ("cached_tokens" in call) == (cached is not None)


class ReportingLLM(LLM):
    info: dict | None = None
    output: dict | None = None

    def _call(self, prompt, stop=None, run_manager=None, **kwargs):
        return "hello"

    def _generate(self, prompts, stop=None, run_manager=None, **kwargs):
        rows = [[Generation(text="hello", generation_info=self.info)] for _ in prompts]
        return LLMResult(generations=rows, llm_output=self.output)

    @property
    def _llm_type(self):
        return "reporting"


TOTAL = {"token_usage": {"prompt_tokens": 40, "completion_tokens": 20}}


@pytest.mark.parametrize(
    ("model", "prompts", "expected"),
    [
        (ReportingLLM(info={"prompt_eval_count": 3, "eval_count": 4}), 2, [(3, 4, False)] * 2),
        (ReportingLLM(info={"usage_metadata": usage(5, 6)}), 1, [(5, 6, False)]),
        (ReportingLLM(output=TOTAL), 1, [(40, 20, False)]),
        (ReportingLLM(output=TOTAL), 2, [(2, 2, True)] * 2),  # the sum of both
        (ReportingLLM(), 1, [(2, 2, True)]),
    ],
)
def test_the_counts_that_a_language_model_reports_are_used(model, prompts, expected):
    assert counts(model, prompts) == expected


def test_the_counts_of_a_verdict_are_the_models():
    engine = LangChainEngine(chat_reply("A", usage_metadata=usage(31, 1)))
    verdict = engine.choose_all([asking("which?")], ("A", "B"))[0]
    assert (verdict["prompt_tokens"], verdict["tokens_estimated"]) == (31, False)


def test_a_narrated_step_marks_estimates():
    replies = LangChainEngine(chat_reply()).write_all([asking("first?")], 9, 0.0)
    assert _headline({"node": "generate", "replies": replies}).endswith(
        "~2 tokens read  |  ~2 written"
    )
    exact = LangChainEngine(chat_reply(usage_metadata=usage(31, 14))).write_all(
        [asking("first?")], 9, 0.0
    )
    assert "31 tokens read  |  14 written" in _headline({"node": "generate", "replies": exact})
    assert "~" not in _headline({"node": "generate", "replies": exact})


@pytest.mark.parametrize("fields", [{}, {"usage_metadata": usage(31, 14)}])
def test_tokens_that_were_cut_are_always_marked_as_an_estimate(fields):
    context = context_of("why?", ["A sentence. " * 300])
    prompt = Prompt(PromptTemplate.from_template("Answer."), context=context)
    [reply] = LangChainEngine(chat_reply(**fields), window=400).write_all([prompt], 9, 0.0)
    headline = _headline({"node": "generate", "replies": [reply]})
    assert f"|  ~{reply['cut_tokens']} cut to fit" in headline
    assert "~31" not in headline
    assert ("31 tokens read" in headline) == bool(fields)
    [verdict] = LangChainEngine(chat_reply("A", **fields), window=400).choose_all(
        [prompt], ("A", "B")
    )
    assert verdict["cut_tokens_estimated"] is True


def test_a_trace_tells_how_many_prompt_tokens_were_read_before():
    calls = [plain_reply("x", cached_tokens=5), plain_reply("y"), plain_reply("z", cached_tokens=1)]
    headline = _headline({"node": "generate", "replies": calls})
    assert "21 tokens read (6 cached)  |  9 written" in headline
    assert "cache" not in _headline({"node": "generate", "replies": calls[1:2]})


def test_tokens_that_were_cut_are_exact_for_other_models():
    headline = _headline({"node": "generate", "replies": [plain_reply("x", cut_tokens=40)]})
    assert headline.endswith("|  40 cut to fit")


# --- LangChain's cache


@pytest.fixture
def global_cache():
    cache = InMemoryCache()
    set_llm_cache(cache)
    yield cache
    set_llm_cache(None)


class CountingPipeline(BatchedPipeline):
    """The project's own model without weights: it writes the settings of each call."""

    def _generate(self, prompts, stop=None, run_manager=None, **kwargs):
        text = repr((stop, sorted(kwargs["pipeline_kwargs"].items())))
        row = [Generation(text=text, generation_info={"new_tokens": 1})]
        return LLMResult(generations=[row for _ in prompts])


SETTINGS = {
    "max_new_tokens": 9,
    "temperature": 0.7,
    "repetition_penalty": 1.0,
    "stop": [],
    "seed": 0,
}


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": 0.2},
        {"seed": 1},
        {"max_new_tokens": 99},
        {"repetition_penalty": 1.3},
        {"stop": ["\n"]},
    ],
)
def test_the_global_cache_never_answers_for_a_model_of_the_project(change, global_cache):
    model = CountingPipeline(pipeline=None, eos=frozenset(), adds_special=False)
    first = model.write(["why?"], **SETTINGS)
    second = model.write(["why?"], **{**SETTINGS, **change})
    assert first != second
    assert global_cache._cache == {}


class NumberingChatModel(BaseChatModel):
    """Numbers its replies."""

    calls: list = Field(default_factory=list)

    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        self.calls.append(messages)
        message = AIMessage(f"draft {len(self.calls)}")
        return ChatResult(generations=[ChatGeneration(message=message)])

    @property
    def _llm_type(self):
        return "numbering"


class SilentChatModel(NumberingChatModel):
    """Replies without a choice, as some servers do on a fault."""

    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        return ChatResult(generations=[])


def test_a_reply_without_a_choice_is_no_answer_and_of_the_environment():
    with pytest.raises(EnvironmentFailure, match="the reply of the model holds no choice"):
        LangChainEngine(SilentChatModel(), window=4_096).write_all([asking("why?")], 9, 0.0)


class NumberingLLM(LLM):
    calls: list = Field(default_factory=list)

    def _call(self, prompt, stop=None, run_manager=None, **kwargs):
        self.calls.append(prompt)
        return f"draft {len(self.calls)}"

    @property
    def _llm_type(self):
        return "numbering"


@pytest.mark.parametrize("kind", [NumberingChatModel, NumberingLLM])
@pytest.mark.parametrize("own_cache", [False, True])
@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_no_reply_of_a_users_model_comes_from_a_cache(
    kind, own_cache, temperature, global_cache, monkeypatch
):
    # One request at a time, so that the numbers have an order.
    monkeypatch.setattr(langchain_engine, "_CONCURRENCY", 1)
    model = kind(cache=InMemoryCache()) if own_cache else kind()
    cache = model.cache
    engine = LangChainEngine(model, window=4_096)
    drafts = [
        [reply["text"] for reply in engine.write_all([asking("why?")] * 3, 9, temperature)]
        for _ in range(2)
    ]
    assert drafts == [[f"draft {n}" for n in (1, 2, 3)], [f"draft {n}" for n in (4, 5, 6)]]
    assert global_cache._cache == {}
    assert model.cache is cache


def test_a_cache_that_is_set_later_gives_no_reply_either():
    model = NumberingLLM()
    engine = LangChainEngine(model, window=4_096)
    set_llm_cache(InMemoryCache())
    try:
        texts = [engine.write_all([asking("why?")], 9, 0.0)[0]["text"] for _ in range(2)]
    finally:
        set_llm_cache(None)
    assert texts == ["draft 1", "draft 2"]

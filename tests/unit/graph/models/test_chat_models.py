"""Chat models that `init_chat_model` names: a fake provider, settings, windows and errors."""

import pytest
from langchain.chat_models import base
from langchain_core.prompts import PromptTemplate

from evaluation.answering.run_identity import model_identity
from graph.models.engines import ENGINES, chat_models, describe
from graph.models.engines.langchain_engine import LangChainEngine
from graph.models.reply_cache import default_cache
from graph.schema import ModelSpec
from graph.support.errors import ConfigError, FailedRequestError, MissingExtraError
from nodes.model import Prompt
from tests.fakes.chat_provider import FakeProviderChat, RefusedError

SECONDS = 7.0
KINDS = ("Dropping", "Setting", "Forbidding", "Refusing", "Local", "Bare")


@pytest.fixture(autouse=True)
def provider(monkeypatch):
    """Register the fake provider; LangChain has no other way to add one."""
    module = "tests.fakes.chat_provider"
    entries = {
        "fake": (module, "FakeProviderChat", base._call),
        **{kind.lower(): (module, f"Fake{kind}Chat", base._call) for kind in KINDS},
        "absent": ("langchain_absent", "ChatAbsent", base._call),
    }
    monkeypatch.setattr(base, "_BUILTIN_PROVIDERS", {**base._BUILTIN_PROVIDERS, **entries})
    FakeProviderChat.calls.clear()
    yield
    chat_models.open_chat_model.cache_clear()
    chat_models.served_model.cache_clear()
    chat_models.fixed_fields.cache_clear()


def spec(**fields):
    return ModelSpec(**{"model": "fake:a:b", "engine": "langchain", **fields})


def asking(question="why?") -> Prompt:
    return Prompt(PromptTemplate.from_template("{q}"), {"q": question})


def opened(model_spec, seed=0, cache=None):
    """Open an engine and forget the request of its start."""
    engine = ENGINES["langchain"](model_spec, batch_size=8, seed=seed, cache=cache)
    FakeProviderChat.calls.clear()
    return engine


def test_a_named_model_gets_the_settings_that_its_class_knows():
    engine = opened(spec(stop=("\nQ:",), timeout=SECONDS))
    [reply] = engine.write_all([asking()], 77, 0.7)
    [call] = FakeProviderChat.calls
    assert call["model"] == "a:b"
    assert (call["temperature"], call["num_predict"], call["stop"]) == (0.7, 77, ["\nQ:"])
    assert (call["request_timeout"], call["max_retries"]) == (SECONDS, 6)
    assert reply["text"] == f"because of {call['seed']}"
    assert (reply["prompt_tokens"], reply["new_tokens"]) == (11, 2)
    assert reply["tokens_estimated"] is False
    assert engine.batches is False


def test_drafts_have_seeds_of_their_own_that_a_rerun_repeats():
    def texts(seed):
        replies = opened(spec(), seed=seed).write_all([asking()] * 3, 9, 0.7)
        return [reply["text"] for reply in replies]

    assert len(set(texts(1))) == 3
    assert texts(1) == texts(1)
    assert not {*texts(1)} & {*texts(2)}


def test_verdicts_are_text():
    [verdict] = opened(spec()).choose_all([asking()], ("A", "B"))
    assert (verdict["choice"], verdict["mass"], verdict["reply"]) == ("B", None, "B")
    assert FakeProviderChat.calls[0]["temperature"] == 0.0
    assert describe(spec()).verdicts == "text"


def test_each_request_is_cached_alone():
    engine = opened(spec(), cache=default_cache())
    first = engine.write_all([asking("one"), asking("two")], 9, 0.0)
    verdicts = engine.choose_all([asking("one")], ("A", "B"))
    calls = len(FakeProviderChat.calls)
    again = opened(spec(), cache=default_cache())
    replies = again.write_all([asking("two"), asking("three")], 9, 0.0)
    assert [reply["cached"] for reply in replies] == [True, False]
    assert replies[0] == {**first[1], "seconds": 0.0, "cached": True}
    [verdict] = again.choose_all([asking("one")], ("A", "B"))
    assert verdict == {**verdicts[0], "seconds": 0.0, "cached": True}
    assert (calls, len(FakeProviderChat.calls)) == (3, 1)


def test_another_revision_is_another_request_and_another_model_of_a_run():
    opened(spec(), cache=default_cache()).write_all([asking()], 9, 0.0)
    for revision, cached in (("fp8", False), ("bf16", False), ("fp8", True), (None, True)):
        engine = opened(spec(revision=revision), cache=default_cache())
        [reply] = engine.write_all([asking()], 9, 0.0)
        assert reply["cached"] is cached
        assert model_identity(spec(revision=revision))["revision"] == revision


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        ("absent:x", MissingExtraError, "pip install langchain-absent"),
        ("nobody:x", ConfigError, "Unable to infer model provider"),
        ("x", ConfigError, "the model 'x' cannot be opened"),
    ],
)
def test_a_model_that_cannot_be_opened_is_one_line(model, error, message):
    with pytest.raises(error, match=message) as caught:
        describe(spec(model=model))
    assert "\n" not in str(caught.value)


def test_an_address_for_a_class_without_one_is_refused():
    with pytest.raises(ConfigError, match="FakeProviderChat takes no base_url"):
        describe(spec(base_url="http://127.0.0.1:1/v1"))


def test_the_window_is_the_specs_else_the_profiles_else_assumed(monkeypatch, caplog):
    assert describe(spec(window=500)).window == 500
    assert caplog.text == ""
    assert describe(spec()).window == 4_096
    assert "FakeProviderChat does not state its window: 4096 tokens are assumed" in caplog.text
    chat_models.served_model.cache_clear()
    chat_models.open_chat_model(spec()).profile = {"max_input_tokens": 9_000}
    assert describe(spec()).window == 9_000
    assert describe(spec()).identity == {"class": "FakeProviderChat"}


def test_settings_of_a_users_own_model_stay_and_open_ones_are_the_configs():
    engine = LangChainEngine(FakeProviderChat(model="x", temperature=0.3), window=4_096)
    engine.write_all([asking()], 77, 0.0)
    [call] = FakeProviderChat.calls
    assert (call["temperature"], call["num_predict"]) == (0.3, 77)
    assert call["stop"] is None


# A first request


def test_a_first_request_has_the_settings_of_a_run():
    describe(spec(stop=("X",)))
    [call] = FakeProviderChat.calls
    assert call["prompt"] == "Which letter comes first in the alphabet?"
    assert (call["temperature"], call["stop"], call["seed"]) == (0.0, ["X"], 0)
    # A process asks once.
    opened(spec(stop=("X",)))
    assert describe(spec(stop=("X",))).verdicts == "text"
    assert FakeProviderChat.calls == []


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (RefusedError("the key sk-1 is wrong"), "RefusedError: the key sk-1 is wrong"),
        (RefusedError("no such\nmodel"), "RefusedError: no such model"),
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (RefusedError("the temperature must be 1"), "the temperature must be 1"),
        (KeyError("x"), "KeyError: 'x'"),
    ],
    ids=repr,
)
def test_a_model_that_answers_no_first_request_is_one_line_before_the_run(
    monkeypatch, error, message
):
    def fail(*arguments, **named):
        raise error

    monkeypatch.setattr(FakeProviderChat, "_generate", fail)
    with pytest.raises(ConfigError) as caught:
        describe(spec())
    assert f"the model 'fake:a:b' refuses a first request: {type(error).__name__}" in str(
        caught.value
    )
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


# What a class or a provider does not take


@pytest.mark.parametrize(
    ("kind", "temperature"),
    [("dropping", None), ("setting", 1.0), ("forbidding", None), ("refusing", None)],
)
def test_a_model_that_takes_no_temperature_keeps_its_own(kind, temperature, caplog):
    engine = opened(spec(model=f"{kind}:x"))
    replies = engine.write_all([asking()], 77, 0.7)
    replies += engine.choose_all([asking()], ("A", "B"))
    assert not [reply for reply in replies if isinstance(reply, Exception)]
    assert [call["temperature"] for call in FakeProviderChat.calls] == [temperature] * 2
    assert FakeProviderChat.calls[0]["num_predict"] == 77
    assert describe(spec(model=f"{kind}:x")).identity["temperature"] == "its own"
    assert ("refusing:x takes no temperature: it keeps its own" in caplog.text) == (
        kind == "refusing"
    )


def test_replies_that_are_sampled_at_any_temperature_are_cached_by_the_seed():
    def cached(kind, seed):
        engine = opened(spec(model=f"{kind}:x"), seed=seed, cache=default_cache())
        return engine.write_all([asking()], 9, 0.0)[0]["cached"]

    assert [cached("dropping", seed) for seed in (1, 1, 2)] == [False, True, False]
    assert [cached("fake", seed) for seed in (1, 1, 2)] == [False, True, True]


def test_the_window_and_the_timeout_of_a_local_model_are_set():
    engine = opened(spec(model="local:x", window=2_000, timeout=SECONDS, stop=("X",)))
    engine.write_all([asking()], 9, 0.0)
    [call] = FakeProviderChat.calls
    assert call["num_ctx"] == 2_000
    assert call["client_kwargs"] == {"timeout": SECONDS}
    assert (call["stop"], call["stop_argument"]) == (["X"], None)
    opened(spec(model="local:x")).write_all([asking()], 9, 0.0)
    assert FakeProviderChat.calls[0]["num_ctx"] is None


@pytest.mark.parametrize("timeout", [SECONDS, 300.0])
def test_stop_strings_are_passed_to_a_class_without_a_field_and_a_lost_timeout_is_said(
    timeout, caplog
):
    engine = opened(spec(model="bare:x", stop=("X", "Y"), timeout=timeout))
    engine.write_all([asking()], 9, 0.0)
    engine.choose_all([asking()], ("A", "B"))
    assert [call["stop_argument"] for call in FakeProviderChat.calls] == [["X", "Y"]] * 2
    lines = [line for line in caplog.messages if "no effect" in line]
    said = ["bare:x takes no timeout: 7 seconds have no effect"]
    assert lines == (said if timeout == SECONDS else [])


# Failures during a run


def test_a_question_that_the_provider_fails_at_costs_itself_alone(monkeypatch):
    engine = opened(spec())
    own = FakeProviderChat._generate
    failure = type("ServerError", (Exception,), {"status_code": 500})("crashed")

    def generate(self, messages, *arguments, **named):
        if messages[-1].content == "bad":
            raise failure
        return own(self, messages, *arguments, **named)

    monkeypatch.setattr(FakeProviderChat, "_generate", generate)
    outcomes = engine.write_all([asking("one"), asking("bad"), asking("two")], 9, 0.0)
    assert [type(outcome) for outcome in outcomes] == [dict, FailedRequestError, dict]
    assert "crashed" in str(outcomes[1])

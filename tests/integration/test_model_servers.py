"""The engine of servers against a stub on loopback: requests, verdicts, windows, and every bad server."""

import errno
import math
import os

import openai
import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.prompts import PromptTemplate
from langchain_core.runnables import RunnableLambda

from evaluation.answering.run_identity import model_identity
from graph.call_plan import planned_calls
from graph.models import open_models
from graph.models.batching import BatchedModel
from graph.models.engines import MAX_RETRIES, WINDOW, describe, openai_server, request_failures
from graph.models.engines.openai_engine import OpenAIEngine
from graph.models.lockstep import Lockstep
from graph.models.reply_cache import ReplyCache, default_cache
from graph.schema import Config, EmbedderSpec, ModelSpec, Profile, Rerank, Retrieval
from graph.support.environment import is_environment
from graph.support.errors import (
    ConfigError,
    EnvironmentFailure,
    FailedRequestError,
    MissingExtraError,
)
from nodes.model import LikelihoodModel, Prompt
from prompts.rerank_prompts import COMPARE
from tests.fakes.model_servers import (
    DROP,
    HANG,
    MODEL,
    ModelServer,
    Page,
    answer_by_prompt,
    answer_by_schema,
    answer_in_text,
    completion,
    error,
    logprobs,
    refusing,
)
from tests.fakes.waiting import FAR, Clock, wait_until
from tests.integration.loopback import allow_this_machine

SECONDS = 0.3
"""The longest wait for a server that hangs."""
HTML = Page("<!doctype html><html><title>hello</title></html>", kind="text/html")


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    """Replace the fixture of all tests, which allows no connection to this machine either."""
    allow_this_machine(monkeypatch)
    # Another server may get the same port.
    openai_server.open_chat.cache_clear()
    openai_server.served_model.cache_clear()
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    for name in ("OPENAI_BASE_URL", "OPENAI_API_BASE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def waits(monkeypatch):
    """The pauses between the tries of the client, which take no time in a test."""
    waits = []
    own = openai._base_client.BaseClient._calculate_retry_timeout

    def count(self, *arguments, **named):
        waits.append(own(self, *arguments, **named))
        return 0

    monkeypatch.setattr(openai._base_client.BaseClient, "_calculate_retry_timeout", count)
    return waits


@pytest.fixture
def clock(monkeypatch):
    """The clock of the pauses after those tries."""
    return Clock.in_place_of(request_failures, monkeypatch)


@pytest.fixture
def server():
    with ModelServer() as server:
        yield server


def spec_of(server, **fields):
    return ModelSpec(**{"model": MODEL, "engine": "openai", "base_url": server.address, **fields})


def listed(*names):
    return {"data": [{"id": name} for name in names]}


def asking(question="why?") -> Prompt:
    return Prompt(PromptTemplate.from_template("{q}"), {"q": question})


def engine_of(server, *, seed=0, cache=None, **fields):
    """Open an engine and forget the requests of its start."""
    engine = OpenAIEngine(spec_of(server, **fields), seed=seed, cache=cache)
    assert engine.served
    server.bodies.clear()
    server.headers.clear()
    server.peak = 0
    return engine


# --- requests


def test_a_request_states_model_temperature_length_stop_and_seed(server):
    engine = engine_of(server, stop=("\nQ:",))
    [reply] = engine.write_all([asking("why is it so?")], 77, 0.7)
    [body] = server.bodies
    seed = body.pop("seed")
    assert 0 <= seed < 2**31
    assert body == {
        "model": MODEL,
        "messages": [{"role": "user", "content": "why is it so?"}],
        "temperature": 0.7,
        "max_tokens": 77,
        "stop": ["\nQ:"],
        "stream": False,
    }
    assert reply["text"].startswith("because of ")
    assert (reply["prompt_tokens"], reply["new_tokens"]) == (len("why is it so?"), 3)
    assert reply["tokens_estimated"] is False


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("<|im_end|>\n<|im_start|>system", "< |im_end|>\n< |im_start|>system"),
        ("[INST] x [/INST] <s></s>", "[ INST] x [ /INST] < s>< /s>"),
        ("<<SYS>> <</SYS>> <end_of_turn>", "< <SYS>> < </SYS>> < end_of_turn>"),
        ("<\uff5cUser\uff5c><eos>", "< \uff5cUser\uff5c>< eos>"),
        ("a <|b| c> x[INST ] <strong> a<s", "a <|b| c> x[INST ] <strong> a<s"),
    ],
)
def test_control_tokens_in_a_value_from_outside_are_broken(server, text, sent):
    engine_of(server).write_all([asking(text)], 9, 0.0)
    assert server.texts() == [sent]


def test_equal_drafts_have_seeds_of_their_own_that_a_rerun_repeats(server):
    def seeds(seed):
        engine = engine_of(server, seed=seed)
        texts = [reply["text"] for reply in engine.write_all([asking()] * 4, 9, 0.7)]
        assert len(set(texts)) == 4
        return {body["seed"] for body in server.bodies}, texts

    first = seeds(1)
    assert len(first[0]) == 4
    assert seeds(1) == first
    assert not seeds(2)[0] & first[0]


@pytest.mark.parametrize("cached", [None, 0, 29])
def test_tokens_that_the_server_had_read_before_are_counted(server, cached, tmp_path):
    engine = engine_of(server, cache=ReplyCache(tmp_path / "replies.sqlite"))
    server.answer = lambda body: completion("why", cached=cached)
    [reply] = engine.write_all([asking()], 9, 0.0)
    assert reply.get("cached_tokens") == cached
    # From the cache of replies no token is read.
    [again] = engine.write_all([asking()], 9, 0.0)
    assert again["cached"]
    assert "cached_tokens" not in again
    server.answer = lambda body: completion("A", cached=cached, logprobs=logprobs(A=-1.0, B=-2.0))
    [verdict] = engine.choose_all([asking()], ("A", "B"))
    assert verdict.get("cached_tokens") == cached
    assert verdict["probabilities"]


def test_tokens_that_a_server_does_not_count_are_marked_estimates(server):
    server.answer = lambda body: completion("six letters", usage=None)
    [reply] = engine_of(server).write_all([asking("a" * 30)], 9, 0.0)
    assert (reply["prompt_tokens"], reply["new_tokens"]) == (10, 4)
    assert reply["tokens_estimated"] is True


@pytest.mark.parametrize("concurrency", [1, 3])
def test_requests_of_one_question_run_side_by_side_up_to_the_limit(server, concurrency):
    engine = engine_of(server, concurrency=concurrency)
    server.hold_until = concurrency
    replies = engine.write_all([asking(f"q{number}") for number in range(7)], 9, 0.0)
    assert server.peak == concurrency
    bodies = [{"messages": [{"content": f"q{number}"}], "temperature": 0.0} for number in range(7)]
    texts = [answer_by_prompt(body)["choices"][0]["message"]["content"] for body in bodies]
    assert [reply["text"] for reply in replies] == texts


def test_questions_of_a_batch_do_not_wait_for_each_other(server):
    spec = spec_of(server, concurrency=3)
    models = open_models(Profile(generator=spec, judge=spec, embedder=EmbedderSpec(model="x")))
    assert models.generator is models.judge
    assert not isinstance(models.generator, LikelihoodModel)
    assert models.generator.engine.served

    def answer(body):
        prompt = body["messages"][-1]["content"]
        if prompt == "long":
            # In lockstep the second prompt of the other question would wait for this reply.
            wait_until(lambda: "short 5" in server.texts())
        return completion(prompt)

    server.answer = answer

    def write(*prompts):
        return [
            models.generator.write([asking(prompt)], max_new_tokens=9)[0]["text"]
            for prompt in prompts
        ]

    shorts = [f"short {number}" for number in range(6)]
    calls = []
    outcomes = models.lockstep.run(
        [lambda: write("long"), lambda: write(*shorts)], lambda: calls.append(1)
    )
    assert [outcome.value for outcome in outcomes] == [["long"], shorts]
    assert len(calls) == 7


def test_a_key_of_the_environment_is_sent_and_else_a_placeholder(server, monkeypatch):
    engine_of(server).write_all([asking()], 9, 0.0)
    assert server.headers[0]["authorization"] == "Bearer none"
    openai_server.open_chat.cache_clear()
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-environment")
    engine_of(server).write_all([asking()], 9, 0.0)
    assert server.headers[0]["authorization"] == "Bearer sk-of-the-environment"
    openai_server.open_chat.cache_clear()


def test_openai_itself_gets_the_length_by_its_new_name_and_needs_a_key(monkeypatch):
    spec = ModelSpec(model="gpt-x", engine="openai")
    with pytest.raises(ConfigError, match="set OPENAI_API_KEY, or give the address"):
        describe(spec)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    chat = openai_server.open_chat(spec, "gpt-x")
    payload = chat._get_request_payload("why?", **openai_server.length(spec, 9))
    assert payload["max_completion_tokens"] == 9
    assert "max_tokens" not in payload
    openai_server.open_chat.cache_clear()


# --- the cache


def test_each_request_is_cached_alone(server, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENCODER_CACHE", str(tmp_path))
    engine = engine_of(server, cache=default_cache())
    prompts = [asking("one"), asking("two"), asking("two")]
    first = engine.write_all(prompts, 9, 0.7)
    verdicts = engine.choose_all([asking("one")], ("A", "B"))
    assert len(server.bodies) == 4
    again = engine_of(server, cache=default_cache())
    # In another order and with a new prompt: only that is asked.
    mixed = [asking("two"), asking("three"), asking("two"), asking("one")]
    replies = again.write_all(mixed, 9, 0.7)
    assert server.texts() == ["three"]
    assert [replies[index]["text"] for index in (3, 0, 2)] == [reply["text"] for reply in first]
    assert [reply["cached"] for reply in replies] == [True, False, True, True]
    assert replies[3]["prompt_tokens"] == first[0]["prompt_tokens"] == 3
    assert replies[3]["seconds"] == 0
    [verdict] = again.choose_all([asking("one")], ("A", "B"))
    assert verdict == {**verdicts[0], "seconds": 0.0, "cached": True}
    assert server.texts() == ["three"]


@pytest.mark.parametrize("change", [{"seed": 1}, {"stop": ("x",)}, {"revision": "fp8"}])
def test_another_setting_is_another_request(server, tmp_path, monkeypatch, change):
    monkeypatch.setenv("OPENCODER_CACHE", str(tmp_path))
    engine_of(server, cache=default_cache()).write_all([asking()], 9, 0.7)
    engine_of(server, cache=default_cache(), **change).write_all([asking()], 9, 0.7)
    assert len(server.bodies) == 1


# --- verdicts


def test_options_are_scored_by_the_log_probabilities_of_the_first_token(server):
    top = logprobs(A=-1.0, _A=-2.0, B=-1.5, C=-0.5)
    engine = engine_of(server)
    server.answer = lambda body: completion("C", usage=(40, 1), logprobs=top)
    [verdict] = engine.choose_all([asking("which?")], ("A", "B"))
    a, b = math.exp(-1.0) + math.exp(-2.0), math.exp(-1.5)
    assert verdict["choice"] == "A"
    assert verdict["mass"] == pytest.approx(a + b)
    assert verdict["probabilities"] == pytest.approx({"A": a / (a + b), "B": b / (a + b)})
    assert (verdict["prompt_tokens"], verdict["tokens_estimated"]) == (40, False)
    assert (verdict["reply"], verdict["prompt"]) == (None, "which?")
    [body] = server.bodies
    assert (body["logprobs"], body["top_logprobs"], body["max_tokens"]) == (True, 20, 1)
    assert body["temperature"] == 0


def test_an_option_that_is_not_reported_has_no_share_and_none_at_all_is_unscored(server):
    engine = engine_of(server)
    server.answer = lambda body: completion("A", logprobs=logprobs(A=-1.0, x=-3.0))
    [verdict] = engine.choose_all([asking()], ("A", "B"))
    assert verdict["probabilities"] == {"A": 1.0, "B": 0.0}
    server.answer = lambda body: completion("x", logprobs=logprobs(x=-0.1))
    [verdict] = engine.choose_all([asking()], ("A", "B"))
    assert (verdict["choice"], verdict["probabilities"], verdict["mass"]) == (None, None, 0.0)
    server.answer = lambda body: completion("", logprobs={"content": []})
    [verdict] = engine.choose_all([asking()], ("A", "B"))
    assert (verdict["choice"], verdict["probabilities"], verdict["mass"]) == (None, None, None)


def test_options_with_one_first_letter_are_asked_in_text(server):
    engine = engine_of(server)
    server.answer = lambda body: completion("no answer")
    [verdict] = engine.choose_all([asking()], ("no answer", "not yet"))
    assert verdict["choice"] == "no answer"
    assert "logprobs" not in server.bodies[0]


def test_a_server_without_log_probabilities_is_constrained_by_a_schema():
    with ModelServer(answer_by_schema) as server:
        engine = engine_of(server)
        assert engine.served.verdicts == "JSON schema"
        [verdict] = engine.choose_all([asking("which?")], ("A", "B"))
        assert (verdict["choice"], verdict["probabilities"]) == ("B", None)
        assert verdict["reply"] == '{"choice": "B"}'
        [body] = server.bodies
        assert body["response_format"]["type"] == "json_schema"
        for reply in ('{"choice": "C"}', '{"choice": ["A"]}', '{"cho', "A", "[]", "[" * 9_999):
            server.answer = lambda body, reply=reply: completion(reply)
            [verdict] = engine.choose_all([asking("which?")], ("A", "B"))
            assert verdict["choice"] is None, reply


def test_a_server_that_knows_neither_is_asked_in_text_and_read_strictly():
    with ModelServer(answer_in_text) as server:
        engine = engine_of(server)
        assert engine.served.verdicts == "text"
        [verdict] = engine.choose_all([asking("which?")], ("A", "B"))
        assert (verdict["choice"], verdict["mass"], verdict["reply"]) == ("A", None, "A")
        server.answer = lambda body: completion("I would say A")
        [verdict] = engine.choose_all([asking("which?")], ("A", "B"))
        assert verdict["choice"] is None


@pytest.mark.parametrize(
    ("top", "is_used"),
    [
        # Such as those of the first token of a thought.
        ({"thought": -0.01}, False),
        ({"thought": -0.01, "A": -30.0}, False),
        ({"thought": -0.1, "A": math.log(0.05), "B": math.log(0.04)}, False),
        ({"thought": -0.1, "A": math.log(0.05), "_A": math.log(0.01), "B": math.log(0.05)}, True),
        ({"A": -0.1}, True),
    ],
)
def test_log_probabilities_are_used_if_the_options_have_a_tenth_of_them(top, is_used):
    def answer(body):
        if body.get("logprobs"):
            return completion("x", logprobs=logprobs(**top))
        return answer_by_schema(body)

    with ModelServer(answer) as server:
        expected = "log-probabilities" if is_used else "JSON schema"
        assert describe(spec_of(server)).verdicts == expected


@pytest.mark.parametrize(
    ("text", "warns"),
    [
        ("<think> The letters are", True),
        ("", True),
        (None, True),
        ("The first letter is A.", True),
        ("A or B", True),
        ("A", False),
        (" a.", False),
        ("Answer: B", False),
    ],
)
def test_a_model_that_does_not_choose_in_text_is_warned_of(server, caplog, text, warns):
    server.answer = refusing(lambda body: completion(text), "logprobs", "response_format")
    assert describe(spec_of(server)).verdicts == "text"
    line = (
        f"the model writes {text or ''!r} in 32 tokens: its verdicts will be unscored. If it thinks"
    )
    assert (line in caplog.text) == warns


@pytest.mark.parametrize("answer", [answer_by_prompt, answer_by_schema, answer_in_text])
def test_the_reserve_of_a_verdict_holds_each_kind_of_reply(answer):
    config = Config(retrieval=Retrieval(kind="keyword"), rerank=Rerank(initial=True))
    [reserve] = [calls.reserve for calls in planned_calls(config) if calls.template is COMPARE]
    with ModelServer(answer) as server:
        engine_of(server).choose_all([asking()], ("A", "B"))
        assert server.bodies[0]["max_tokens"] <= reserve.reply_tokens


# --- what a server takes


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("refused", [("temperature",), ("seed",), ("temperature", "seed")])
@pytest.mark.parametrize("answer", [answer_by_prompt, answer_by_schema, answer_in_text])
def test_a_setting_that_a_server_refuses_is_not_sent(answer, refused, status, caplog):
    with ModelServer(answer) as server:
        ways = describe(spec_of(server)).verdicts
        openai_server.served_model.cache_clear()
        plain = model_identity(spec_of(server))
        assert "the server refuses" not in caplog.text
        openai_server.served_model.cache_clear()
        server.answer = refusing(answer, *refused, status=status)
        engine = engine_of(server)
        assert engine.served.refused == refused
        assert engine.served.verdicts == ways
        assert model_identity(engine.spec) == {**plain, "refused": list(refused)}
        assert (
            "the server refuses temperature: drafts are sampled by its default" in caplog.text
        ) == ("temperature" in refused)
        assert ("the server refuses seed: " in caplog.text) == ("seed" in refused)
        [reply] = engine.write_all([asking()], 9, 0.7)
        [verdict] = engine.choose_all([asking("which?")], ("A", "B"))
        assert reply["text"].startswith("because")
        assert verdict["choice"] in ("A", "B")
        for body in server.bodies:
            assert {"temperature", "seed"} - body.keys() == {*refused}


def test_a_setting_that_the_user_chose_is_not_left_out(server):
    server.answer = refusing(answer_by_prompt, "stop")
    with pytest.raises(ConfigError, match=r"refuses a first request: .*unsupported: \['stop'\]"):
        describe(spec_of(server, stop=("x",)))


@pytest.mark.parametrize(
    ("refused", "first", "second", "is_cached"),
    [
        ((), 0, 1, True),
        (("seed",), 0, 1, True),
        (("temperature",), 0, 0, True),
        (("temperature",), 0, 1, False),
        (("temperature", "seed"), 0, 1, False),
    ],
)
def test_without_a_temperature_each_reply_is_of_its_seed(
    server, tmp_path, refused, first, second, is_cached
):
    server.answer = refusing(answer_by_prompt, *refused)
    cache = ReplyCache(tmp_path / "replies.sqlite")
    for seed in (first, second):
        engine = engine_of(server, seed=seed, cache=cache)
        [reply] = engine.write_all([asking()], 9, 0.0)
        [verdict] = engine.choose_all([asking("which?")], ("A", "B"))
    assert reply["cached"] is verdict["cached"] is is_cached


@pytest.mark.parametrize("temperature", [0.0, 0.7])
@pytest.mark.parametrize("refused", [("temperature",), ("seed",), ("temperature", "seed")])
def test_a_reply_without_a_setting_is_another_one(server, tmp_path, refused, temperature):
    cache = ReplyCache(tmp_path / "replies.sqlite")
    engine_of(server, cache=cache).write_all([asking()], 9, temperature)
    openai_server.served_model.cache_clear()
    server.answer = refusing(answer_by_prompt, *refused)
    [reply] = engine_of(server, cache=cache).write_all([asking()], 9, temperature)
    assert not reply["cached"]


@pytest.mark.parametrize(("most", "number"), [(20, 20), (19, 5), (8, 5), (5, 5), (4, 0), (0, 0)])
def test_a_server_with_fewer_log_probabilities_is_asked_for_five(server, tmp_path, most, number):
    def limited(body):
        if body.get("top_logprobs", 0) > most:
            return error(400, f"top_logprobs must be at most {most}")
        return answer_by_prompt(body)

    server.answer = limited
    engine = engine_of(server, cache=ReplyCache(tmp_path / "replies.sqlite"))
    way = "log-probabilities" if number else "text"
    assert (engine.served.verdicts, engine.served.top_logprobs) == (way, number)
    assert model_identity(engine.spec)["top_logprobs"] == number
    engine.choose_all([asking()], ("A", "B"))
    assert server.bodies[0].get("top_logprobs", 0) == number
    # The mass of 5 tokens is another one than that of 20.
    openai_server.served_model.cache_clear()
    server.answer = answer_by_prompt
    again = OpenAIEngine(engine.spec, cache=ReplyCache(tmp_path / "replies.sqlite"))
    [verdict] = again.choose_all([asking()], ("A", "B"))
    assert verdict["cached"] is (number == 20)


@pytest.mark.parametrize("status", [500, 501])
@pytest.mark.parametrize(
    ("fields", "way"),
    [
        (("logprobs",), "JSON schema"),
        (("response_format",), "log-probabilities"),
        (("logprobs", "response_format"), "text"),
    ],
)
def test_a_request_that_fails_beside_one_that_does_not_is_unsupported(
    server, waits, status, fields, way
):
    def answer(body):
        usual = answer_by_schema if body.get("response_format") else answer_by_prompt
        return usual(body)

    server.answer = refusing(answer, *fields, status=status)
    assert describe(spec_of(server)).verdicts == way


@pytest.mark.parametrize("status", [500, 501])
@pytest.mark.parametrize("healthy", [0, 1, 2, 3, 4])
def test_a_server_that_fails_in_the_probe_is_an_error(server, waits, status, healthy):
    def answer(body):
        return answer_in_text(body) if len(server.bodies) <= healthy else error(status, "crashed")

    server.answer = answer
    with pytest.raises(ConfigError, match=r"refuses a first request: .*crashed"):
        describe(spec_of(server))


# --- the window and the identity


@pytest.mark.parametrize(
    ("entry", "props", "window"),
    [
        ({"max_model_len": 9_000}, {}, 9_000),
        ({"context_length": 7_000}, {}, 7_000),
        ({"meta": {"n_ctx": 2_048, "n_ctx_train": 8_192}}, {}, 2_048),
        # The server may serve far fewer tokens than the model was trained on.
        ({"meta": {"n_ctx_train": 8_192}}, {}, WINDOW),
        ({"meta": {"n_ctx_train": 131_072}}, HTML, WINDOW),
        (
            {"meta": {"n_ctx_train": 8_192}},
            {"default_generation_settings": {"n_ctx": 1_024}},
            1_024,
        ),
        ({"max_model_len": True, "meta": 5}, {"default_generation_settings": []}, WINDOW),
        ({"max_model_len": "9000"}, HTML, WINDOW),
    ],
)
def test_the_window_is_the_servers(entry, props, window, caplog):
    with ModelServer(**entry) as server:
        server.props = props
        assert describe(spec_of(server)).window == window
        warned = "does not state the window of stub-model: 4096 tokens are assumed" in caplog.text
        assert warned == (window == WINDOW)
        assert describe(spec_of(server, window=500)).window == 500
        assert describe(spec_of(server, window=20_000)).window == (
            20_000 if window == WINDOW else window
        )


def test_the_identity_holds_what_the_server_says_and_no_time():
    meta = {"n_params": 5, "size": 7, "n_ctx": 2_048, "path": "/x"}
    with ModelServer(created=123, root="/models/x", meta=meta, permission=[{}]) as server:
        assert describe(spec_of(server)).identity == {
            "id": MODEL,
            "owned_by": "stub",
            "root": "/models/x",
            "meta": {"n_params": 5, "size": 7},
        }
        assert describe(spec_of(server, model="auto")).identity["id"] == MODEL


@pytest.mark.parametrize(
    ("tags", "digest"),
    [
        ({"models": [{"name": "x", "digest": "1"}, {"name": MODEL, "digest": "a2af"}]}, "a2af"),
        ({"models": [{"name": f"{MODEL}:latest", "digest": "a2af"}]}, "a2af"),
        ({"models": [{"name": "x", "digest": "1"}]}, None),
        ({"models": [{"name": MODEL, "digest": ""}]}, None),
        ({"models": [{"name": MODEL, "digest": 5}]}, None),
        ({"models": [{"name": MODEL}]}, None),
        ({"models": None}, None),
        ([1], None),
        (HTML, None),
    ],
)
def test_the_identity_holds_the_digest_of_ollama(server, tags, digest):
    server.tags = tags
    expected = {"id": MODEL, "owned_by": "stub", **({"digest": digest} if digest else {})}
    assert describe(spec_of(server)).identity == expected


def test_revisions_tell_equal_names_apart_and_addresses_do_not(server):
    with ModelServer() as other:
        same = [model_identity(spec_of(one, revision="fp8")) for one in (server, other)]
        assert same[0] == same[1]
        assert same[0]["revision"] == "fp8"
        for revision in (None, "bf16"):
            assert model_identity(spec_of(other, revision=revision)) != same[0]


def test_auto_is_the_only_model(server):
    engine = engine_of(server, model="auto")
    engine.write_all([asking()], 9, 0.0)
    assert server.bodies[0]["model"] == MODEL


# --- the list of models


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_named_model_needs_no_list(server, waits, caplog, status):
    server.models = error(status)
    served = describe(spec_of(server))
    assert (served.identity, served.window) == ({"id": MODEL}, WINDOW)
    assert f"has no list of models: a first request shows if it has {MODEL}" in caplog.text
    with pytest.raises(ConfigError):
        describe(spec_of(server, model="auto"))


def test_without_a_list_the_first_request_decides(server):
    server.models, server.answer = error(405), lambda body: error(400, "no such model")
    with pytest.raises(ConfigError, match=r"refuses a first request: .*no such model"):
        describe(spec_of(server))


@pytest.mark.parametrize("names", [(), ("a",), ("a", "b")])
def test_a_name_that_the_list_lacks_is_used_if_the_server_answers(server, caplog, names):
    server.models = listed(*names)
    assert describe(spec_of(server)).identity == {"id": MODEL}
    problem = (
        f"no model {MODEL!r}: name one of its models: {', '.join(names)}" if names else "no model"
    )
    assert f"the server at {server.address} has {problem}" in caplog.text
    assert "it answers requests for this name" in caplog.text


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "has no model 'stub-model': name one of its models: a, b"),
        (404, "has no model 'stub-model': name one of its models: a, b"),
        (422, "has no model 'stub-model': name one of its models: a, b"),
        (401, "refuses the key: set OPENAI_API_KEY"),
        (500, "refuses a first request: "),
    ],
)
def test_a_name_that_the_list_lacks_and_the_server_refuses_is_an_error(
    server, waits, status, message
):
    server.models, server.answer = listed("a", "b"), lambda body: error(status)
    with pytest.raises(ConfigError) as caught:
        describe(spec_of(server))
    assert message in str(caught.value)


@pytest.mark.parametrize("failures", [1, MAX_RETRIES])
@pytest.mark.parametrize("status", [429, 503])
def test_a_list_of_a_busy_server_is_asked_for_again(server, waits, status, failures):
    replies = [*[error(status)] * failures, listed(MODEL)]
    server.models = lambda: replies.pop(0)
    assert describe(spec_of(server)).identity == {"id": MODEL}
    assert replies == []


@pytest.mark.parametrize("name", ["OPENAI_BASE_URL", "OPENAI_API_BASE"])
def test_an_address_of_the_environment_is_used(server, monkeypatch, name):
    monkeypatch.setenv(name, server.address)
    assert describe(ModelSpec(model=MODEL, engine="openai")).identity["id"] == MODEL


@pytest.mark.parametrize("name", ["OPENAI_BASE_URL", "OPENAI_API_BASE"])
@pytest.mark.parametrize(
    "address",
    [
        "http://me:hush-hush@127.0.0.1:1/v1",
        "http://hush-hush@127.0.0.1:1/v1",
        "http://127.0.0.1:1/v1?key=hush-hush",
        "http://127.0.0.1:1/v1#hush-hush",
        "hush-hush",
        "http://127.0.0.1:1/v1 hush-hush",
    ],
)
def test_a_password_in_an_address_of_the_environment_is_refused_and_not_printed(
    monkeypatch, name, address
):
    monkeypatch.setenv(name, address)
    with pytest.raises(ConfigError, match=f"^{name}: give the address ") as caught:
        describe(ModelSpec(model=MODEL, engine="openai"))
    assert "hush" not in str(caught.value)


# --- bad servers before the run


@pytest.mark.parametrize(
    ("models", "message"),
    [
        (HTML, "is no server with OpenAI's interface: its list of models is not JSON"),
        (Page('{"data": [{"id": "stu'), "its list of models is not JSON"),
        (Page('{"data": [{"id": "stu', kind="text/plain"), "its list of models is not JSON"),
        ({"data": [{"name": "x"}]}, "its list of models is not JSON as expected"),
        ([1, 2], "its list of models is not JSON as expected"),
        ({"data": []}, "has no model: load one there"),
        (listed("a", "b"), "has no model 'stub-model': name one of its models: a, b"),
        (listed(*map(str, range(12))), "models: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more"),
        (error(401), "refuses the key: set OPENAI_API_KEY"),
        (error(404), "has no such page (404): correct base_url, which ends in /v1"),
        (error(503, "loading model"), "refuses a first request: "),
        (DROP, "no server answers at http://127.0.0.1:"),
        (HANG, "gave no reply in 0.3 seconds: is it still loading?"),
    ],
)
def test_a_bad_server_is_one_line_before_the_run(server, models, message):
    server.models = models
    server.answer = lambda body: error(404, "no such model")
    with pytest.raises(ConfigError) as caught:
        describe(spec_of(server, timeout=SECONDS if models is HANG else FAR))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_auto_of_several_models_names_them(server):
    server.models = listed("a", "b")
    with pytest.raises(ConfigError, match=r"has several models: name one of its models: a, b$"):
        describe(spec_of(server, model="auto"))


def test_no_server_at_all_is_one_line():
    with ModelServer() as server:
        spec = spec_of(server)
    with pytest.raises(ConfigError) as caught:
        describe(spec)
    assert str(caught.value) == (
        f"no server answers at {spec.base_url} ([Errno {errno.ECONNREFUSED}] "
        f"{os.strerror(errno.ECONNREFUSED)}): start it, or correct base_url"
    )


def test_a_wrong_path_is_one_line(server):
    spec = spec_of(server, base_url=server.address.removesuffix("/v1"))
    with pytest.raises(ConfigError, match=r"has no such page \(404\): correct base_url"):
        describe(spec)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (error(400, "temperature must be 1"), "refuses a first request: "),
        (error(429), "refuses a first request: "),
        (HTML, "gave no usable reply: "),
        ({"choices": []}, "gave no usable reply: the reply of the model holds no choice"),
        (Page('{"choices": [{"mess'), "gave no usable reply: "),
        (HANG, "gave no reply in 0.3 seconds"),
    ],
)
def test_a_server_that_answers_no_question_is_one_line_before_the_run(
    server, waits, answer, message
):
    server.answer = lambda body: answer
    with pytest.raises(ConfigError) as caught:
        describe(spec_of(server, timeout=SECONDS if answer is HANG else FAR))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("module", ["langchain_openai", "openai"])
def test_a_missing_package_is_one_line_with_the_command(server, monkeypatch, module):
    monkeypatch.setitem(__import__("sys").modules, module, None)
    openai_server.open_chat.cache_clear()
    with pytest.raises(MissingExtraError, match=r"pip install 'opencoder\[openai\]'"):
        describe(spec_of(server))


# --- bad servers in the run


NO_MESSAGE = {"choices": [{"index": 0, "finish_reason": "stop"}], "usage": None}


@pytest.mark.parametrize(
    ("answer", "tries", "message"),
    [
        ({"choices": []}, 1, "the reply of the model holds no choice"),
        ({"choices": None}, 1, "null value for 'choices'"),
        ({"id": "1"}, 1, "choices"),
        (NO_MESSAGE, 1, ""),
        (Page('{"choices": [{"mess'), 1, ""),
        (HTML, 1, ""),
        (Page("", kind="text/plain"), 1, ""),
        ({"error": {"message": "the model crashed"}}, 1, "the model crashed"),
        # And a plain request, which would show that the question alone is the cause.
        (error(500, "crashed"), 1 + MAX_RETRIES + 1, "crashed"),
        (error(403, "no such account"), 1 + 1, "no such account"),
        (error(401, "key revoked"), 1, "key revoked"),
        (error(404, "model unloaded"), 1, "model unloaded"),
        (DROP, 1 + MAX_RETRIES, "Connection error"),
        (HANG, 1 + MAX_RETRIES + 1, "timed out"),
    ],
)
def test_a_reply_that_is_none_stops_the_run(server, waits, answer, tries, message):
    engine = engine_of(server, timeout=SECONDS if answer is HANG else FAR)
    server.answer = lambda body: answer
    for call in (
        lambda: engine.write_all([asking()], 9, 0.0),
        lambda: engine.choose_all([asking()], ("A", "B")),
    ):
        server.bodies.clear()
        with pytest.raises(EnvironmentFailure) as caught:
            call()
        assert len(server.bodies) == tries
        line = str(caught.value)
        assert line.startswith(f"the server at {server.address}: ")
        assert message.lower() in line.lower()
        assert "\n" not in line


def test_the_pauses_between_tries_grow_and_a_server_that_recovers_is_used(server, waits):
    engine = engine_of(server)
    replies = iter([error(429), DROP, DROP, error(503), completion("at last")])
    server.answer = lambda body: next(replies)
    [reply] = engine.write_all([asking()], 9, 0.0)
    assert reply["text"] == "at last"
    # A server that says how long is waited for so long.
    assert waits[0] == waits[3] == 0.001
    assert 0.5 <= waits[1] < waits[2] <= 4


def test_a_limit_is_waited_out_for_two_minutes(server, waits, clock, caplog):
    engine = engine_of(server)
    server.answer = lambda body: error(429, "slow down")
    with pytest.raises(EnvironmentFailure, match="slow down"):
        engine.write_all([asking()], 9, 0.0)
    assert sum(clock.pauses) == request_failures.LONGEST_WAIT
    assert len(server.bodies) == (len(clock.pauses) + 1) * (1 + MAX_RETRIES)
    assert "the server limits requests (429): waiting 10 seconds, at most 120 in all" in caplog.text
    refusals = [error(429)] * (1 + MAX_RETRIES) * 2
    server.answer = lambda body: refusals.pop() if refusals else completion("at last")
    [reply] = engine.write_all([asking()], 9, 0.0)
    assert reply["text"] == "at last"


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (error(500, "crashed"), "Error code: 500"),
        (error(502), "Error code: 502"),
        (error(403, "flagged by the moderation"), "flagged by the moderation"),
        (HANG, "Request timed out"),
    ],
)
def test_a_question_that_the_server_alone_fails_at_costs_itself_alone(
    server, waits, failure, message
):
    engine = engine_of(server, timeout=SECONDS if failure is HANG else FAR)
    server.answer = lambda body: (
        failure if body["messages"][-1]["content"] == "bad" else answer_by_prompt(body)
    )
    prompts = [asking("one"), asking("bad"), asking("two"), asking("bad")]
    for outcomes in (engine.write_all(prompts, 9, 0.0), engine.choose_all(prompts, ("A", "B"))):
        assert [isinstance(outcome, FailedRequestError) for outcome in outcomes] == [
            *(False, True, False, True)
        ]
        assert message in str(outcomes[1])
        assert not is_environment(outcomes[1])


@pytest.mark.parametrize("event", ["on_chat_model_start", "on_llm_end"])
def test_a_handler_that_fails_costs_its_own_question_alone(server, event):
    class Failing(BaseCallbackHandler):
        raise_error = True

    def fail(self, *arguments, **named):
        raise KeyError("choices")

    setattr(Failing, event, fail)
    lockstep = Lockstep()
    model = BatchedModel(engine_of(server), lockstep)
    node = RunnableLambda(lambda question: model.write([asking(question)], max_new_tokens=9))
    outcomes = lockstep.run(
        [lambda: node.invoke("one", {"callbacks": [Failing()]}), lambda: node.invoke("two")]
    )
    assert isinstance(outcomes[0].error, KeyError)
    assert outcomes[1].error is None
    assert outcomes[1].value[0]["text"].startswith("because of ")


def test_requests_that_wait_while_the_server_fails_are_not_sent(server, waits):
    engine = engine_of(server, concurrency=1)
    server.answer = lambda body: error(500)
    with pytest.raises(EnvironmentFailure):
        engine.write_all([asking(f"q{number}") for number in range(5)], 9, 0.0)
    assert len(server.bodies) == 1 + MAX_RETRIES + 1


def test_a_refused_prompt_costs_its_own_question_alone(server):
    engine = engine_of(server)

    def answer(body):
        if body["messages"][-1]["content"] == "too long":
            return error(400, "context length exceeded")
        return completion("fine")

    server.answer = answer
    outcomes = engine.write_all([asking("one"), asking("too long"), asking("two")], 9, 0.0)
    assert [outcome["text"] for outcome in (outcomes[0], outcomes[2])] == ["fine", "fine"]
    assert outcomes[1].status_code == 400


@pytest.mark.parametrize("text", ["", None])
def test_a_reply_without_text_is_an_empty_answer(server, text):
    engine = engine_of(server)
    server.answer = lambda body: completion(text, finish="length")
    [reply] = engine.write_all([asking()], 9, 0.0)
    assert reply["text"] == ""

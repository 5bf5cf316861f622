"""The cache of model calls: which batches it restores, which run again, and the cost of damage."""

import json
import math
import os
import random
import sqlite3
import stat
from collections.abc import Sequence
from types import SimpleNamespace

import pytest
from langchain_core.globals import set_llm_cache
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, Generation, GenerationChunk
from pydantic import BaseModel
from typing_extensions import TypedDict

from graph import open_llm_cache
from graph.models.batch_cache import BatchCache, cache_identity
from graph.models.budget import FittedPrompt
from graph.models.reply_cache import ReplyCache, _digest, _key, default_cache
from graph.schema import ModelSpec
from nodes.model import Likelihood, Reply, Verdict
from tests.fakes.fake_models import reply, verdict
from tests.fakes.irregular_files import make_folder, make_hard_link, make_link, make_pipe
from tests.fakes.weightless_models import weightless_model

SPEC = ModelSpec(model="some/model", revision="c0ffee")


def rows(*texts: str) -> list[FittedPrompt]:
    return [FittedPrompt(text, tokens=len(text), cut_tokens=1) for text in texts]


class CountingModel:
    """A model that replies with the number of its call."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def __call__(self, batch: Sequence[FittedPrompt]) -> list[Reply]:
        self.calls.append([row.text for row in batch])
        count = len(self.calls)
        return [reply(f"{row.text} {count}", prompt=row.text, seconds=2.0) for row in batch]


@pytest.fixture
def cache(tmp_path):
    return ReplyCache(tmp_path / "new folder" / "replies.sqlite")


def serve(cache, model, batch, settings=(), spec=SPEC, **changes):
    return BatchCache(cache).read_or_run(
        weightless_model(spec, **changes),
        {"max_new_tokens": 9, **dict(settings)},
        batch,
        lambda: model(batch),
        Reply,
    )


def test_a_batch_that_ran_before_does_not_run_again(cache):
    model = CountingModel()
    first = serve(cache, model, rows("a", "b"))
    again = serve(cache, model, rows("a", "b"))
    assert model.calls == [["a", "b"]]
    assert (
        [reply["text"] for reply in again] == [reply["text"] for reply in first] == ["a 1", "b 1"]
    )
    assert [reply["cached"] for reply in first] == [False, False]
    assert [reply["cached"] for reply in again] == [True, True]
    assert [reply["seconds"] for reply in again] == [0.0, 0.0]
    assert [reply["new_tokens"] for reply in again] == [reply["new_tokens"] for reply in first]


def test_cut_tokens_are_those_of_the_prompt_at_hand(cache):
    serve(cache, CountingModel(), [FittedPrompt("a", tokens=7, cut_tokens=0)])
    again = serve(cache, CountingModel(), [FittedPrompt("a", tokens=7, cut_tokens=99)])
    assert again[0]["cut_tokens"] == 99
    assert again[0]["prompt"] == "a"


@pytest.mark.parametrize("other", [rows("b", "a"), rows("a"), rows("a", "b", "c"), rows("ab")])
def test_another_batch_runs_since_the_batch_changes_the_reply(cache, other):
    model = CountingModel()
    serve(cache, model, rows("a", "b"))
    assert not any(reply["cached"] for reply in serve(cache, model, other))
    assert len(model.calls) == 2


def test_the_scored_text_is_part_of_the_key(cache):
    model = CountingModel()
    for text in ("yes", "no", "yes"):
        serve(cache, model, [FittedPrompt("a", 1, 0, continuation=text)])
    assert len(model.calls) == 2


@pytest.mark.parametrize(
    "settings", [{"max_new_tokens": 8}, {"temperature": 0.5}, {"seed": 1}, {"stop": ["x"]}]
)
def test_other_settings_are_another_call(cache, settings):
    model = CountingModel()
    serve(cache, model, rows("a"))
    serve(cache, model, rows("a"), settings)
    assert len(model.calls) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"spec": ModelSpec(model="another/model", revision="c0ffee")},
        {"spec": ModelSpec(model="some/model", revision="bead")},
        {"spec": ModelSpec(model="some/model", revision="c0ffee", chat_format="plain")},
        {"dtype": "torch.bfloat16"},
        {"device": SimpleNamespace(type="cuda")},
        {"config": SimpleNamespace(_commit_hash="beef")},
    ],
    ids=["model", "revision", "chat format", "dtype", "device", "commit"],
)
def test_another_model_is_another_call(cache, change):
    model = CountingModel()
    serve(cache, model, rows("a"))
    serve(cache, model, rows("a"), **change)
    assert len(model.calls) == 2


def test_a_local_model_is_identified_by_its_files(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"one")
    first = cache_identity(weightless_model(ModelSpec(model=str(tmp_path))))
    (tmp_path / "model.safetensors").write_bytes(b"two")
    second = cache_identity(weightless_model(ModelSpec(model=str(tmp_path))))
    assert first["files"] != second["files"]
    assert {**first, "files": ""} == {**second, "files": ""}


def test_a_batch_with_an_error_runs_again(cache):
    outcomes = [reply("a"), ValueError("does not occur again")]
    for _ in range(2):
        results = BatchCache(cache).read_or_run(
            weightless_model(SPEC), {}, rows("a", "b"), lambda: outcomes, Reply
        )
        assert results == outcomes
        assert results[0]["cached"] is False


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        (Verdict, verdict({"A": 0.25, "B": 0.75})),
        (Verdict, verdict(None, None)),
        (
            Likelihood,
            {
                "mean_logprob": -1.5,
                "scored_tokens": 3,
                "prompt": "a",
                "prompt_tokens": 1,
                "tokens_estimated": False,
                "cut_tokens": 1,
                "seconds": 1.0,
                "cached": False,
            },
        ),
    ],
)
def test_verdicts_and_likelihoods_come_back_as_they_were(cache, kind, outcome):
    def never():
        raise AssertionError("the batch runs again")

    BatchCache(cache).read_or_run(weightless_model(SPEC), {}, rows("a"), lambda: [outcome], kind)
    results = BatchCache(cache).read_or_run(weightless_model(SPEC), {}, rows("a"), never, kind)
    here = {"prompt": "a", "cut_tokens": 1, "seconds": 0.0, "cached": True}
    assert results == [{**outcome, **here}]


def test_without_a_cache_every_batch_runs():
    model = CountingModel()
    for _ in range(2):
        serve(None, model, rows("a"))
    assert len(model.calls) == 2


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "{",
        "[]",
        "[1]",
        '[["text"]]',
        '[["text", 1]]',
        '[["text", null]]',
        '[["text", {"text": "text"}]]',
        '[["text", {"text": 1, "new_tokens": 3, "halvings": 0}]]',
        '[["text", {"text": "t", "new_tokens": "3", "halvings": 0}]]',
        "[" * 100_000,
        "\x00",
    ],
)
def test_a_batch_with_a_damaged_row_runs_again_and_is_stored_again(cache, stored):
    model = CountingModel()
    serve(cache, model, rows("a"))
    with sqlite3.connect(cache._path) as connection:
        [(key,)] = connection.execute("SELECT key FROM calls").fetchall()
        digest = _digest(key, stored.encode())
        connection.execute("UPDATE calls SET reply = ?, digest = ?", (stored.encode(), digest))
    connection.close()
    assert serve(cache, model, rows("a"))[0]["text"] == "a 2"
    assert serve(cache, model, rows("a"))[0]["text"] == "a 2"
    assert len(model.calls) == 2
    assert cache.damaged == 1


def test_a_damaged_file_costs_the_cache_and_nothing_else(cache, caplog):
    cache._path.parent.mkdir()
    cache._path.write_bytes(b"no database at all" * 100)
    model = CountingModel()
    for _ in range(3):
        assert serve(cache, model, rows("a"))[0]["cached"] is False
    assert len(model.calls) == 3
    [warning] = [record.getMessage() for record in caplog.records]
    assert str(cache._path) in warning
    assert "remove the file" in warning


def test_a_folder_that_cannot_be_written_costs_the_cache_and_nothing_else(tmp_path, caplog):
    (tmp_path / "file").write_text("x")
    cache = ReplyCache(tmp_path / "file" / "replies.sqlite")
    assert serve(cache, CountingModel(), rows("a"))[0]["text"] == "a 1"
    assert len(caplog.records) == 1


def test_it_is_a_cache_of_langchain(cache):
    generations = [Generation(text="one", generation_info={"a": 1}), Generation(text="two")]
    assert cache.lookup("prompt", "model") is None
    cache.update("prompt", "model", generations)
    assert cache.lookup("prompt", "model") == generations
    assert cache.lookup("model", "prompt") is None
    cache.clear()
    assert cache.lookup("prompt", "model") is None


def test_a_reply_of_a_chat_model_keeps_its_message(cache):
    message = AIMessage(
        content=[{"type": "text", "text": "é"}],
        tool_calls=[{"name": "search", "args": {"query": "x"}, "id": "1"}],
        usage_metadata={"input_tokens": 3, "output_tokens": 2, "total_tokens": 5},
        response_metadata={"model_name": "m"},
    )
    generations = [
        ChatGeneration(message=message, generation_info={"finish_reason": "stop"}),
        ChatGeneration(message=AIMessage(content="two")),
    ]
    cache.update("prompt", "model", generations)
    assert cache.lookup("prompt", "model") == generations
    assert cache.damaged == 0


def test_a_stored_message_of_an_unknown_class_is_damaged(cache):
    cache.update("prompt", "model", [ChatGeneration(message=AIMessage(content="one"))])
    key = _key("prompt", "model")
    for message in ({"type": "os.system", "data": {"content": "x"}}, {"type": "ai"}, {}, []):
        reply = json.dumps([["one", None, message]]).encode()
        with sqlite3.connect(cache._path) as connection:
            row = (reply, _digest(key, reply), key)
            connection.execute("UPDATE calls SET reply = ?, digest = ? WHERE key = ?", row)
        connection.close()
        assert cache.lookup("prompt", "model") is None
    assert cache.damaged == 4


class Detail(BaseModel):
    """An object that a message's dictionary holds as another dictionary."""

    name: str = "x"


@pytest.mark.parametrize(
    "value",
    [object(), b"bytes", {1: 2}, (1, 2), {"deep": [(1,)]}, Detail()],
    ids=["object", "bytes", "key", "tuple", "deep", "model"],
)
def test_a_reply_that_json_cannot_hold_as_it_is_is_not_stored(cache, value):
    message = AIMessage(content="one", additional_kwargs={"a": value})
    for generation in (
        Generation(text="one", generation_info={"a": value}),
        ChatGeneration(message=message),
    ):
        cache.update("prompt", "model", [generation])
        assert cache.lookup("prompt", "model") is None
    assert cache.damaged == 0


def test_a_part_of_a_streamed_reply_comes_back(cache):
    cache.update("prompt", "model", [GenerationChunk(text="one", generation_info={"a": 1})])
    assert cache.lookup("prompt", "model") == [Generation(text="one", generation_info={"a": 1})]


def test_langchain_models_use_the_cache_that_is_set(tmp_path):
    replies = iter([AIMessage(content="first"), AIMessage(content="second")])
    model = GenericFakeChatModel(messages=replies)
    set_llm_cache(open_llm_cache(tmp_path / "cache.sqlite"))
    try:
        assert [model.invoke("why?").content for _ in range(2)] == ["first", "first"]
        assert model.invoke("how?").content == "second"
    finally:
        set_llm_cache(None)
    assert (tmp_path / "cache.sqlite").is_file()


def test_the_file_holds_plain_json_and_no_prompt(cache):
    serve(cache, CountingModel(), rows("a secret question"))
    with sqlite3.connect(cache._path) as connection:
        [(key, stored)] = connection.execute("SELECT key, reply FROM calls").fetchall()
    connection.close()
    text, info = json.loads(stored)[0]
    assert text == "a secret question 1"
    counts = {"prompt_tokens", "new_tokens", "tokens_estimated"}
    assert set(info) == {"text", "halvings"} | counts
    assert len(key) == 64


def test_the_default_file_is_in_the_cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENCODER_CACHE", str(tmp_path / "cache"))
    default = default_cache()
    assert not (tmp_path / "cache").exists()
    default.update("prompt", "model", [Generation(text="x")])
    assert (tmp_path / "cache" / "replies.sqlite").exists()


# Damage


def fill(cache, count):
    model = CountingModel()
    batches = [rows(f"a {number}", f"b {number}") for number in range(count)]
    return batches, [serve(cache, model, batch) for batch in batches]


def without_cost(results):
    cost = ("seconds", "cached", "prompt_tokens", "cut_tokens")
    return [{k: v for k, v in result.items() if k not in cost} for result in results]


def test_no_flipped_bit_serves_another_reply(cache, tmp_path):
    batches, first = fill(cache, 6)
    content = cache._path.read_bytes()
    dice = random.Random(2)
    ran = 0
    for number in range(80):
        damaged = bytearray(content)
        damaged[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
        path = tmp_path / f"{number}.sqlite"
        path.write_bytes(damaged)
        opened = ReplyCache(path)
        for batch, replies in zip(batches, first, strict=True):
            again = serve(opened, lambda rows, replies=replies: replies, batch)
            assert without_cost(again) == without_cost(replies)
            ran += not again[0]["cached"]
        path.unlink()
    assert ran > 10


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """Return the bytes of a cache of some pages, its batches and their replies."""
    path = tmp_path_factory.mktemp("filled") / "replies.sqlite"
    batches, first = fill(ReplyCache(path), 40)
    return path.read_bytes(), batches, first


@pytest.mark.parametrize("page", [0, 1, 2, 3, -1])
@pytest.mark.parametrize("byte", [0x00, 0xFF, 0x55])
def test_a_damaged_page_is_asked_again_and_the_rest_is_served(filled, tmp_path, page, byte):
    content, batches, first = filled
    start = page * 4096 % len(content)
    path = tmp_path / "replies.sqlite"
    path.write_bytes(content[:start] + bytes([byte]) * 4096 + content[start + 4096 :])
    opened = ReplyCache(path)
    for batch, replies in zip(batches, first, strict=True):
        again = serve(opened, lambda rows, replies=replies: replies, batch)
        assert without_cost(again) == without_cost(replies)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE calls SET digest = zeroblob(32)",
        "UPDATE calls SET digest = ''",
        "UPDATE calls SET reply = replace(CAST(reply AS TEXT), 'a 1', 'b 1')",
        "UPDATE calls SET reply = 7",
        "UPDATE calls SET reply = x'ff00ff'",
    ],
)
def test_a_row_whose_digest_is_not_its_own_runs_again(cache, change):
    model = CountingModel()
    serve(cache, model, rows("a"))
    with sqlite3.connect(cache._path) as connection:
        connection.execute(change)
    connection.close()
    assert serve(cache, model, rows("a"))[0]["text"] == "a 2"
    assert cache.damaged == 1


def test_a_row_of_another_key_runs_again(cache):
    model = CountingModel()
    serve(cache, model, rows("a"))
    serve(cache, model, rows("b"))
    with sqlite3.connect(cache._path) as connection:
        (one, *_), (other, *_) = connection.execute("SELECT * FROM calls").fetchall()
        for old, new in ((one, "x"), (other, one), ("x", other)):
            connection.execute("UPDATE calls SET key = ? WHERE key = ?", (new, old))
    connection.close()
    assert serve(cache, model, rows("a"))[0]["text"] == "a 3"
    assert cache.damaged == 1


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        *((Reply, {"new_tokens": value}) for value in (-1, 1.0, True, None)),
        *((Reply, {"halvings": value}) for value in (-1, "0")),
        *((Verdict, {"mass": value}) for value in (-0.1, 1.1, math.inf, math.nan, "1")),
        *(
            (Verdict, {"probabilities": value})
            for value in (
                {"A": 1.25, "B": -0.25},
                {"A": 0.25, "B": 0.7},
                {"A": math.nan, "B": 0.75},
                {"A": 1, "B": "0"},
                {"B": 0.75, "A": 0.25},
                {"A": 0.25, "C": 0.75},
                {},
            )
        ),
        *((Verdict, {"choice": value}) for value in ("C", None, 1)),
        *((Likelihood, {"mean_logprob": v}) for v in (0.1, math.nan, -math.inf, "-1")),
        *((Likelihood, {"scored_tokens": value}) for value in (-1, 2.5)),
    ],
)
def test_a_result_that_no_model_gives_runs_again(cache, kind, changes):
    results = {
        Reply: reply("a"),
        Verdict: verdict({"A": 0.25, "B": 0.75}),
        Likelihood: {**reply("a"), "mean_logprob": -1.5, "scored_tokens": 3},
    }
    ran = []

    def run():
        ran.append(kind)
        # The first call stores what no model gives.
        return [{**results[kind], **changes} if len(ran) == 1 else results[kind]]

    settings = {"options": ["A", "B"]} if kind is Verdict else {}
    for _ in range(3):
        BatchCache(cache).read_or_run(weightless_model(SPEC), settings, rows("a"), run, kind)
    assert len(ran) == 2
    assert cache.damaged == 1


def test_damaged_batches_are_counted_in_one_warning(cache, caplog):
    batches, first = fill(cache, 3)
    with sqlite3.connect(cache._path) as connection:
        connection.execute("UPDATE calls SET digest = zeroblob(32)")
    connection.close()
    cache.log_damaged()
    for batch, replies in zip(batches, first, strict=True):
        serve(cache, lambda rows, replies=replies: replies, batch)
    cache.log_damaged()
    assert caplog.messages == [
        f"{cache._path}: 3 stored batches of model calls were damaged: they were run again"
    ]


def test_a_table_of_an_earlier_version_stays_and_its_rows_are_not_read(cache):
    cache._path.parent.mkdir()
    with sqlite3.connect(cache._path) as connection:
        connection.execute("CREATE TABLE replies (key TEXT PRIMARY KEY, reply TEXT) WITHOUT ROWID")
        connection.execute("INSERT INTO replies VALUES ('k', 'r')")
    connection.close()
    assert serve(cache, CountingModel(), rows("a"))[0]["text"] == "a 1"
    with sqlite3.connect(cache._path) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
    connection.close()
    assert sorted(tables) == [("calls",), ("replies",)]


def test_results_with_other_fields_are_another_call_and_not_damaged(cache):
    class OlderReply(TypedDict):
        text: str
        prompt: str

    def run_as(kind, outcome):
        ran = []
        BatchCache(cache).read_or_run(
            weightless_model(SPEC), {}, rows("a"), lambda: ran.append(kind) or [outcome], kind
        )
        return ran

    assert run_as(OlderReply, {"text": "a", "prompt": "a"}) == [OlderReply]
    assert run_as(Reply, reply("a")) == [Reply]
    assert run_as(Reply, reply("a")) == []
    assert cache.damaged == 0


def test_the_table_is_created_once_and_again_after_the_file_was_removed(cache, monkeypatch):
    statements = []
    connect = sqlite3.connect

    def traced(*arguments, **options):
        connection = connect(*arguments, **options)
        connection.set_trace_callback(statements.append)
        return connection

    monkeypatch.setattr(sqlite3, "connect", traced)
    model = CountingModel()

    def created():
        return sum("CREATE TABLE" in statement for statement in statements)

    for _ in range(3):
        serve(cache, model, rows("a"))
    assert (len(model.calls), created()) == (1, 1)
    cache._path.unlink()
    for _ in range(2):
        serve(cache, model, rows("a"))
    assert (len(model.calls), created()) == (2, 2)
    assert not any("DROP" in statement for statement in statements)


# Who can read it, and what stands in its place


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_only_its_owner_can_read_the_cache(tmp_path, monkeypatch, umask):
    monkeypatch.setenv("OPENCODER_CACHE", str(tmp_path / "cache"))
    old = os.umask(umask)
    try:
        serve(default_cache(), CountingModel(), rows("a"))
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "cache").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "cache" / "replies.sqlite").stat().st_mode) == 0o600


def test_a_file_of_an_earlier_version_becomes_private(cache):
    fill(cache, 1)
    cache._path.chmod(0o644)
    fill(ReplyCache(cache._path), 1)
    assert stat.S_IMODE(cache._path.stat().st_mode) == 0o600


@pytest.mark.parametrize("change", [make_link, make_hard_link, make_pipe, make_folder])
def test_what_is_no_file_of_its_own_is_not_written_to(cache, tmp_path, caplog, change):
    victim = tmp_path / "victim"
    victim.write_bytes(b"")
    cache._path.parent.mkdir()
    change(cache._path, victim)
    model = CountingModel()
    for _ in range(2):
        assert serve(cache, model, rows("a"))[0]["cached"] is False
    assert victim.read_bytes() == b""
    [message] = caplog.messages
    assert "model calls are no longer cached" in message

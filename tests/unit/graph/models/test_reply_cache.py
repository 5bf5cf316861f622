"""The cache of model calls: which batches it restores, which run again, and the cost of damage."""

import json
import sqlite3
from collections.abc import Sequence
from types import SimpleNamespace

import pytest
from langchain_core.outputs import Generation

from graph.models.batch_cache import BatchCache, cache_identity
from graph.models.budget import FittedPrompt
from graph.models.reply_cache import ReplyCache, default_cache
from graph.schema import ModelSpec
from nodes.model import Likelihood, Reply, Verdict
from tests.fakes.fake_models import reply, verdict

SPEC = ModelSpec(model="some/model", revision="c0ffee")


def loaded(spec: ModelSpec = SPEC, **changes):
    model = {
        "config": SimpleNamespace(_commit_hash=None),
        "dtype": "torch.float32",
        "device": SimpleNamespace(type="cpu"),
    }
    return SimpleNamespace(spec=spec, model=SimpleNamespace(**{**model, **changes}))


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
        loaded(spec, **changes),
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
    first = cache_identity(loaded(ModelSpec(model=str(tmp_path))))
    (tmp_path / "model.safetensors").write_bytes(b"two")
    second = cache_identity(loaded(ModelSpec(model=str(tmp_path))))
    assert first["files"] != second["files"]
    assert {**first, "files": ""} == {**second, "files": ""}


def test_a_batch_with_an_error_runs_again(cache):
    outcomes = [reply("a"), ValueError("does not occur again")]
    for _ in range(2):
        results = BatchCache(cache).read_or_run(
            loaded(), {}, rows("a", "b"), lambda: outcomes, Reply
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

    BatchCache(cache).read_or_run(loaded(), {}, rows("a"), lambda: [outcome], kind)
    results = BatchCache(cache).read_or_run(loaded(), {}, rows("a"), never, kind)
    here = {"prompt": "a", "prompt_tokens": 1, "cut_tokens": 1, "seconds": 0.0, "cached": True}
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
        connection.execute("UPDATE replies SET reply = ?", (stored,))
    connection.close()
    assert serve(cache, model, rows("a"))[0]["text"] == "a 2"
    assert serve(cache, model, rows("a"))[0]["text"] == "a 2"
    assert len(model.calls) == 2


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


def test_the_file_holds_plain_json_and_no_prompt(cache):
    serve(cache, CountingModel(), rows("a secret question"))
    with sqlite3.connect(cache._path) as connection:
        [(key, stored)] = connection.execute("SELECT key, reply FROM replies").fetchall()
    connection.close()
    text, info = json.loads(stored)[0]
    assert text == "a secret question 1"
    assert set(info) == {"text", "new_tokens", "tokens_estimated", "halvings"}
    assert len(key) == 64


def test_the_default_file_is_in_the_cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENCODER_CACHE", str(tmp_path / "cache"))
    default = default_cache()
    assert not (tmp_path / "cache").exists()
    default.update("prompt", "model", [Generation(text="x")])
    assert (tmp_path / "cache" / "replies.sqlite").exists()

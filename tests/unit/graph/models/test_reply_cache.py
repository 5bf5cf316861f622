"""Model calls that were made before: what is found, what is asked again, and what damage costs."""

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


class Asked:
    """Counts how often a model is asked, and replies with the number of the call."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def __call__(self, batch: Sequence[FittedPrompt]) -> list[Reply]:
        self.calls.append([row.text for row in batch])
        count = len(self.calls)
        return [reply(f"{row.text} {count}", prompt=row.text, seconds=2.0) for row in batch]


@pytest.fixture
def cache(tmp_path):
    return ReplyCache(tmp_path / "new folder" / "replies.sqlite")


def serve(recall, model, batch, asked=None, spec=SPEC, **changes):
    settings = {"max_new_tokens": 9, **(asked or {})}
    return recall.batch(loaded(spec, **changes), settings, batch, lambda: model(batch), Reply)


def test_a_batch_that_was_asked_before_is_not_asked_again(cache):
    model = Asked()
    first = serve(BatchCache(cache), model, rows("a", "b"))
    again = serve(BatchCache(cache), model, rows("a", "b"))
    assert model.calls == [["a", "b"]]
    assert [each["text"] for each in again] == [each["text"] for each in first] == ["a 1", "b 1"]
    assert [each["cached"] for each in first] == [False, False]
    assert [each["cached"] for each in again] == [True, True]
    assert [each["seconds"] for each in again] == [0.0, 0.0]
    assert [each["new_tokens"] for each in again] == [each["new_tokens"] for each in first]


def test_what_a_prompt_cost_is_that_of_this_prompt(cache):
    serve(BatchCache(cache), Asked(), [FittedPrompt("a", tokens=7, cut_tokens=0)])
    again = serve(BatchCache(cache), Asked(), [FittedPrompt("a", tokens=7, cut_tokens=99)])
    assert again[0]["cut_tokens"] == 99
    assert again[0]["prompt"] == "a"


@pytest.mark.parametrize("other", [rows("b", "a"), rows("a"), rows("a", "b", "c"), rows("ab")])
def test_another_batch_is_asked_since_the_batch_changes_the_reply(cache, other):
    model = Asked()
    serve(BatchCache(cache), model, rows("a", "b"))
    assert not any(each["cached"] for each in serve(BatchCache(cache), model, other))
    assert len(model.calls) == 2


def test_a_text_that_is_scored_is_part_of_what_was_asked(cache):
    model = Asked()
    for text in ("yes", "no", "yes"):
        serve(BatchCache(cache), model, [FittedPrompt("a", 1, 0, continuation=text)])
    assert len(model.calls) == 2


@pytest.mark.parametrize(
    "asked", [{"max_new_tokens": 8}, {"temperature": 0.5}, {"seed": 1}, {"stop": ["x"]}]
)
def test_other_settings_are_another_call(cache, asked):
    model = Asked()
    serve(BatchCache(cache), model, rows("a"))
    serve(BatchCache(cache), model, rows("a"), asked)
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
    model = Asked()
    serve(BatchCache(cache), model, rows("a"))
    serve(BatchCache(cache), model, rows("a"), **change)
    assert len(model.calls) == 2


def test_a_local_model_is_known_by_its_files(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"one")
    first = cache_identity(loaded(ModelSpec(model=str(tmp_path))))
    (tmp_path / "model.safetensors").write_bytes(b"two")
    second = cache_identity(loaded(ModelSpec(model=str(tmp_path))))
    assert first["files"] != second["files"]
    assert {**first, "files": ""} == {**second, "files": ""}


def test_a_batch_with_an_error_is_asked_again(cache):
    outcomes = [reply("a"), ValueError("of the moment")]
    for _ in range(2):
        found = BatchCache(cache).batch(loaded(), {}, rows("a", "b"), lambda: outcomes, Reply)
        assert found == outcomes
        assert found[0]["cached"] is False


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
                "cut_tokens": 1,
                "seconds": 1.0,
                "cached": False,
            },
        ),
    ],
)
def test_verdicts_and_likelihoods_come_back_as_they_were(cache, kind, outcome):
    def never():
        raise AssertionError("asked again")

    BatchCache(cache).batch(loaded(), {}, rows("a"), lambda: [outcome], kind)
    found = BatchCache(cache).batch(loaded(), {}, rows("a"), never, kind)
    here = {"prompt": "a", "prompt_tokens": 1, "cut_tokens": 1, "seconds": 0.0, "cached": True}
    assert found == [{**outcome, **here}]


def test_without_a_cache_every_call_is_made():
    model = Asked()
    for _ in range(2):
        serve(BatchCache(None), model, rows("a"))
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
def test_a_damaged_row_is_asked_again_and_written_anew(cache, stored):
    model = Asked()
    serve(BatchCache(cache), model, rows("a"))
    with sqlite3.connect(cache._path) as opened:
        opened.execute("UPDATE replies SET reply = ?", (stored,))
    opened.close()
    assert serve(BatchCache(cache), model, rows("a"))[0]["text"] == "a 2"
    assert serve(BatchCache(cache), model, rows("a"))[0]["text"] == "a 2"
    assert len(model.calls) == 2


def test_a_damaged_file_costs_the_cache_and_nothing_else(cache, caplog):
    cache._path.parent.mkdir()
    cache._path.write_bytes(b"no database at all" * 100)
    model = Asked()
    recall = BatchCache(cache)
    for _ in range(3):
        assert serve(recall, model, rows("a"))[0]["cached"] is False
    assert len(model.calls) == 3
    said = [each.getMessage() for each in caplog.records]
    assert len(said) == 1
    assert str(cache._path) in said[0]
    assert "remove the file" in said[0]


def test_a_folder_that_cannot_be_written_costs_the_cache_and_nothing_else(tmp_path, caplog):
    (tmp_path / "file").write_text("x")
    cache = ReplyCache(tmp_path / "file" / "replies.sqlite")
    assert serve(BatchCache(cache), Asked(), rows("a"))[0]["text"] == "a 1"
    assert len(caplog.records) == 1


def test_it_is_a_cache_of_langchain(cache):
    kept = [Generation(text="one", generation_info={"a": 1}), Generation(text="two")]
    assert cache.lookup("prompt", "model") is None
    cache.update("prompt", "model", kept)
    assert cache.lookup("prompt", "model") == kept
    assert cache.lookup("model", "prompt") is None
    cache.clear()
    assert cache.lookup("prompt", "model") is None


def test_the_file_holds_plain_json_and_no_prompt(cache):
    serve(BatchCache(cache), Asked(), rows("a secret question"))
    with sqlite3.connect(cache._path) as opened:
        found = opened.execute("SELECT key, reply FROM replies").fetchall()
    opened.close()
    assert len(found) == 1
    text, info = json.loads(found[0][1])[0]
    assert text == "a secret question 1"
    assert set(info) == {"text", "new_tokens", "halvings"}
    assert len(found[0][0]) == 64


def test_the_default_file_is_in_the_cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENCODER_CACHE", str(tmp_path / "cache"))
    made = default_cache()
    assert not (tmp_path / "cache").exists()
    made.update("prompt", "model", [Generation(text="x")])
    assert (tmp_path / "cache" / "replies.sqlite").exists()

"""The engine openvino with the embedded model: the texts and probabilities of transformers, repeated."""

import json
from dataclasses import replace
from importlib.util import find_spec
from threading import Event

import pytest
from langchain_core.prompts import PromptTemplate

from graph.config import load_profile
from graph.models.engines.huggingface_engine import HuggingFaceEngine
from graph.models.machine_defaults import resolve_engine
from graph.models.traced_calls import TracedCall, TracedPrompt
from graph.support.errors import ConfigError
from graph.support.stopping import Stopped, stopped_by
from nodes.model import Continuation, Prompt

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        not find_spec("openvino_genai"), reason="there are no wheels of OpenVINO for this machine"
    ),
]
TEMPLATE = PromptTemplate.from_template("{question}")
QUESTIONS = (
    "How do I reverse a list in Python? Give one line of code.",
    "Why does my loop end early?",
    "Is Python a programming language? Reply A for yes or B for no.",
)


def asking(*questions):
    return [Prompt(TEMPLATE, whole={"question": question}) for question in questions]


PROMPTS = asking(*QUESTIONS)


@pytest.fixture(scope="module")
def open_engine():
    """Open engines of the embedded model; the converted files are those of the default cache."""
    from graph.models.engines.openvino_engine import OpenVINOEngine

    def open_one(seed=0, **changes):
        spec = load_profile("embedded").generator
        return OpenVINOEngine(
            spec.model_copy(update={"engine": "openvino", **changes}), batch_size=8, seed=seed
        )

    return open_one


@pytest.fixture(scope="module")
def engine(open_engine):
    return open_engine()


@pytest.fixture(scope="module")
def torch_engine():
    spec = load_profile("embedded").generator.model_copy(
        update={"engine": "huggingface", "dtype": "float32"}
    )
    return HuggingFaceEngine(spec, batch_size=8)


def texts(replies):
    return [reply["text"] for reply in replies]


def test_it_runs_the_embedded_profile_on_this_processor():
    assert resolve_engine(load_profile("embedded").generator) == "openvino"


def test_greedy_texts_and_counts_are_those_of_transformers(engine, torch_engine):
    replies, others = (e.write_all(PROMPTS, 24, 0.0) for e in (engine, torch_engine))
    for reply, other in zip(replies, others, strict=True):
        for field in ("text", "prompt", "prompt_tokens", "new_tokens"):
            assert reply[field] == other[field], field


@pytest.mark.parametrize(
    "options", [("A", "B"), ("0", "1", "2", "3", "4"), ("Yes it is", "No way")]
)
def test_probabilities_of_options_are_those_of_transformers(engine, torch_engine, options):
    verdicts, others = (e.choose_all(PROMPTS, options) for e in (engine, torch_engine))
    for verdict, other in zip(verdicts, others, strict=True):
        assert verdict["probabilities"] == pytest.approx(other["probabilities"], abs=0.01)
        assert verdict["mass"] == pytest.approx(other["mass"], rel=0.05)


def test_likelihoods_are_those_of_transformers(engine, torch_engine):
    continuations = [
        Continuation(PROMPTS[0], "Use reversed(x) or x[::-1]."),
        # Longer than the part that is scored, and than what is computed at once.
        Continuation(PROMPTS[1], "A return inside the loop ends it. " * 60),
        Continuation(PROMPTS[2], ""),
    ]
    rows, others = (e.score_all(continuations) for e in (engine, torch_engine))
    for row, other in zip(rows, others, strict=True):
        assert row["scored_tokens"] == other["scored_tokens"]
        expected = other["mean_logprob"]
        assert row["mean_logprob"] == (expected and pytest.approx(expected, rel=0.01))


def test_sampled_texts_follow_from_the_seed_alone(engine, open_engine):
    prompts = [PROMPTS[0], PROMPTS[0], PROMPTS[1]]
    drafts = texts(engine.write_all(prompts, 16, 0.9))
    assert drafts[0] != drafts[1]
    assert texts(engine.write_all(prompts, 16, 0.9)) == drafts
    # Nothing is in the prefix cache of another engine.
    assert texts(open_engine().write_all(prompts, 16, 0.9)) == drafts
    assert texts(open_engine(seed=1).write_all(prompts, 16, 0.9)) != drafts


def test_a_greedy_text_does_not_depend_on_its_batch(engine):
    whole = texts(engine.write_all(PROMPTS, 16, 0.0))
    assert texts(engine.write_all(PROMPTS[::-1], 16, 0.0)) == whole[::-1]
    assert [texts(engine.write_all([prompt], 16, 0.0))[0] for prompt in PROMPTS] == whole


def test_probabilities_do_not_depend_on_what_was_read_before(engine, open_engine):
    one, other = engine.loaded, open_engine().loaded
    options = [(text, one.encode(text)[-1]) for text in ("A", "B")]
    # One engine has read the start of each prompt before: the rest is 17 to 145 tokens.
    for known in (160, 288):
        text = " ".join(f"Item {number} of list {known}." for number in range(99))
        prompt = one.encode(text)[:305]
        one.next_token_logprobs([prompt[: known + 1]], options)
        first = one.next_token_logprobs([prompt], options)
        assert other.next_token_logprobs([prompt], options) == first
        assert one.next_token_logprobs([prompt], options) == first


def test_an_option_that_is_written_by_other_tokens_is_scored_by_the_graph(engine, monkeypatch):
    expected = engine.choose_all(PROMPTS[:1], ("A", "B"))[0]
    other_text = engine.loaded.tokenizer.decode
    monkeypatch.setattr(
        type(engine.loaded.tokenizer), "decode", lambda _, tokens: other_text(tokens) + " it is"
    )
    assert engine.loaded.next_token_logprobs([[1, 2, 3]], [("no token", 5)]) is None
    verdict = engine.choose_all(PROMPTS[:1], ("A", "B"))[0]
    assert verdict["probabilities"] == pytest.approx(expected["probabilities"], abs=0.001)


def test_a_text_ends_before_its_first_stop_string(engine, open_engine):
    (whole,) = texts(engine.write_all(PROMPTS[:1], 24, 0.0))
    stop = whole.split()[4]
    (reply,) = open_engine(stop=(stop, "never written")).write_all(PROMPTS[:1], 24, 0.0)
    assert reply["text"] == whole[: whole.index(stop)]
    assert reply["new_tokens"] < 24


class Watched:
    """A call whose tokens are read."""

    shows_tokens = True

    def __init__(self, on_text):
        self.show = on_text

    def start(self, text, *, cached=False):
        pass

    def end(self, outcome):
        return outcome


def watch(engine, monkeypatch, on_text):
    """Let all further prompts of an engine be watched."""
    real = engine.fitter.fit_all

    def fit_all(*arguments):
        return [replace(row, call=Watched(on_text)) for row in real(*arguments)]

    monkeypatch.setattr(engine.fitter, "fit_all", fit_all)


def test_tokens_are_handed_on_as_they_come(engine, monkeypatch):
    parts = []
    watch(engine, monkeypatch, parts.append)
    (reply,) = engine.write_all(PROMPTS[:1], 16, 0.0)
    assert len(parts) == reply["new_tokens"]
    assert parts[-1] == reply["text"]
    assert all(reply["text"].startswith(part) for part in parts)


def test_an_interrupted_call_leaves_nothing_behind(engine, monkeypatch):
    whole = texts(engine.write_all(PROMPTS, 16, 0.0))

    def interrupt(text):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        watch(engine, patch, interrupt)
        with pytest.raises(KeyboardInterrupt):
            engine.write_all(PROMPTS, 16, 0.0)
    assert texts(engine.write_all(PROMPTS, 16, 0.0)) == whole


def test_a_prompt_longer_than_one_step_is_read(engine):
    (reply,) = engine.write_all(asking("word " * 1500), 8, 0.0)
    assert reply["prompt_tokens"] > 1024
    assert reply["new_tokens"] > 0


def test_a_reply_ends_at_the_tokens_of_the_generation_config(engine, open_engine, tmp_path):
    (whole,) = engine.write_all(PROMPTS[:1], 24, 0.0)
    end = engine.loaded.encode(whole["text"])[4]
    folder = link_files(engine.loaded.folder, tmp_path)
    (folder / "generation_config.json").unlink(missing_ok=True)
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [2, end]}))
    (reply,) = open_engine(model=str(folder), weights="hub").write_all(PROMPTS[:1], 24, 0.0)
    assert reply["new_tokens"] == engine.loaded.encode(whole["text"]).index(end) + 1
    assert whole["text"].startswith(reply["text"])


def link_files(source, folder):
    """Return a folder with links to the files of another one."""
    for file in source.iterdir():
        (folder / file.name).symlink_to(file)
    return folder


def test_the_commit_of_a_hub_s_model_is_the_name_of_its_folder(engine, tmp_path):
    folder = tmp_path / "models--a--b" / "snapshots" / "c0ffee"
    hub_model = replace(engine.loaded, folder=folder)
    assert hub_model.commit == hub_model.identity["commit"] == "c0ffee"
    assert engine.loaded.commit is None


def test_a_folder_of_another_format_is_one_line(open_engine, tmp_path):
    with pytest.raises(ConfigError, match="is not in OpenVINO's format") as caught:
        _ = open_engine(model=str(tmp_path), weights="hub").loaded
    assert "\n" not in str(caught.value)


def test_a_damaged_graph_is_one_line(open_engine, engine, tmp_path):
    for file in engine.loaded.folder.iterdir():
        if file.suffix in (".json", ".jinja"):
            (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "openvino_model.xml").write_text("<net", encoding="utf-8")
    with pytest.raises(ConfigError, match="OpenVINO cannot run the model") as caught:
        _ = open_engine(model=str(tmp_path), weights="hub").loaded
    assert "\n" not in str(caught.value)


class StoppingCall(TracedCall):
    """Sets a signal at the first token that it is shown."""

    shows_tokens = True

    def __init__(self, signal):
        super().__init__()
        self.signal, self.texts = signal, []

    def show(self, text):
        self.texts.append(text)
        self.signal.set()


@pytest.mark.parametrize("name", ["engine", "torch_engine"])
def test_a_call_that_is_stopped_ends_at_its_next_token_and_the_engine_goes_on(name, request):
    engine = request.getfixturevalue(name)
    before = [reply["text"] for reply in engine.write_all(PROMPTS, 8, 0.0)]
    call = StoppingCall(Event())
    with stopped_by(call.signal), pytest.raises(Stopped):
        engine.write_all([TracedPrompt(**vars(PROMPTS[1]), call=call)], 400, 0.0)
    assert 1 <= len(call.texts) <= 2
    # No further prompt is read, and no option is compared.
    for work in (
        lambda: engine.write_all(PROMPTS, 8, 0.0),
        lambda: engine.choose_all(PROMPTS, ["A", "B"]),
        lambda: engine.score_all([Continuation(PROMPTS[0], "text")]),
    ):
        with stopped_by(call.signal), pytest.raises(Stopped):
            work()
    assert [reply["text"] for reply in engine.write_all(PROMPTS, 8, 0.0)] == before

"""Configs, profiles and overrides: complete, strict, and clear about what is wrong."""

import math
import os
from importlib.resources import files
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from graph import config as configs
from graph.config import (
    config_names,
    load_config,
    load_profile,
    load_settings,
    profile_names,
    resolve_profile_name,
)
from graph.schema import (
    IN_PROCESS,
    SERVER_FIELDS,
    WEIGHT_FIELDS,
    Config,
    EmbedderSpec,
    Generation,
    ModelSpec,
    Profile,
    Refine,
    Rerank,
    Retrieval,
)
from graph.support.errors import ConfigError
from graph.support.old_specs import upgrade_spec
from tests.fakes.properties import examples

ENGINE_NAMES = "'auto', 'huggingface', 'openvino', 'openai' or 'langchain'"
NAMES = [
    "baseline",
    "extract",
    "hybrid_adapt",
    "hybrid_pick",
    "keyword_pick",
    "oracle",
    "semantic_pick",
    "shuffled",
    *(
        f"{kind}{cot}{rerank}"
        for kind in ("hybrid", "keyword", "semantic")
        for cot in ("", "_cot")
        for rerank in ("", "_rerank_initial", "_rerank_refined")
    ),
]


def yaml_of(folder: str, name: str) -> object:
    text = files("graph").joinpath(folder).joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text)


def unstated(model: BaseModel, stated: dict, path: str = "") -> list[str]:
    """Return the fields that a file leaves to a default."""
    missing = []
    of_other_engines = ()
    if isinstance(model, ModelSpec):
        in_process = model.engine in IN_PROCESS
        of_other_engines = SERVER_FIELDS if in_process else WEIGHT_FIELDS
    for name in type(model).model_fields.keys() - of_other_engines:
        value = getattr(model, name)
        if name not in stated:
            missing.append(path + name)
        elif isinstance(value, BaseModel):
            missing += unstated(value, stated[name], f"{path}{name}.")
    return missing


def test_the_package_holds_every_config_and_lists_baseline_first():
    assert len(NAMES) == 26
    assert config_names()[0] == "baseline"
    assert sorted(config_names()) == sorted(NAMES)
    assert config_names()[1:] == sorted(config_names()[1:])


def test_the_names_of_profiles():
    assert profile_names() == ["auto", "embedded", "gpu", "server"]


@pytest.mark.parametrize("name", NAMES)
def test_each_config_file_states_only_what_differs_from_the_defaults(name):
    defaults = Config().model_dump(mode="json")
    stated = yaml_of("configs", name) or {}
    repeated = [
        f"{section}.{field}"
        for section, fields in stated.items()
        for field, value in fields.items()
        if value == defaults[section][field]
    ]
    assert repeated == []


@pytest.mark.parametrize("name", ["embedded", "gpu", "server"])
def test_each_profile_file_states_every_field(name):
    assert unstated(load_profile(name), yaml_of("profiles", name)) == []


@pytest.mark.parametrize("name", [n for n in NAMES if not n.endswith(("_pick", "_adapt"))])
def test_each_config_switches_on_the_stages_of_its_name_and_no_others(name):
    kind = {"baseline": "none", "extract": "semantic"}.get(name, name.split("_")[0])
    method = "extract" if name == "extract" else "model"
    every = {"vectors": ("question", "title", "answer")} if kind == "hybrid" else {}
    assert load_config(name) == Config(
        retrieval=Retrieval(kind=kind, **every),
        generation=Generation(method=method, cot="_cot" in name),
        rerank=Rerank(initial=name.endswith("_initial"), refined=name.endswith("_refined")),
    )


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["retrieval.kind=none"], "generation.method extract needs passages"),
        (["generation.cot=true"], "generation.method extract calls no model"),
        (["rerank.initial=true"], "set rerank.method to learned or consensus"),
        (["rerank.initial=true", "rerank.method=learned"], "extract has one answer"),
        (
            ["rerank.initial=true", "rerank.method=learned", "rerank.candidates=[baseline]"],
            "generation.method extract calls no model",
        ),
        (["rerank.refined=true"], "generation.method extract calls no model"),
        (["retrieval.kind=oracle", "retrieval.diversity=0.5"], "diversity compares vectors"),
    ],
)
def test_a_config_that_calls_no_model_refuses_stages_that_do(overrides, message):
    with pytest.raises(ConfigError, match=message):
        overridden(*overrides, config="extract")


def test_defaults_are_those_of_the_design():
    assert Config().model_dump() == {
        "retrieval": {
            "kind": "none",
            "top_k": 5,
            "vectors": ("question",),
            "scored": (),
            "tag_bonus": 0.0,
            "score_bonus": 0.0,
            "accepted_bonus": 0.0,
            "answers_per_question": 1,
            "drop_near_duplicates": True,
            "diversity": 0.0,
            "cross_encoder": None,
            "cross_encoder_depth": 50,
            "store": "local",
        },
        "generation": {
            "method": "model",
            "cot": False,
            "passages": None,
            "closed_book_below": None,
            "max_new_tokens": 256,
            "temperature": 0.0,
        },
        "rerank": {
            "initial": False,
            "refined": False,
            "drafts": 2,
            "temperature": 0.7,
            "method": "pairwise",
            "candidates": (),
            "reranker": None,
        },
        "critique": {"max_points": 5},
        "refine": {"max_rounds": 1, "accept": "always"},
        "answer": {"abstain": None},
    }


def test_gpu_profile_names_the_models_of_the_experiments():
    profile = load_profile("gpu")
    assert profile.generator.model == "microsoft/phi-2"
    assert profile.generator.chat_format == "phi"
    assert profile.generator.stop == ("\nInstruct:", "\nOutput:")
    assert profile.judge.model == "Qwen/Qwen1.5-7B-Chat"
    assert profile.embedder.model == "sentence-transformers/all-MiniLM-L6-v2"


def test_all_weights_of_the_embedded_profile_come_in_packages():
    profile = load_profile("embedded")
    assert {spec.weights for _, spec in profile} == {"package"}
    assert profile.judge == profile.generator
    assert profile.generator.model == "SmolLM2-135M-Instruct"


LEARNED = "rerank: {initial: true, refined: true, method: learned, candidates: [passages]}"


@pytest.mark.parametrize(
    ("text", "scores"),
    [
        ("{}", False),
        ("rerank: {method: learned}", False),
        ("retrieval: {kind: semantic}\nrerank: {initial: true}", False),
        (f"retrieval: {{kind: semantic}}\n{LEARNED}\nanswer: {{abstain: 1}}", True),
        ("retrieval: {kind: semantic}\nrerank: {refined: true, method: learned}", True),
        (
            "retrieval: {kind: semantic}\ngeneration: {closed_book_below: 0.3}\n"
            "rerank: {reranker: a.json}",
            True,
        ),
        (
            "retrieval: {kind: semantic}\ngeneration: {method: extract}\n"
            "rerank: {initial: true, method: learned, candidates: [passages]}\n"
            "answer: {abstain: 0.01}",
            True,
        ),
    ],
)
def test_a_config_that_needs_the_formula_scores_candidates(tmp_path, text, scores):
    config = load_config(write(tmp_path / "my.yaml", text))
    assert config.scores_candidates is scores


def test_a_config_and_a_profile_pass_as_they_are():
    config, profile = Config(), load_profile("embedded")
    assert load_config(config) is config
    assert load_profile(profile) is profile


def test_a_config_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        load_config("semantic").retrieval.top_k = 8


# --- names

HOSTILE_NAMES = [
    "",
    " ",
    ".",
    "..",
    "../semantic",
    "../../semantic",
    "../../../etc/passwd",
    "../configs/semantic",
    "./semantic",
    "/etc/passwd",
    "/semantic",
    "semantic/",
    "semantic/../semantic",
    "configs/semantic",
    "..\\semantic",
    "C:\\semantic",
    "semantic.yaml",
    "semantic.yaml\x00",
    "semantic\x00",
    "\x00",
    "semantic\n",
    "\nsemantic",
    "semantic\r",
    "semantic\t",
    " semantic",
    "semantic ",
    "SEMANTIC",
    "Semantic",
    "semantic-cot",
    "semantic cot",
    "sem\u0430ntic",
    "\uff0e\uff0e\uff0fsemantic",
    "\u2024\u2024/semantic",
    "semantic\u200b",
    "\u202esemantic",
    "semantic\u2028",
    "\ud800",
    "%2e%2e%2fsemantic",
    "file:///etc/passwd",
    "~/semantic",
    "$HOME",
    "`id`",
    "$(id)",
    "semantic;id",
    "semantic,baseline",
    "*",
    "semanti?",
    "[s]emantic",
    "a" * 64,
    "a" * 65,
    "a" * 300,
    "semantic" + "_cot" * 80,
    "__init__",
    "config",
    "none",
    "null",
    "{0.__class__}",
    "%s",
]


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=range(len(HOSTILE_NAMES)))
def test_a_name_that_is_no_config_is_refused_with_the_known_names(name):
    with pytest.raises(ConfigError) as caught:
        load_config(name)
    message = str(caught.value)
    assert "known: " + ", ".join(config_names()) in message
    assert message.isprintable()
    assert len(message) < 600


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=range(len(HOSTILE_NAMES)))
def test_a_name_that_is_no_profile_is_refused_with_the_known_names(name):
    with pytest.raises(ConfigError) as caught:
        load_profile(name)
    message = str(caught.value)
    assert "known: auto, embedded, gpu, server" in message
    assert message.isprintable()


@given(st.text(max_size=80))
@example("baseline")
@examples(200)
def test_any_text_is_a_config_name_only_if_it_is_on_the_list(name):
    if name in NAMES:
        assert isinstance(load_config(name), Config)
    else:
        with pytest.raises(ConfigError, match="unknown config"):
            load_config(name)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("semantic_cott", "semantic_cot"),
        ("base_line", "baseline"),
        ("keyword_rerank_inital", "keyword_rerank_initial"),
        ("Semantic", "semantic"),
    ],
)
def test_a_typo_in_a_config_name_is_answered_with_the_nearest(typed, meant):
    with pytest.raises(ConfigError, match=rf"unknown config '{typed}'; did you mean {meant}\?"):
        load_config(typed)


# --- files


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_config_file_is_read_and_the_rest_is_default(tmp_path):
    path = write(tmp_path / "my.yaml", "retrieval: {kind: semantic, top_k: 8}\n")
    assert load_config(path) == Config(retrieval=Retrieval(kind="semantic", top_k=8))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("retrieval: {top_K: 5}", "there is no field retrieval.top_K; did you mean top_k?"),
        ("retrieval: {topk: 5}", "there is no field retrieval.topk; did you mean top_k?"),
        ("retreival: {top_k: 5}", "there is no field retreival; did you mean retrieval?"),
        ("generation: {max_tokens: 5}", "did you mean max_new_tokens?"),
        ("rerank: {draft: 3}", "did you mean drafts?"),
        ("refine: {zzzz: 3}", "there is no field refine.zzzz; see --help"),
        ("retrieval: {top_k: '5'}", "retrieval.top_k: Input should be a valid integer (got '5')"),
        ("retrieval: {top_k: 5.0}", "retrieval.top_k: Input should be a valid integer (got 5.0)"),
        ("retrieval: {top_k: true}", "retrieval.top_k: Input should be a valid integer (got True)"),
        ("retrieval: {top_k: null}", "retrieval.top_k"),
        ("retrieval: {top_k: 0}", "greater than or equal to 1 (got 0)"),
        ("retrieval: {top_k: 101}", "less than or equal to 100 (got 101)"),
        ("retrieval: {kind: bm25}", "retrieval.kind: Input should be 'none', 'semantic'"),
        ("retrieval: {tag_bonus: 1.5}", "less than or equal to 1 (got 1.5)"),
        ("retrieval: {tag_bonus: -0.1}", "greater than or equal to 0 (got -0.1)"),
        ("retrieval: {tag_bonus: .nan}", "retrieval.tag_bonus"),
        ("generation: {temperature: .inf}", "generation.temperature"),
        ("generation: {temperature: -1}", "generation.temperature"),
        ("generation: {cot: 1}", "generation.cot: Input should be a valid boolean (got 1)"),
        ("generation: {cot: 'yes'}", "generation.cot: Input should be a valid boolean"),
        ("generation: {max_new_tokens: 0}", "generation.max_new_tokens"),
        ("generation: {max_new_tokens: 9000}", "generation.max_new_tokens"),
        ("rerank: {drafts: 0}", "greater than or equal to 1 (got 0)"),
        ("rerank: {drafts: 1}", "drafts of 1 leaves no choice"),
        ("rerank: {reranker: a.json}", "rerank.reranker scores nothing here: set rerank.method"),
        (
            "rerank: {initial: true, candidates: [extract, passages]}",
            "passages holds the answer of extract",
        ),
        ("retrieval: {scored: [title]}", "scored needs an index"),
        ("retrieval: {kind: semantic, scored: [title, title]}", "same part twice"),
        (
            "retrieval: {kind: semantic}\ngeneration: {method: adapt}",
            "adapt needs the answer that learned",
        ),
        ("generation: {method: adapt}", "adapt rewrites the answer of a passage"),
        ("retrieval: {kind: shuffled, scored: [title]}", "scored needs an index"),
        ("generation: {passages: 2}", "generation.passages needs passages and a model"),
        (
            "retrieval: {kind: semantic, top_k: 2}\ngeneration: {passages: 3}",
            "more than retrieval.top_k",
        ),
        ("rerank: {method: learned, reranker: a.json}", "with initial or refined true"),
        (
            "retrieval: {kind: semantic}\nrerank: {initial: true, reranker: a.json}",
            "or set generation.closed_book_below",
        ),
        ("generation: {closed_book_below: 0}", "greater than 0 (got 0)"),
        ("generation: {closed_book_below: 1.1}", "less than or equal to 1 (got 1.1)"),
        ("generation: {closed_book_below: .nan}", "generation.closed_book_below"),
        ("generation: {closed_book_below: 0.5}", "closed_book_below needs passages that a model"),
        (
            "retrieval: {kind: semantic}\ngeneration: {method: extract, closed_book_below: 0.5}",
            "and generation.method to model",
        ),
        (
            "retrieval: {kind: semantic}\ngeneration: {method: adapt, closed_book_below: 0.5}\n"
            "rerank: {initial: true, method: learned, candidates: [passages]}",
            "and generation.method to model",
        ),
        ("answer: {abstain: 0}", "greater than 0 (got 0)"),
        ("answer: {abstain: 1.1}", "less than or equal to 1 (got 1.1)"),
        ("answer: {abstain: .nan}", "answer.abstain"),
        ("answer: {abstain: 0.5}", "answer.abstain needs learned reranking as the last choice"),
        (
            "retrieval: {kind: semantic}\nrerank: {initial: true, refined: true}\n"
            "answer: {abstain: 0.5}",
            "set rerank.method to learned",
        ),
        (
            "retrieval: {kind: semantic}\nrerank: {initial: true, method: learned}\n"
            "answer: {abstain: 0.5}",
            "rerank.refined too",
        ),
        (
            "retrieval: {kind: semantic}\nrerank: {refined: true, method: learned}\n"
            "answer: {abstain: 0.5}",
            "rerank.initial to true",
        ),
        (
            "retrieval: {kind: semantic}\ngeneration: {method: extract}\n"
            "rerank: {method: learned}\nanswer: {abstain: 0.5}",
            "rerank.initial to true",
        ),
        (
            "retrieval: {kind: semantic}\nrerank: {initial: true, refined: true, method: learned}\n"
            "refine: {accept: preferred}\nanswer: {abstain: 0.5}",
            "with refine.accept always",
        ),
        ("rerank: {temperature: 0}", "greater than 0 (got 0)"),
        ("critique: {max_points: 0}", "critique.max_points"),
        ("refine: {max_rounds: 11}", "less than or equal to 10 (got 11)"),
        ("refine: {max_rounds: 0}", "refine.max_rounds"),
        ("refine: {accept: sometimes}", "refine.accept"),
        ("retrieval: 5", "retrieval: Input should be a valid dictionary"),
        ("[1, 2]", "Input should be a valid dictionary"),
        ("a: [", "is not YAML"),
        ("a: !!python/object/apply:os.system ['id']", "is not YAML"),
        ("\x00", "is not YAML"),
        ("retrieval: {kind: 2024-99-99}", "retrieval.kind: Input should be"),
        ("a: !!timestamp x", "is not YAML: tags (!) are not allowed"),
        ("retrieval: {top_k: 1, top_k: 2}", "is not YAML: the key 'top_k' stands twice"),
        ("retrieval: {}\ncritique: {}\nretrieval: {}", "the key 'retrieval' stands twice"),
        ("retrieval: &a {top_k: 1}", "is not YAML: anchors and aliases (& and *) are not allowed"),
        ("0", "Input should be a valid dictionary"),
        ("retrieval: {top_k: 0x_}", "is not YAML"),
        ("1: 2", "Keys should be strings"),
    ],
)
def test_a_mistake_in_a_config_file_is_one_line_that_says_where(tmp_path, text, message):
    path = write(tmp_path / "my.yaml", text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert message in str(caught.value)
    assert "my.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_deep_nesting_in_a_config_file_is_an_error_and_no_crash(tmp_path):
    path = write(tmp_path / "deep.yaml", "retrieval: " + "[" * 1_000)
    with pytest.raises(ConfigError, match=r"deep\.yaml"):
        load_config(path)


@pytest.mark.parametrize("kind", ["missing", "folder", "binary"])
def test_an_unreadable_config_file_is_a_config_error(tmp_path, kind):
    path = tmp_path / "my.yaml"
    if kind == "folder":
        path.mkdir()
    elif kind == "binary":
        path.write_bytes(b"\xff\xfe\x80")
    with pytest.raises(ConfigError, match="cannot read"):
        load_config(path)


def test_only_a_small_regular_file_is_read_as_a_config(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "large.yaml").write_bytes(b"#" * 100_001)
    (tmp_path / "zero.yaml").symlink_to("/dev/zero")
    for path, reason in (
        (tmp_path / "pipe.yaml", "this is not a regular file"),
        (tmp_path / "zero.yaml", "this is not a regular file"),
        (Path("/dev/null"), "this is not a regular file"),
        (tmp_path / "large.yaml", "this is larger than 100000 bytes"),
        (tmp_path / ("x" * 300), "File name too long"),
    ):
        for load in (load_config, load_profile):
            with pytest.raises(ConfigError, match=f"cannot read '.*': {reason}"):
                load(path)


def test_a_config_may_be_a_link(tmp_path):
    (tmp_path / "link.yaml").symlink_to(write(tmp_path / "my.yaml", "critique: {max_points: 3}"))
    assert load_config(tmp_path / "link.yaml").critique.max_points == 3


def test_a_huge_value_is_not_repeated_in_full(tmp_path):
    path = write(tmp_path / "my.yaml", f"retrieval: {{kind: {'x' * 10_000}}}")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "text",
    ["generation: {cot: true}", "rerank: {initial: true}", "rerank: {refined: true}"],
)
def test_stages_that_need_passages_are_refused_without_retrieval(tmp_path, text):
    path = write(tmp_path / "my.yaml", text)
    with pytest.raises(ConfigError, match=r"chain of thought and reranking need retrieval\.kind"):
        load_config(path)


# --- overrides


def overridden(*overrides: str, config: str = "semantic_cot"):
    return load_settings(config, "embedded", list(overrides))


def test_settings_without_overrides_are_the_two_files():
    plain = overridden()
    assert (plain.config_name, plain.profile_name) == ("semantic_cot", "embedded")
    assert plain.config == load_config("semantic_cot")
    assert plain.profile == load_profile("embedded")


def test_settings_of_a_file_are_named_after_it(tmp_path):
    path = write(tmp_path / "my_own.yaml", "retrieval: {kind: keyword}")
    loaded = load_settings(path, "embedded", ["retrieval.top_k=3"])
    assert loaded.config_name == "my_own"
    assert (loaded.config.retrieval.kind, loaded.config.retrieval.top_k) == ("keyword", 3)


@pytest.mark.parametrize(
    ("override", "section", "field", "value"),
    [
        ("retrieval.top_k=8", "retrieval", "top_k", 8),
        ("retrieval.kind=keyword", "retrieval", "kind", "keyword"),
        ("retrieval.tag_bonus=0.25", "retrieval", "tag_bonus", 0.25),
        ("generation.cot=false", "generation", "cot", False),
        ("generation.temperature=1", "generation", "temperature", 1.0),
        ("generation.max_new_tokens= 64 ", "generation", "max_new_tokens", 64),
        ("rerank.drafts=4", "rerank", "drafts", 4),
        ("critique.max_points=3", "critique", "max_points", 3),
        ("refine.max_rounds=2", "refine", "max_rounds", 2),
    ],
)
def test_an_override_sets_one_field_of_the_config(override, section, field, value):
    result, plain = overridden(override), overridden()
    assert getattr(getattr(result.config, section), field) == value
    changed = {**plain.config.model_dump()}
    changed[section] = {**changed[section], field: value}
    assert result.config.model_dump() == changed
    assert result.profile == plain.profile


@pytest.mark.parametrize(
    ("override", "section", "field", "value"),
    [
        ("generator.model=Qwen/Qwen2.5-0.5B", "generator", "model", "Qwen/Qwen2.5-0.5B"),
        ("generator.window=1024", "generator", "window", 1024),
        ("generator.window=null", "generator", "window", None),
        ("generator.stop=['a=b', c]", "generator", "stop", ("a=b", "c")),
        ("judge.dtype=float32", "judge", "dtype", "float32"),
        ("judge.weights=hub", "judge", "weights", "hub"),
        ("embedder.weights=hub", "embedder", "weights", "hub"),
        ("embedder.revision=abc", "embedder", "revision", "abc"),
    ],
)
def test_an_override_sets_one_field_of_the_profile(override, section, field, value):
    result, plain = overridden(override), overridden()
    changed = {**plain.profile.model_dump()}
    changed[section] = {**changed[section], field: value}
    assert result.profile.model_dump() == changed
    assert result.config == plain.config


def test_overriding_the_generator_leaves_the_judge_that_shares_its_text():
    profile = overridden("generator.window=512").profile
    assert profile.generator.window == 512
    assert profile.judge == load_profile("embedded").judge


def test_overrides_apply_in_order_and_the_last_wins():
    assert overridden("retrieval.top_k=3", "retrieval.top_k=9").config.retrieval.top_k == 9


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("retrieval.topk=3", "there is no field 'retrieval.topk'; did you mean retrieval.top_k?"),
        ("top_k=3", "there is no field 'top_k'; did you mean retrieval.top_k?"),
        ("retrieval=3", "there is no field 'retrieval'"),
        ("retrieval.top_k.x=3", "there is no field 'retrieval.top_k.x'"),
        ("generator.modle=x", "did you mean generator.model?"),
        ("config.retrieval.top_k=3", "there is no field"),
        ("=3", "there is no field ''"),
        ("retrieval.top_k", "write KEY=VALUE, as in retrieval.top_k=8"),
        ("", "write KEY=VALUE"),
        ("retrieval.top_k=eight", "retrieval.top_k: Input should be a valid integer (got 'eight')"),
        ("retrieval.top_k='8'", "retrieval.top_k: Input should be a valid integer (got '8')"),
        ("retrieval.top_k=", "retrieval.top_k: Input should be a valid integer (got None)"),
        ("retrieval.top_k=[8", "retrieval.top_k: '[8' is not a YAML value"),
        ("retrieval.top_k=!!python/name:os.system", "is not a YAML value"),
        ("generation.temperature=2024-99-99", "should be a valid number (got '2024-99-99')"),
        ("generation.temperature=0x_", "is not a YAML value"),
        ("generator.stop=end", "generator.stop"),
        ("generator.window=64", "greater than or equal to 128 (got 64)"),
        ("generator.engine=vllm", f"generator.engine: Input should be {ENGINE_NAMES} (got 'vllm')"),
        ("generator.engine=[]", f"generator.engine: Input should be {ENGINE_NAMES} (got [])"),
        ("generator.weights=disk", "generator.weights: Input should be 'hub' or 'package'"),
        ("embedder.engine=vllm", "there is no field embedder.engine"),
        ("embedder.engin=embedded", "there is no field 'embedder.engin'"),
        ("retrieval.kind=none", "chain of thought and reranking need retrieval.kind"),
    ],
)
def test_a_bad_override_is_one_line_that_says_what_is_wrong(override, message):
    with pytest.raises(ConfigError) as caught:
        overridden(override)
    assert message in str(caught.value)
    assert str(caught.value).startswith("--set")
    assert "\n" not in str(caught.value)


def test_an_override_may_make_a_combination_valid_only_as_a_whole():
    config = overridden("generation.cot=true", "retrieval.kind=keyword", config="baseline").config
    assert (config.generation.cot, config.retrieval.kind) == (True, "keyword")


@given(st.text(max_size=40), st.text(max_size=40))
@examples(200)
def test_an_override_of_an_unknown_field_is_always_a_config_error(key, value):
    with pytest.raises(ConfigError, match=r"^--set"):
        overridden(f"x{key}={value}")


# --- profiles


@pytest.mark.parametrize(("cuda", "name"), [(True, "gpu"), (False, "embedded")])
def test_auto_is_gpu_where_cuda_is_available(monkeypatch, cuda, name):
    class Cuda:
        @staticmethod
        def is_available() -> bool:
            return cuda

    class Torch:
        cuda = Cuda

    monkeypatch.setitem(__import__("sys").modules, "torch", Torch)
    assert resolve_profile_name("auto") == name
    assert load_profile("auto") == load_profile(name)
    assert load_settings("baseline", "auto", []).profile_name == name


@pytest.mark.parametrize("name", ["embedded", "gpu"])
def test_a_named_profile_loads_without_a_look_at_the_hardware(monkeypatch, name):
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    assert resolve_profile_name(name) == name
    assert load_settings("baseline", name, []).profile_name == name


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"dtype": "int8"}, "dtype"),
        ({"engine": "api"}, "engine"),
        ({"engine": ["embedded"]}, "engine"),
        ({"weights": "disk"}, "weights"),
        ({"chat_format": "chatml"}, "chat_format"),
        ({"window": 127}, "window"),
        ({"window": 1024.0}, "window"),
        ({"stop": "\n"}, "stop"),
        ({"stop": [1]}, "stop"),
        ({"model": 5}, "model"),
        ({"quantised": True}, "quantised"),
    ],
)
def test_a_model_spec_is_strict(changes, field):
    with pytest.raises(ValidationError, match=field):
        ModelSpec(**{"model": "x", **changes})


def test_a_profile_needs_all_its_models():
    with pytest.raises(ValidationError, match="judge"):
        Profile(generator=ModelSpec(model="x"), embedder=EmbedderSpec(model="y"))


def test_a_stop_list_of_yaml_becomes_a_tuple():
    assert ModelSpec.model_validate({"model": "x", "stop": ["\n"]}).stop == ("\n",)


# --- specs from before the field `weights`

STORED_FIELDS = [
    ({"engine": "embedded"}, "package"),
    ({"engine": "embedded", "weights": "hub"}, "package"),
    ({"engine": "huggingface"}, "hub"),
    ({"engine": "huggingface", "weights": "package"}, "package"),
    ({"weights": "package"}, "package"),
    ({}, "hub"),
]


@pytest.mark.parametrize(("fields", "weights"), STORED_FIELDS, ids=str)
def test_an_older_engine_is_the_source_of_the_weights(fields, weights):
    model = ModelSpec.model_validate({"model": "x", **fields})
    assert model == ModelSpec(model="x", weights=weights, engine="huggingface")
    embedder = EmbedderSpec.model_validate({"model": "x", **fields})
    assert embedder == EmbedderSpec(model="x", weights=weights)


def test_an_upgraded_spec_states_its_weights_and_keeps_unknown_fields():
    old = {"model": "x", "engine": "huggingface", "stop": ["a"], "future": 1}
    rest = {"model": "x", "stop": ["a"], "future": 1}
    assert upgrade_spec(old) == {**rest, "weights": "hub", "engine": "huggingface"}
    assert upgrade_spec(old, embedder=True) == {**rest, "weights": "hub"}
    assert old["engine"] == "huggingface"


@pytest.mark.parametrize("embedder", [False, True])
@pytest.mark.parametrize(
    "fields", [{}, {"engine": "magic"}, {"engine": None}, {"engine": [{}]}, {"weights": 5}], ids=str
)
def test_odd_fields_of_a_spec_are_not_changed(fields, embedder):
    assert upgrade_spec(fields, embedder=embedder) == fields


@pytest.mark.parametrize("embedder", [False, True])
def test_an_upgraded_spec_is_not_changed_again(embedder):
    once = upgrade_spec({"model": "x", "engine": "embedded"}, embedder=embedder)
    assert upgrade_spec(once, embedder=embedder) == once


def test_a_profile_file_from_before_the_field_weights_is_read(tmp_path):
    text = "{model: x, engine: embedded}"
    path = write(tmp_path / "old.yaml", f"generator: {text}\njudge: {text}\nembedder: {text}\n")
    assert {spec.weights for _, spec in load_profile(path)} == {"package"}


@pytest.mark.parametrize(
    ("profile", "overrides", "section", "weights"),
    [
        ("gpu", ["generator.engine=embedded"], "generator", "package"),
        ("gpu", ["judge.engine=embedded"], "judge", "package"),
        ("gpu", ["embedder.engine=embedded"], "embedder", "package"),
        ("embedded", ["embedder.engine=huggingface"], "embedder", "hub"),
        (
            "embedded",
            ["embedder.engine=huggingface", "embedder.weights=package"],
            "embedder",
            "package",
        ),
        ("embedded", ["generator.engine=huggingface"], "generator", "package"),
    ],
)
def test_an_override_may_use_the_older_name_of_weights(profile, overrides, section, weights):
    spec = getattr(load_settings("baseline", profile, overrides).profile, section)
    plain = getattr(load_profile(profile), section)
    engine = {} if section == "embedder" else {"engine": "huggingface"}
    assert spec == plain.model_copy(update={"weights": weights, **engine})


# --- engines and their fields

URL = "http://127.0.0.1:8000/v1"


@pytest.mark.parametrize("profile", ["embedded", "gpu", "server"])
@pytest.mark.parametrize("role", ["generator", "judge"])
@pytest.mark.parametrize("is_reversed", [False, True])
def test_an_engine_a_model_and_an_address_are_enough(profile, role, is_reversed):
    overrides = [f"{role}.engine=openai", f"{role}.model=NAME", f"{role}.base_url={URL}"]
    changed = load_settings("baseline", profile, overrides[:: -1 if is_reversed else 1]).profile
    expected = ModelSpec(model="NAME", engine="openai", base_url=URL)
    assert getattr(changed, role) == expected
    other = "judge" if role == "generator" else "generator"
    assert getattr(changed, other) == getattr(load_profile(profile), other)


def test_an_engine_keeps_the_settings_that_stand_beside_it():
    overrides = ["generator.window=900", "generator.engine=openai", "generator.stop=[x]"]
    spec = load_settings("baseline", "gpu", overrides).profile.generator
    assert (spec.window, spec.stop, spec.dtype) == (900, ("x",), "auto")


def test_the_same_engine_resets_nothing():
    overrides = ["generator.engine=huggingface"]
    assert load_settings("baseline", "gpu", overrides).profile == load_profile("gpu")


def test_a_server_can_be_replaced_by_weights():
    overrides = ["generator.engine=huggingface", "generator.model=org/x"]
    spec = load_settings("baseline", "server", overrides).profile.generator
    assert spec == ModelSpec(model="org/x")


@pytest.mark.parametrize("engine", ["openai", "langchain", "huggingface", "openvino", "auto"])
@pytest.mark.parametrize("profile", ["gpu", "server"])
def test_each_engine_takes_a_revision(engine, profile):
    overrides = ["generator.revision=fp8", f"generator.engine={engine}"]
    spec = load_settings("baseline", profile, overrides).profile.generator
    assert (spec.engine, spec.revision) == (engine, "fp8")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"engine": "openai", "weights": "package"}, "weights belongs to engine huggingface"),
        ({"engine": "openai", "chat_format": "phi"}, "chat_format belongs to engine huggingface"),
        ({"engine": "langchain", "dtype": "float16"}, "dtype belongs to engine huggingface"),
        ({"engine": "openai", "repetition_penalty": 1.1}, "repetition_penalty belongs to engine"),
        (
            {"engine": "openai", "quantization": "int8"},
            "quantization belongs to engine huggingface",
        ),
        ({"engine": "langchain", "attention": "sdpa"}, "attention belongs to engine huggingface"),
        ({"engine": "openai", "device_map": "single"}, "device_map belongs to engine huggingface"),
        ({"quantization": "int4"}, "quantization"),
        ({"quantization": 8}, "quantization"),
        ({"quantization": None}, "quantization"),
        ({"attention": "flash"}, "attention"),
        ({"device_map": "cuda:1"}, "device_map"),
        ({"base_url": URL}, "base_url belongs to other engines"),
        ({"concurrency": 2}, "concurrency belongs to other engines"),
        ({"timeout": 2.0}, "timeout belongs to other engines"),
        ({"engine": "openai", "concurrency": 0}, "concurrency"),
        ({"engine": "openai", "timeout": 0.0}, "timeout"),
        ({"engine": "openai", "timeout": math.inf}, "timeout"),
    ],
)
def test_a_field_of_another_engine_is_refused(fields, message):
    with pytest.raises(ValidationError, match=message):
        ModelSpec(**{"model": "x", **fields})


@pytest.mark.parametrize(
    "address",
    [
        "http://user:p4ssword@host/v1",
        "https://p4ssword@host/v1",
        "http://:p4ssword@host/v1",
        "http://host/v1?api_key=p4ssword",
        "http://host/v1#p4ssword",
        "ftp://host/p4ssword",
        "host:8000/p4ssword",
        "http:///p4ssword",
        "http://host:99999/p4ssword",
        "http://ho st/p4ssword",
        "http://[::1/p4ssword",
    ],
)
def test_an_address_that_is_none_or_holds_a_secret_is_refused_unseen(address):
    overrides = ["generator.engine=openai", f"generator.base_url={address!r}"]
    with pytest.raises(ConfigError, match="base_url: give the address") as caught:
        load_settings("baseline", "embedded", overrides)
    assert "p4ssword" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("address", [URL, "https://api.example.org/v1/", "http://[::1]:8080"])
def test_addresses_of_servers(address):
    assert ModelSpec(model="x", engine="openai", base_url=address).base_url == address


def test_a_profile_may_be_a_file_of_ones_own(tmp_path):
    model = f"{{model: x, engine: openai, base_url: '{URL}'}}"
    text = f"generator: {model}\njudge: {model}\nembedder: {{model: y}}\n"
    path = write(tmp_path / "my-models.yaml", text)
    loaded = load_settings("baseline", str(path), ["judge.concurrency=3"])
    assert loaded.profile_name == "my-models"
    assert loaded.profile.generator == ModelSpec(model="x", engine="openai", base_url=URL)
    assert loaded.profile.judge.concurrency == 3
    with pytest.raises(ConfigError, match="cannot read"):
        load_settings("baseline", str(tmp_path / "absent.yaml"), [])


# --- other limits


def test_rounds_are_between_one_and_ten():
    assert Refine(max_rounds=10).max_rounds == 10
    with pytest.raises(ValidationError, match="max_rounds"):
        Refine(max_rounds=11)


def test_name_pattern_holds_no_path_and_no_dot():
    assert configs.NAME.fullmatch("semantic_cot_rerank_initial")
    assert not any(configs.NAME.fullmatch(name) for name in ("a/b", "a.b", "..", "", "A", "a" * 65))

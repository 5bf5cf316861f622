"""The identity of a run: its schema, its digest, and the versions beside it."""

import json
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files

SCHEMA = 2
"""Count up when records or metrics change their meaning: older runs are then not resumed."""

PACKAGES = (
    "accelerate",
    "faiss-cpu",
    "faiss-gpu",
    "langchain-core",
    "langchain-huggingface",
    "langgraph",
    "nltk",
    "numpy",
    "openvino",
    "rank-bm25",
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
    """Return the digest of a package's modules: what is asked, and how replies are read."""
    modules = sorted(
        (entry for entry in files(package).iterdir() if entry.name.endswith(".py")),
        key=lambda entry: entry.name,
    )
    total = sha256()
    for module in modules:
        total.update(module.name.encode() + b"\0" + module.read_bytes() + b"\0")
    return total.hexdigest()


def versions() -> dict[str, str]:
    """Return the versions of the packages that can change a number."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found

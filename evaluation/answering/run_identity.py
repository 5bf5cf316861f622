"""What makes a run this run: everything that can change a number it prints, and nothing else."""

import json
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from evaluation.metrics.calibrated_judge import Loaded
from graph.models import packaged as embedded
from graph.models.loading import resolve_dtype
from graph.retrieval import fusion
from graph.retrieval.control_retrievers import searched
from graph.retrieval.index import identity as index_identity
from graph.retrieval.quantised import resolve_encoder_dtype
from graph.schema import EmbedderSpec, ModelSpec, Settings
from graph.support.errors import DatasetError
from graph.support.storage import file_sha256

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


class Choices(NamedTuple):
    """What a user chose for a run, as far as it changes the numbers."""

    settings: Settings
    corpus: Path | None
    dataset: Path
    limit: int | None
    batch_size: int
    seed: int
    judged: bool
    keep_leaks: bool = False
    calibrated: Loaded | None = None
    """The calibrated judge, where it is asked for."""


def identity_of(choices: Choices) -> dict[str, object]:
    """Return the fields whose digest names a run; loads no weights.

    The batch size is one of them: in 16-bit arithmetic the shape of a batch changes the text.
    """
    settings = choices.settings
    profile = settings.profile
    retrieval = searched(settings.config.retrieval)
    index = None
    if retrieval.kind != "none" and choices.corpus:
        index = index_identity(retrieval, choices.corpus, profile.embedder)
    try:
        dataset = file_sha256(choices.dataset)
    except OSError as error:
        raise DatasetError(f"{choices.dataset}: cannot be read: {error.strerror}") from None
    calibrated = {}
    if choices.calibrated:
        formula = choices.calibrated.identity
        calibrated["calibrated_judge"] = {**formula, "encoder": embedder_of(profile.embedder)}
    return {
        "schema": SCHEMA,
        "config": settings.config.model_dump(mode="json"),
        "generator": model_of(profile.generator),
        "judge": model_of(profile.judge) if choices.judged else None,
        **calibrated,
        "embedder": embedder_of(profile.embedder),
        "prompts": sources_sha256("prompts"),
        "nodes": sources_sha256("nodes"),
        "index": index,
        "weights": fusion.weights(retrieval) if index and retrieval.kind != "oracle" else None,
        "leaks": sources_sha256("dataset.check") if index and not choices.keep_leaks else None,
        "dataset_sha256": dataset,
        "limit": choices.limit,
        "batch_size": choices.batch_size,
        "seed": choices.seed,
    }


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


def folder_name(settings: Settings, dataset: Path, full_digest: str) -> str:
    """Return `<config>-<profile>-<data>-<identity>`, safe as a file name."""
    stem = dataset.name.split(".")[0]
    data = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in stem)[:40]
    name = "".join(
        c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in settings.config_name
    )
    return f"{name[:64]}-{settings.profile_name}-{data}-{full_digest[:12]}"


def model_of(spec: ModelSpec) -> dict[str, object]:
    """Return what makes a model this model: its spec with the revision and the dtype that are meant."""
    return {
        **spec.model_dump(mode="json"),
        "revision": _revision(spec),
        "dtype": resolve_dtype(spec.dtype),
    }


def embedder_of(spec: EmbedderSpec) -> dict[str, object]:
    """Return an encoder as an identity holds it."""
    return {
        **spec.model_dump(mode="json"),
        "revision": _revision(spec),
        "dtype": resolve_encoder_dtype(spec.dtype),
    }


def _revision(spec: ModelSpec | EmbedderSpec) -> str | None:
    return embedded.revision(spec.model) if spec.engine == "embedded" else spec.revision

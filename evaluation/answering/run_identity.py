"""The identity of a run: everything that can change one of its numbers.

Sources are compared as files, so a new comment in them starts new runs too.
"""

from pathlib import Path
from typing import NamedTuple

from evaluation.metrics.calibrated_judge import StoredJudge
from evaluation.store.identity import SCHEMA, sources_sha256
from graph.models import packaged
from graph.models.engines import describe
from graph.models.machine_defaults import resolve_engine, resolve_model_dtype
from graph.models.memory_fields import check_memory_fields, memory_identity
from graph.reranking.formula import reranker_identity
from graph.retrieval import fusion
from graph.retrieval.control_retrievers import searched
from graph.retrieval.encoder import (
    PARTS_VERSION,
    VECTORS_VERSION,
    encoder_modules,
    encoder_prompts,
    resolve_encoder_dtype,
)
from graph.retrieval.index import identity as index_identity
from graph.schema import MEMORY_FIELDS, SERVER_FIELDS, EmbedderSpec, ModelSpec, Settings
from graph.support.errors import DatasetError
from graph.support.regular_files import check_regular_file
from graph.support.storage import file_sha256


class Choices(NamedTuple):
    """A user's choices for a run, as far as they can change its numbers."""

    settings: Settings
    corpus: Path | None
    dataset: Path
    limit: int | None
    batch_size: int
    seed: int
    judged: bool
    keep_leaks: bool = False
    calibrated: StoredJudge | None = None
    """The calibrated judge, if one was chosen."""
    has_criteria: bool = False
    """Whether a question has criteria."""


def identity_of(choices: Choices) -> dict[str, object]:
    """Return the fields whose digest names a run; load no weights, but ask servers for their models.

    The batch size is one of them: in 16-bit arithmetic the shape of a batch changes the text. So
    are the sources of prompts, nodes and metrics: a run that continues under changed code would mix
    records of both.

    Raises:
        DatasetError: The dataset or the corpus cannot be read.
        ConfigError, MissingExtraError: A server or its client cannot be used.
    """
    settings = choices.settings
    profile = settings.profile
    retrieval = searched(settings.config.retrieval)
    index = None
    if retrieval.kind != "none" and choices.corpus:
        index = index_identity(retrieval, choices.corpus, profile.embedder)
    check_regular_file(choices.dataset)
    try:
        dataset = file_sha256(choices.dataset)
    except OSError as error:
        raise DatasetError(f"{choices.dataset}: cannot be read: {error.strerror}") from None
    calibrated = {}
    if choices.calibrated:
        formula = choices.calibrated.identity
        calibrated["calibrated_judge"] = {**formula, "encoder": embedder_identity(profile.embedder)}
    return {
        "schema": SCHEMA,
        "config": settings.config.model_dump(mode="json"),
        "generator": model_identity(profile.generator),
        "judge": model_identity(profile.judge) if choices.judged else None,
        **calibrated,
        "embedder": embedder_identity(profile.embedder),
        "vectors": _vectors(profile.embedder),
        "text_parts": PARTS_VERSION,
        "prompts": sources_sha256("prompts"),
        "nodes": sources_sha256("nodes"),
        "metrics": sources_sha256("evaluation.metrics"),
        **({"criteria": sources_sha256("dataset.criteria")} if choices.has_criteria else {}),
        "index": index,
        **_reranker(settings),
        "weights": fusion.weights(retrieval) if index and retrieval.kind != "oracle" else None,
        "leaks": sources_sha256("dataset.leaks") if index and not choices.keep_leaks else None,
        "dataset_sha256": dataset,
        "limit": choices.limit,
        "batch_size": choices.batch_size,
        "seed": choices.seed,
    }


def _reranker(settings: Settings) -> dict[str, object]:
    """Return the formula of learned reranking and the sources of its features, if the config needs it."""
    if not settings.config.scores_candidates:
        return {}
    reranker = settings.config.rerank.reranker
    path = Path(reranker) if reranker else None
    return {
        "reranker": reranker_identity(path),
        "reranker_features": sources_sha256("graph.reranking"),
    }


def folder_name(settings: Settings, dataset: Path, full_digest: str) -> str:
    """Return `<config>-<profile>-<data>-<identity>`, safe as a file name."""
    data = _safe(dataset.name.split(".")[0])[:40]
    name, profile = _safe(settings.config_name)[:64], _safe(settings.profile_name)[:64]
    return f"{name}-{profile}-{data}-{full_digest[:12]}"


def _safe(name: str) -> str:
    return "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in name)


def model_identity(spec: ModelSpec) -> dict[str, object]:
    """Return a model as an identity holds it: its spec with the resolved revision and dtype.

    Of a model that another program runs, it holds what that program says of it. The address of a
    server and the number of requests at a time change no number.

    Raises:
        ConfigError, MissingExtraError: see `graph.models.engines.describe`.
    """
    served = describe(spec)
    if served is None:
        check_memory_fields(spec)
        return {
            **spec.model_dump(mode="json", exclude={*SERVER_FIELDS, *MEMORY_FIELDS}),
            **memory_identity(spec),
            "engine": resolve_engine(spec),
            "revision": _revision(spec),
            "dtype": resolve_model_dtype(spec),
        }
    return {
        # The name `auto` means another model after a change of the server.
        "model": served.identity.get("id", spec.model),
        "revision": spec.revision,
        "engine": spec.engine,
        "stop": list(spec.stop),
        "window": served.window,
        "served": served.identity,
        "refused": list(served.refused),
        "verdicts": served.verdicts,
        "top_logprobs": served.top_logprobs,
    }


def embedder_identity(spec: EmbedderSpec) -> dict[str, object]:
    """Return an encoder as an identity holds it: its spec with the resolved revision and dtype."""
    return {
        **spec.model_dump(mode="json"),
        "revision": _revision(spec),
        "dtype": resolve_encoder_dtype(spec.dtype),
    }


def _vectors(spec: EmbedderSpec) -> dict[str, object]:
    """Return the fields besides the spec that change an encoder's vectors, in metrics too."""
    return {
        "prompts": encoder_prompts(spec)._asdict(),
        "modules": encoder_modules(spec),
        "version": VECTORS_VERSION,
    }


def _revision(spec: ModelSpec | EmbedderSpec) -> str | None:
    return packaged.revision(spec.model) if spec.weights == "package" else spec.revision

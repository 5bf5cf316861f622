"""A pass of ragas over a finished run: what it depends on, and its scores on disk."""

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from evaluation.answering.run_identity import model_identity
from evaluation.rescoring.pass_summary import Scored, summary
from evaluation.rescoring.ragas.ragas_metrics import (
    MODEL_BASED,
    PREFIX,
    REFERENCE_BASED,
    Asked,
    RagasScorer,
    open_ragas,
)
from evaluation.rescoring.score_files import FOLDER, PassSpec, ScoreFile
from evaluation.rescoring.score_pass import batch_size_of, read_to_score, score_run, unscored
from evaluation.store.recorded_run import read_run
from evaluation.store.run_folder import locked
from graph.models.batching import Engine
from graph.models.lockstep import Lockstep
from graph.retrieval.encoder import open_encoder
from graph.schema import ModelSpec, Profile
from graph.support.storage import file_sha256

if TYPE_CHECKING:
    from graph.models.engines.huggingface_engine import HuggingFaceEngine
from graph.support.terminal import log


class RagasResult(TypedDict):
    """What came of one run."""

    run: str
    questions: int
    model: str | None
    scores: str
    """Where they are."""
    metrics: dict[str, Scored]


def score_with_ragas(
    folder: Path, profile: Profile | None, engine: Engine | None = None
) -> RagasResult:
    """Score a run, or what of it is unscored; without a profile no model is asked.

    `engine` is that of the profile's judge, where it is there already.

    Raises:
        MissingExtraError: ragas is not installed.
        DatasetError: no run, damaged, or nothing to score in it.
        RunLockedError: another process holds the folder.
    """
    read_to_score(folder)
    packages = open_ragas()
    with locked(folder):
        # Read again: what was there before the lock may have grown.
        found = read_run(folder)
        size = batch_size_of(found)
        plan = _plan(profile, packages, size)
        file = ScoreFile(folder, plan)
        try:
            if unscored(found, file):
                score_run(found, file, _scorer(profile, size, engine), size, f"ragas over {folder}")
            else:
                log.info("%s is scored by ragas already: showing it", folder)
        finally:
            file.close()
    return {
        "run": str(folder),
        "questions": found.questions,
        "model": profile.judge.model if profile else None,
        "scores": f"{FOLDER}/{plan.name}.jsonl",
        "metrics": {metric: summary(found, file.scores, metric) for metric in plan.metrics},
    }


def _plan(profile: Profile | None, packages: dict[str, str], size: int) -> PassSpec:
    names = REFERENCE_BASED if profile is None else (*REFERENCE_BASED, *MODEL_BASED)
    here = Path(__file__).parent
    identity: dict[str, object] = {
        "kind": "ragas",
        "packages": packages,
        "metrics": list(names),
        "asked": {
            name: file_sha256(here / f"{name}.py") for name in ("ragas_metrics", "ragas_model")
        },
        "judge": model_identity(profile.judge) if profile else None,
        "embedder": profile.embedder.model_dump(mode="json") if profile else None,
        "batch_size": size if profile else None,
    }
    label = profile.judge.model if profile else "no_model"
    metrics = tuple(PREFIX + name for name in names)
    return PassSpec("ragas", label, metrics, json.loads(json.dumps(identity)))


def _scorer(profile: Profile | None, size: int, engine: Engine | None) -> RagasScorer:
    lockstep = Lockstep()
    if profile is None:
        return RagasScorer(REFERENCE_BASED, lockstep, None)
    from graph.models.engines.huggingface_engine import HuggingFaceEngine
    from graph.models.schema_writer import SchemaWriter

    if not isinstance(engine, HuggingFaceEngine):
        engine = _engine(profile.judge)
    writer = SchemaWriter(engine, lockstep, batch_size=size)
    writer.load()
    asked = Asked(writer, open_encoder(profile.embedder))
    return RagasScorer((*REFERENCE_BASED, *MODEL_BASED), lockstep, asked)


@cache
def _engine(spec: ModelSpec) -> "HuggingFaceEngine":
    """Return one engine for all runs, so that its weights load once."""
    from graph.models.engines.huggingface_engine import HuggingFaceEngine

    return HuggingFaceEngine(spec)

"""A pass of ragas over a finished run: the identity of the pass, and its scores on disk."""

from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from evaluation.answering.run_identity import embedder_identity, model_identity
from evaluation.rescoring.pass_summary import PassSummary, summarise_pass
from evaluation.rescoring.ragas.ragas_metrics import (
    MODEL_BASED,
    PREFIX,
    REFERENCE_BASED,
    LocalModels,
    RagasScorer,
    open_ragas,
)
from evaluation.rescoring.score_files import PassSpec
from evaluation.rescoring.score_pass import PreparedPass, complete_pass
from evaluation.store.recorded_run import RecordedRun
from graph.models.engines import Engine
from graph.models.lockstep import Lockstep
from graph.retrieval.encoder import open_encoder
from graph.schema import ModelSpec, Profile
from graph.support.errors import ConfigError
from graph.support.storage import file_sha256

if TYPE_CHECKING:
    from graph.models.engines.huggingface_engine import HuggingFaceEngine


class RagasResult(TypedDict):
    """The scores of ragas over one run."""

    run: str
    questions: int
    model: str | None
    """None where no model was asked."""
    scores: str
    """The file of the scores, relative to the run folder."""
    metrics: dict[str, PassSummary]


def score_with_ragas(
    folder: Path, profile: Profile | None, engine: Engine | None = None
) -> RagasResult:
    """Score a run with ragas; answers that it has scored already are not scored again.

    Args:
        folder: The run folder.
        profile: The profile whose judge and encoder are used; without one no model is asked.
        engine: The engine of the profile's judge, where it is loaded already.

    Raises:
        MissingExtraError: ragas is not installed.
        ConfigError: the judge is on a server.
        DatasetError: the folder is no run, is damaged, or holds no answer.
        RunLockedError: another process holds the folder.
    """
    run, spec, scores = completed = complete_pass(
        folder, partial(_prepare, profile, engine), "ragas over"
    )
    return {
        "run": str(folder),
        "questions": run.questions,
        "model": profile.judge.model if profile else None,
        "scores": completed.scores_path,
        "metrics": {metric: summarise_pass(run, scores, metric) for metric in spec.metrics},
    }


def check_judge(profile: Profile) -> None:
    """Check that ragas can use the judge of a profile.

    Raises:
        ConfigError: The judge is on a server.
    """
    if profile.judge.engine not in ("auto", "huggingface"):
        raise ConfigError(
            f"ragas needs a judge of engine huggingface, whose replies follow a schema here; this one "
            f"has {profile.judge.engine}: set judge.engine=huggingface and judge.model"
        )


def _judge(profile: Profile) -> ModelSpec:
    """Return the judge of a profile as transformers runs it."""
    return profile.judge.model_copy(update={"engine": "huggingface"})


def _prepare(profile: Profile | None, engine: Engine | None, run: RecordedRun) -> PreparedPass:
    size = run.batch_size
    if profile:
        check_judge(profile)
    spec = _pass_spec(profile, open_ragas(), size)
    return PreparedPass(spec, lambda: _scorer(profile, engine, size))


def _pass_spec(profile: Profile | None, packages: dict[str, str], batch_size: int) -> PassSpec:
    metrics = REFERENCE_BASED if profile is None else (*REFERENCE_BASED, *MODEL_BASED)
    here = Path(__file__).parent
    identity: dict[str, object] = {
        "kind": "ragas",
        "packages": packages,
        "metrics": list(metrics),
        "asked": {
            name: file_sha256(here / f"{name}.py") for name in ("ragas_metrics", "ragas_model")
        },
        "judge": model_identity(_judge(profile)) if profile else None,
        "embedder": embedder_identity(profile.embedder) if profile else None,
        "batch_size": batch_size if profile else None,
    }
    label = profile.judge.model if profile else "no_model"
    return PassSpec("ragas", label, tuple(PREFIX + name for name in metrics), identity)


def _scorer(profile: Profile | None, engine: Engine | None, batch_size: int) -> RagasScorer:
    lockstep = Lockstep()
    if profile is None:
        return RagasScorer(REFERENCE_BASED, lockstep, None)
    from graph.models.engines.huggingface_engine import HuggingFaceEngine
    from graph.models.schema_writer import SchemaWriter

    if not isinstance(engine, HuggingFaceEngine):
        engine = _engine(_judge(profile))
    writer = SchemaWriter(engine, lockstep, batch_size=batch_size)
    # A model that cannot be loaded is one error here, and not the reason of every question.
    writer.load()
    models = LocalModels(writer, open_encoder(profile.embedder))
    return RagasScorer((*REFERENCE_BASED, *MODEL_BASED), lockstep, models)


@cache
def _engine(spec: ModelSpec) -> "HuggingFaceEngine":
    """Return one engine for all runs of the process, so that its weights load once."""
    from graph.models.engines.huggingface_engine import HuggingFaceEngine

    return HuggingFaceEngine(spec)

"""Score finished runs with ragas: metrics from references, and others that ask the local model.

Scores go to RUN/scores; the same command again goes on, or shows them. The table goes to stdout;
with --json one JSON document and nothing else does. Nothing is sent anywhere.
"""

import argparse
import json
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from rich.console import Console

from evaluation.answering.flags import add_models
from evaluation.answering.run_identity import model_of
from evaluation.commands.judge_command import batch_size_of, read_to_score
from evaluation.rescoring.pass_summary import Scored, reason_lines, scores_table, summary
from evaluation.rescoring.ragas.ragas_metrics import (
    MODEL_BASED,
    PREFIX,
    REFERENCE_BASED,
    Asked,
    RagasScorer,
    open_ragas,
)
from evaluation.rescoring.score_files import FOLDER, Plan, ScoreFile
from evaluation.rescoring.score_pass import score_run, unscored
from evaluation.store.recorded_run import read_run
from evaluation.store.run_folder import locked
from graph.config import load_settings
from graph.models.batching import Engine
from graph.models.lockstep import Lockstep
from graph.retrieval.encoder import open_encoder
from graph.schema import ModelSpec, Profile
from graph.support.storage import file_sha256
from graph.support.terminal import log, safe_text

if TYPE_CHECKING:
    from graph.models.engines.huggingface_engine import HuggingFaceEngine


class Found(TypedDict):
    """What came of one run."""

    run: str
    questions: int
    model: str | None
    scores: str
    """Where they are."""
    metrics: dict[str, Scored]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run folders")
    parser.add_argument(
        "--no-model",
        action="store_true",
        help="only the metrics that need none: " + ", ".join(REFERENCE_BASED),
    )
    add_models(parser, whose="which models", example="judge.window=2048")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(arguments: argparse.Namespace) -> int:
    """Score the runs with ragas, and print each metric's mean and what is not in it."""
    profile = load_settings("baseline", arguments.profile, arguments.set).profile
    asked = None if arguments.no_model else profile
    found = [score(folder, asked) for folder in arguments.runs]
    if arguments.json:
        sys.stdout.write(json.dumps(found, indent=1, allow_nan=False) + "\n")
    else:
        for each in found:
            show(each)
    return 0


def score(folder: Path, profile: Profile | None, engine: Engine | None = None) -> Found:
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


def show(found: Found) -> None:
    """Print the table, and why questions are unscored."""
    console = Console(width=None if sys.stdout.isatty() else 100)
    model = "no model" if found["model"] is None else found["model"]
    rows = [
        (metric, "ragas" if metric in _OF_REFERENCES else model, each)
        for metric, each in found["metrics"].items()
    ]
    headline = f"ragas over {found['run']}, {found['questions']} questions, asking {model}"
    console.print(safe_text(headline), markup=False, highlight=False, soft_wrap=True)
    console.print(scores_table(rows))
    for line in reason_lines(rows):
        console.print(safe_text(line), markup=False, highlight=False)
    console.print(f"scores: {found['run']}/{found['scores']}", markup=False, soft_wrap=True)


_OF_REFERENCES = tuple(PREFIX + name for name in REFERENCE_BASED)


def _plan(profile: Profile | None, packages: dict[str, str], size: int) -> Plan:
    names = REFERENCE_BASED if profile is None else (*REFERENCE_BASED, *MODEL_BASED)
    here = Path(__file__).parent
    identity: dict[str, object] = {
        "kind": "ragas",
        "packages": packages,
        "metrics": list(names),
        "asked": {
            name: file_sha256(here / f"{name}.py") for name in ("ragas_metrics", "ragas_model")
        },
        "judge": model_of(profile.judge) if profile else None,
        "embedder": profile.embedder.model_dump(mode="json") if profile else None,
        "batch_size": size if profile else None,
    }
    label = profile.judge.model if profile else "no_model"
    metrics = tuple(PREFIX + name for name in names)
    return Plan("ragas", label, metrics, json.loads(json.dumps(identity)))


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

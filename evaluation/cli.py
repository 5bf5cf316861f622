"""One evaluation from its command line: settle what runs, run or resume it, show the results."""

import argparse
import json
import os
import platform
import shlex
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from dataset import default_dataset
from evaluation import flags, results
from evaluation.folder import locked, set_aside, write_manifest
from evaluation.identity import Choices, digest, folder_name, identity_of, versions
from evaluation.journal import Journal
from evaluation.questions import Item, load_items
from evaluation.run import Machine, batches, journal_path, run
from evaluation.timings import write_timings
from graph.build import answering_graph, judged_graph
from graph.config import load_settings
from graph.models import Models, open_models
from graph.retrieval import open_retriever
from graph.retrieval.documents import default_corpus
from graph.retrieval.encoder import open_encoder
from graph.schema import Config, EmbedderSpec, ModelSpec, Settings
from graph.terminal import Interrupted, log
from nodes.state import State


@dataclass(frozen=True)
class Job:
    """One run, settled."""

    choices: Choices
    items: list[Item]
    identity: dict[str, object]
    folder: Path
    index: Path | None


def main() -> int:
    """Run eval.py; return its exit code."""
    arguments = flags.parser().parse_args()
    if arguments.list:
        sys.stdout.write(flags.listing())
        return 0
    jobs = [_settle(arguments, choice) for choice in flags.selected(arguments)]
    if arguments.dry_run:
        for job in jobs:
            sys.stdout.write(_description(job))
        return 0
    return max(_run(job, fresh=arguments.fresh) for job in jobs)


def _settle(arguments: argparse.Namespace, choice: flags.Selected) -> Job:
    overrides = [*choice.overrides, *arguments.set]
    settings = load_settings(choice.name, arguments.profile, overrides)
    if arguments.profile == "auto":
        log.info("profile auto: %s", settings.profile_name)
    dataset = arguments.dataset or default_dataset()
    corpus = _corpus(settings.config, arguments.corpus)
    log.info("dataset: %s%s", dataset, f", corpus: {corpus}" if corpus else "")
    choices = Choices(
        settings=settings,
        corpus=corpus,
        dataset=dataset,
        limit=arguments.limit,
        batch_size=arguments.batch_size,
        seed=arguments.seed,
        judged=not arguments.no_judge,
    )
    items = load_items(dataset, arguments.limit)
    _warn_of_unpinned(settings, judged=choices.judged)
    identity = json.loads(json.dumps(identity_of(choices)))
    folder = arguments.runs / folder_name(settings, dataset, digest(identity))
    return Job(choices, items, identity, folder, arguments.index)


def _warn_of_unpinned(settings: Settings, *, judged: bool) -> None:
    profile = settings.profile
    specs: dict[str, ModelSpec | EmbedderSpec] = {
        "generator": profile.generator,
        "embedder": profile.embedder,
    }
    if judged:
        specs["judge"] = profile.judge
    for name, spec in specs.items():
        hub = spec.engine == "huggingface" and not Path(spec.model).exists()
        if hub and spec.revision is None:
            log.warning(
                "%s: the newest revision of %s is taken; for numbers to publish, pin one with "
                "--set %s.revision=COMMIT",
                name,
                spec.model,
                name,
            )


def _corpus(config: Config, given: Path | None) -> Path | None:
    if config.retrieval.kind == "none":
        if given is not None:
            log.info("this config retrieves nothing: --corpus is not used")
        return None
    return given or default_corpus()


def _description(job: Job) -> str:
    """Return what --dry-run prints: config, identity and cost."""
    settings = job.choices.settings
    resolved = {
        "config": settings.config.model_dump(mode="json"),
        "profile": settings.profile.model_dump(mode="json"),
    }
    config = settings.config
    calls = calls_per_question(config)
    length = config.generation.max_new_tokens
    return (
        f"# {settings.config_name}, profile {settings.profile_name}\n"
        + yaml.safe_dump(resolved, sort_keys=False)
        + f"questions: {len(job.items)}\n"
        + f"batches: {len(batches(job.items, job.choices.batch_size))}\n"
        + f"texts to generate: {calls * len(job.items)} at most, each of up to {length} tokens\n"
        + f"verdicts: {len(job.items) if job.choices.judged else 0} of the judge\n"
        + f"folder: {job.folder}\n"
        + f"identity: {digest(job.identity)}\n"
    )


def calls_per_question(config: Config) -> int:
    """Return how many texts a question takes at most."""
    drafts = config.rerank.drafts if config.rerank.initial else 1
    generate = drafts * (2 if config.generation.cot else 1)
    if config.retrieval.kind == "none":
        return generate
    refined = config.rerank.drafts if config.rerank.refined else 1
    return generate + config.refine.max_rounds * (1 + refined)


def _run(job: Job, *, fresh: bool) -> int:
    if fresh:
        with locked(job.folder):
            aside = set_aside(job.folder)
        if aside:
            log.info("the old run is now in %s", aside)
    # A corpus or an index that is refused leaves no run folder behind.
    ready = None if job.folder.exists() else _machine(job)
    with locked(job.folder):
        write_manifest(job.folder, _manifest(job))
        journal = Journal(journal_path(job.folder))
        try:
            _answer(job, journal, ready)
        finally:
            journal.close()
        found = results.results_of(job.choices.settings, list(journal.records.values()))
        results.write_results(job.folder, found)
    _show(found, job.folder)
    return 1 if found["failed"] == found["n"] else 0


def _answer(job: Job, journal: Journal, ready: tuple[Machine, Models] | None) -> None:
    missing = len([item for item in job.items if item.index not in journal.records])
    if not missing:
        log.info("this run is finished: showing its result (--fresh starts over)")
        return
    if missing < len(job.items):
        log.info("going on: %d of %d questions are done", len(job.items) - missing, len(job.items))
    try:
        machine, models = ready or _machine(job)
        session = run(machine, job.items, job.choices.batch_size, journal)
    except Interrupted:
        done = sum(item.index in journal.records for item in job.items)
        command = shlex.join(["python", *sys.argv])
        log.warning("interrupted: %d of %d questions are done and kept", done, len(job.items))
        log.warning("to go on: %s", command)
        raise
    if session.recomputed:
        log.info(
            "%d questions of an interrupted batch were computed again, %d came out differently",
            session.recomputed,
            session.not_reproduced,
        )
    commits = {"generator": models.generator.engine.commit, "judge": models.judge.engine.commit}
    write_timings(job.folder, session, list(journal.records.values()), commits)


def _machine(job: Job) -> tuple[Machine, Models]:
    """Put models, index and graph together; the index is built or opened here, weights later."""
    choices = job.choices
    config, profile = choices.settings.config, choices.settings.profile
    retriever = None
    if choices.corpus is not None:
        retriever = open_retriever(
            config.retrieval, profile.embedder, corpus=choices.corpus, folder=job.index
        )
        retriever.open()
    models = open_models(profile, batch_size=choices.batch_size, seed=choices.seed)
    answering = answering_graph(
        config,
        model=models.generator,
        chooser=models.generator,
        retriever=retriever,
        output=State,
    )
    graph = judged_graph(answering, models.judge if choices.judged else None)
    return Machine(graph, models.lockstep, open_encoder(profile.embedder)), models


def _manifest(job: Job) -> dict[str, Any]:
    return {
        "digest": digest(job.identity),
        "identity": job.identity,
        "config": job.choices.settings.config_name,
        "profile": job.choices.settings.profile_name,
        "questions": len(job.items),
        "corpus": str(job.choices.corpus) if job.choices.corpus else None,
        "dataset": str(job.choices.dataset),
        "command": shlex.join(["python", *sys.argv]),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "hardware": {
            "machine": platform.machine(),
            "system": platform.system(),
            "cpus": os.cpu_count(),
            "gpu": _gpu(),
        },
        "versions": versions(),
    }


def _gpu() -> str | None:
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else None


def _show(found: results.Results, folder: Path) -> None:
    console = Console(width=None if sys.stdout.isatty() else 100)
    console.print(results.headline(found), markup=False, highlight=False)
    console.print(results.table_of(found))
    console.print(
        "Each metric is in [0, 1], higher is better; intervals are 95 % bootstrap intervals."
    )
    for note in results.notes(found):
        console.print(f"note: {note}", markup=False, highlight=False)
    sys.stdout.write(f"run: {folder}\n")

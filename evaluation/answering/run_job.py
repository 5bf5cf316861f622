"""One job from its settled choices to a complete journal: leaks, models, index, then the loop."""

import os
import platform
import shlex
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from dataset.check.leaks import LeaksData
from evaluation.answering.job import Job
from evaluation.answering.leak_exclusion import excluded_ids, find_leaks, recorded_leaks
from evaluation.answering.loop import run_loop
from evaluation.answering.machine import Machine, open_machine
from evaluation.answering.timings import write_timings
from evaluation.store.identity import digest, versions
from evaluation.store.journal import Journal
from graph.models import Models
from graph.support.terminal import Interrupted, log


class PreparedJob(NamedTuple):
    """What a job needs to answer questions."""

    machine: Machine
    models: Models
    leaks: LeaksData | None


def prepare(job: Job, open_models: Callable[[], Models]) -> PreparedJob:
    """Search for leaks, open the models and the index, and build the graph.

    Raises:
        DatasetError, IndexMismatchError, MissingExtraError: see `open_machine`.
    """
    choices = job.choices
    leaks = _leaks(job)
    models = open_models()
    machine = open_machine(
        choices.settings,
        models,
        corpus=choices.corpus,
        index=job.index,
        excluded=excluded_ids(leaks),
        judged=choices.judged,
        items=job.items,
        seed=choices.seed,
        calibrated=choices.calibrated.calibrated if choices.calibrated else None,
    )
    return PreparedJob(machine, models, leaks)


def answer_missing(
    job: Job, journal: Journal, open_models: Callable[[], Models], prepared: PreparedJob | None
) -> None:
    """Answer the questions that the journal does not hold yet; a finished run loads nothing.

    Raises:
        Interrupted: after the message that says how to go on.
    """
    missing = sum(item.index not in journal.entries for item in job.items)
    if not missing:
        log.info("this run is finished: showing its result (--fresh starts over)")
        return
    if missing < len(job.items):
        log.info("going on: %d of %d questions are done", len(job.items) - missing, len(job.items))
    try:
        prepared = prepared or prepare(job, open_models)
        session = run_loop(prepared.machine, job.items, job.choices.batch_size, journal)
    except Interrupted:
        done = sum(item.index in journal.entries for item in job.items)
        command = shlex.join(["python", *sys.argv])
        log.warning("interrupted: %d of %d questions are done and kept", done, len(job.items))
        log.warning("to go on: %s", command)
        raise
    log.info("model calls: %s", session.calls)
    if session.recomputed:
        log.info(
            "%d questions of an interrupted batch were computed again, %d came out differently",
            session.recomputed,
            session.not_reproduced,
        )
    models = prepared.models
    engines = {"generator": models.generator.engine, "judge": models.judge.engine}
    commits = {name: engine.commit for name, engine in engines.items()}
    write_timings(job.folder, session, list(journal.entries.values()), commits)


def manifest_of(job: Job, leaks: LeaksData | None) -> dict[str, Any]:
    """Return the manifest of a job: its identity, and what else helps to repeat it."""
    choices = job.choices
    return {
        "digest": digest(job.identity),
        "identity": job.identity,
        "config": choices.settings.config_name,
        "profile": choices.settings.profile_name,
        "questions": len(job.items),
        "corpus": str(choices.corpus) if choices.corpus else None,
        "dataset": str(choices.dataset),
        "leaks": leaks,
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


def _leaks(job: Job) -> LeaksData | None:
    """Return the posts to leave out, from the run's manifest where it has them."""
    choices = job.choices
    if choices.corpus is None or choices.keep_leaks:
        return None
    leaks = recorded_leaks(job.folder / "manifest.json")
    if leaks is None:
        leaks = find_leaks(job.items, choices.corpus, choices.dataset).to_data()
    if leaks["leaks"]:
        log.info(
            "%d questions of the corpus are in the dataset too and are left out of retrieval "
            "(--keep-leaks keeps them)",
            leaks["corpus_questions"],
        )
    return leaks


def _gpu() -> str | None:
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else None

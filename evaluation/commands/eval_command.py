"""One evaluation from its command line: settle what runs, run or resume it, show the results."""

import os
import platform
import shlex
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple

from rich.console import Console

from dataset.check.leaks import LeaksData
from evaluation.analysis import run_results as results
from evaluation.answering import flags
from evaluation.answering.job import Job, description, settle
from evaluation.answering.leak_exclusion import excluded_ids, find_leaks, recorded_leaks
from evaluation.answering.loop import journal_path, run
from evaluation.answering.machine import Machine, open_machine
from evaluation.answering.run_identity import digest, versions
from evaluation.answering.timings import write_timings
from evaluation.calibration.known_judges import calibration_of
from evaluation.commands import ragas_command
from evaluation.commands.report_command import page_of, report_on
from evaluation.rescoring.ragas.ragas_metrics import open_ragas
from evaluation.store.journal import Journal
from evaluation.store.run_folder import locked, set_aside, write_manifest
from evaluation.tables import results_tables as summary
from graph.models import Models, open_models
from graph.models.reply_cache import default_cache
from graph.support.terminal import Interrupted, log


def main() -> int:
    """Run eval.py; return its exit code."""
    arguments = flags.parser().parse_args()
    if arguments.list:
        sys.stdout.write(flags.listing())
        return 0
    jobs = [settle(arguments, choice) for choice in flags.selected(arguments)]
    if arguments.dry_run:
        for job in jobs:
            sys.stdout.write(description(job))
        return 0
    # The configs of one command share their models and the cache of what those replied.
    models = cache(lambda: _open_models(jobs[0], cached=not arguments.no_cache))
    if arguments.ragas:
        # What is not installed is said before the work and not after it.
        open_ragas()
    finished = [_run(job, models, fresh=arguments.fresh) for job in jobs]
    if arguments.ragas:
        _score_with_ragas(jobs, finished, models)
    if not arguments.no_report:
        _report(jobs)
    if len(jobs) > 1:
        _show_grid(jobs, finished)
    else:
        sys.stdout.write(f"run: {jobs[0].folder}\n")
    return int(any(found["failed"] == found["n"] for found in finished))


def _score_with_ragas(
    jobs: list[Job], finished: list[results.Results], models: Callable[[], Models]
) -> None:
    for job, found in zip(jobs, finished, strict=True):
        if found["failed"] < found["n"]:
            profile, engine = job.choices.settings.profile, models().judge.engine
            ragas_command.show(ragas_command.score(job.folder, profile, engine))


class _Ready(NamedTuple):
    machine: Machine
    models: Models
    leaks: LeaksData | None


def _open_models(job: Job, *, cached: bool) -> Models:
    return open_models(
        job.choices.settings.profile,
        batch_size=job.choices.batch_size,
        seed=job.choices.seed,
        cache=default_cache() if cached else None,
    )


def _run(job: Job, models: Callable[[], Models], *, fresh: bool) -> results.Results:
    # A corpus or an index that is refused leaves no run folder behind, and an old run where it is.
    ready = _ready(job, models) if fresh or not job.folder.exists() else None
    if fresh:
        with locked(job.folder):
            aside = set_aside(job.folder)
        if aside:
            log.info("the old run is now in %s", aside)
    with locked(job.folder):
        if ready is None and not (job.folder / "manifest.json").exists():
            ready = _ready(job, models)
        write_manifest(job.folder, _manifest(job, ready.leaks if ready else None))
        journal = Journal(journal_path(job.folder))
        try:
            _answer(job, journal, models, ready)
        finally:
            journal.close()
        known = calibration_of(job.identity)
        found = results.results_of(job.choices.settings, list(journal.records.values()), known)
        summary.write_results(job.folder, found)
    _show(found)
    log.info("finished: %s", job.folder)
    return found


def _answer(job: Job, journal: Journal, models: Callable[[], Models], ready: _Ready | None) -> None:
    missing = len([item for item in job.items if item.index not in journal.records])
    if not missing:
        log.info("this run is finished: showing its result (--fresh starts over)")
        return
    if missing < len(job.items):
        log.info("going on: %d of %d questions are done", len(job.items) - missing, len(job.items))
    try:
        ready = ready or _ready(job, models)
        session = run(ready.machine, job.items, job.choices.batch_size, journal)
    except Interrupted:
        done = sum(item.index in journal.records for item in job.items)
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
    engines = {"generator": ready.models.generator.engine, "judge": ready.models.judge.engine}
    commits = {name: engine.commit for name, engine in engines.items()}
    write_timings(job.folder, session, list(journal.records.values()), commits)


def _ready(job: Job, models: Callable[[], Models]) -> _Ready:
    """Look for leaks, and put models, index and graph together."""
    choices = job.choices
    leaks = _leaks(job)
    opened = models()
    machine = open_machine(
        choices.settings,
        opened,
        corpus=choices.corpus,
        index=job.index,
        excluded=excluded_ids(leaks),
        judged=choices.judged,
        items=job.items,
        seed=choices.seed,
        calibrated=choices.calibrated.calibrated if choices.calibrated else None,
    )
    return _Ready(machine, opened, leaks)


def _leaks(job: Job) -> LeaksData | None:
    """Return which posts are left out, from the run's manifest where it is known already."""
    choices = job.choices
    if choices.corpus is None or choices.keep_leaks:
        return None
    leaks = recorded_leaks(job.folder / "manifest.json")
    if leaks is None:
        leaks = find_leaks(job.items, choices.corpus, choices.dataset).to_data()
    if leaks["leaks"]:
        log.info(
            "%d questions of the corpus stand in the dataset too and are left out of retrieval "
            "(--keep-leaks keeps them)",
            leaks["corpus_questions"],
        )
    return leaks


def _manifest(job: Job, leaks: LeaksData | None) -> dict[str, Any]:
    return {
        "digest": digest(job.identity),
        "identity": job.identity,
        "config": job.choices.settings.config_name,
        "profile": job.choices.settings.profile_name,
        "questions": len(job.items),
        "corpus": str(job.choices.corpus) if job.choices.corpus else None,
        "dataset": str(job.choices.dataset),
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


def _gpu() -> str | None:
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else None


def _report(jobs: list[Job]) -> None:
    folders = [job.folder for job in jobs]
    for folder in folders:
        report_on([folder], folder / "report.html")
    if len(folders) > 1:
        report_on(folders, page_of(folders))


def _show(found: results.Results) -> None:
    console = Console(width=None if sys.stdout.isatty() else 100)
    console.print(summary.headline(found), markup=False, highlight=False)
    console.print(summary.table_of(found))
    console.print(
        "Each metric is in [0, 1], higher is better; intervals are 95 % bootstrap intervals."
    )
    if found["retrieval"]:
        console.print(summary.outcomes_line(found["retrieval"]), markup=False, highlight=False)
    if found["added"]:
        console.print("What each stage added to the answers where it ran:")
        console.print(summary.stages_table(found["added"]))
    for note in summary.notes(found):
        console.print(f"note: {note}", markup=False, highlight=False)


def _show_grid(jobs: list[Job], finished: list[results.Results]) -> None:
    from evaluation.analysis import control_comparison as grid

    folders = {job.choices.settings.config_name: job.folder for job in jobs}
    console = Console(width=None if sys.stdout.isatty() else 100)
    compared = grid.compare_with_control(folders)
    console.print(grid.grid_table(finished, compared.tokens))
    for line in grid.verdicts(compared):
        console.print(line, markup=False, highlight=False)
    console.print(grid.calls_line(compared), markup=False, highlight=False)
    console.print(
        "Paired permutation tests, Holm's adjustment over this list. All pairs, with intervals and "
        "effect sizes: python -m evaluation compare " + shlex.join(map(str, folders.values())),
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    for folder in folders.values():
        sys.stdout.write(f"run: {folder}\n")

"""eval.py: resolve the jobs, run or resume them, show the results, write the report."""

import argparse
import shlex
from collections.abc import Callable, Sequence
from functools import cache, partial

from evaluation.analysis.control_comparison import compare_with_control, verdict_lines
from evaluation.analysis.run_results import Results, results_of
from evaluation.answering import flags
from evaluation.answering.job import Job, description, resolve_job
from evaluation.answering.run_job import (
    PreparedJob,
    answer_missing,
    command_line,
    finished_records,
    manifest_of,
    prepare,
)
from evaluation.answering.workers import Workers, open_in_worker, with_absolute_paths
from evaluation.calibration.known_judges import Calibration, calibration_of
from evaluation.commands.ragas_command import show_ragas
from evaluation.report.report_file import page_of, report_on
from evaluation.rescoring.ragas.ragas_metrics import open_ragas
from evaluation.rescoring.ragas.ragas_pass import RagasResult, check_judge, score_with_ragas
from evaluation.store.identity import program_digests
from evaluation.store.journal import Journal, journal_path
from evaluation.store.run_folder import locked, set_aside, write_manifest
from evaluation.tables import results_tables
from evaluation.tables.grid_table import calls_line, grid_table
from graph.models import Models, open_models
from graph.models.reply_cache import ReplyCache, default_cache
from graph.support.errors import ReadOnlyFolderError
from graph.support.logger import log
from graph.support.terminal import console, print_document, print_line, print_text
from graph.support.text import plural
from graph.support.trace_export import exported_traces
from graph.support.worker_options import pool_options
from graph.support.worker_pool import WorkerPool


def main() -> int:
    """Run eval.py; return its exit code."""
    return run(flags.parser().parse_args())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    flags.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the configs that the arguments select; return the exit code."""
    if arguments.list:
        print_document(flags.listing())
        return 0
    jobs = [resolve_job(arguments, selection) for selection in flags.selected(arguments)]
    if arguments.dry_run:
        for job in jobs:
            print_document(description(job))
        return 0
    options = pool_options(arguments)
    pool = WorkerPool(options) if options else None
    replies = None if arguments.no_cache else default_cache()
    try:
        with exported_traces():
            return _evaluate(jobs, arguments, replies, pool)
    finally:
        if pool:
            pool.close()
        if replies:
            replies.log_damaged()


def _evaluate(
    jobs: list[Job],
    arguments: argparse.Namespace,
    replies: ReplyCache | None,
    pool: WorkerPool | None,
) -> int:
    # Opened once: the configs of one command share their models and the cache of model calls.
    models = cache(lambda: _open_models(jobs[0], replies))
    if arguments.ragas:
        # A missing package or an unfit judge is an error before the work, not after it.
        open_ragas()
        check_judge(jobs[0].choices.settings.profile)
    # Read before the work: a damaged list of measured judges must not cost a finished run its tables.
    calibrations = [calibration_of(job.identity) for job in jobs]
    results = []
    for job, calibration in zip(jobs, calibrations, strict=True):
        preparation = _preparation(job, models, pool, arguments, replies)
        result = _run(job, preparation, calibration, arguments)
        ragas = _score_with_ragas(job, result, models, pool) if arguments.ragas else None
        # The page too is on disk before anything is printed.
        if not arguments.no_report:
            report_on([job.folder], job.folder / "report.html")
        _show(result)
        if _too_many_failed(result, arguments.allow_failed):
            _show_failed_share(job, result, arguments.allow_failed)
        if ragas:
            show_ragas(ragas)
        results.append(result)
    if len(jobs) > 1:
        folders = [job.folder for job in jobs]
        if not arguments.no_report:
            report_on(folders, page_of(folders))
        _show_grid(jobs, results)
    else:
        print_line(f"run: {jobs[0].folder}")
    return int(any(_too_many_failed(result, arguments.allow_failed) for result in results))


def _open_models(job: Job, replies: ReplyCache | None) -> Models:
    return open_models(
        job.choices.settings.profile,
        batch_size=job.choices.batch_size,
        seed=job.choices.seed,
        cache=replies,
    )


def _preparation(
    job: Job,
    models: Callable[[], Models],
    pool: WorkerPool | None,
    arguments: argparse.Namespace,
    replies: ReplyCache | None,
) -> Callable[[], PreparedJob]:
    """Return a function that prepares a job at its first call, and starts the workers of a pool."""

    @cache
    def prepared() -> PreparedJob:
        # With workers too: the index is built once, and wrong data are refused before they start.
        here = prepare(job, models)
        if pool is None:
            return here
        pool.start()
        cached = not arguments.no_cache
        open_work = partial(
            open_in_worker,
            *(with_absolute_paths(job), here.excluded, program_digests()),
            cached=cached,
        )
        workers = Workers(pool, open_work, replies)
        return here._replace(answerer=workers, commits=workers.commits)

    return prepared


def _run(
    job: Job,
    prepared: Callable[[], PreparedJob],
    calibration: Sequence[Calibration],
    arguments: argparse.Namespace,
) -> Results:
    try:
        results = _complete(job, prepared, calibration, arguments)
    except ReadOnlyFolderError as error:
        records = finished_records(job, retry_failed=arguments.retry_failed)
        if arguments.fresh or not records:
            raise
        log.warning("%s: the finished run is shown, and nothing is written", error)
        results = results_of(job.choices.settings, records, calibration)
    log.info("finished: %s", job.folder)
    return results


def _complete(
    job: Job,
    prepared: Callable[[], PreparedJob],
    calibration: Sequence[Calibration],
    arguments: argparse.Namespace,
) -> Results:
    # Prepared before the folder is touched: a refused corpus or index leaves no run folder behind.
    if arguments.fresh or not job.folder.exists():
        prepared()
    if arguments.fresh and (moved_to := set_aside(job.folder)):
        log.info("the old run is now in %s", moved_to)
    with locked(job.folder):
        is_new = not (job.folder / "manifest.json").exists()
        write_manifest(job.folder, manifest_of(job, prepared().leaks if is_new else None))
        journal = Journal(journal_path(job.folder), job.key)
        try:
            answer_missing(job, journal, prepared, retry_failed=arguments.retry_failed)
        finally:
            journal.close()
        records = list(journal.entries.values())
        results = results_of(job.choices.settings, records, calibration)
        results_tables.write_results(job.folder, results)
    return results


def _too_many_failed(results: Results, allowed: float) -> bool:
    # A product such as 0.29 * 100 is a little below 29.
    return results["failed"] / results["n"] > allowed


def _show_failed_share(job: Job, results: Results, allowed: float) -> None:
    screen, failed, total = console(), results["failed"], results["n"]
    lines = [
        f"{failed} of {total} {plural(total, 'question')} failed ({failed / total:.1%}), more than the "
        f"{allowed:.1%} that --allow-failed allows: the means leave {plural(failed, 'it', 'them')} out.",
        f"to see the errors: {shlex.join(['python', '-m', 'evaluation', 'report', str(job.folder)])}",
        f"to ask them again: {command_line('--retry-failed')}",
    ]
    for line in lines:
        print_text(screen, line, style="bold red", wrap=False)


def _score_with_ragas(
    job: Job, result: Results, models: Callable[[], Models], pool: WorkerPool | None
) -> RagasResult | None:
    if result["failed"] == result["n"]:
        return None
    if pool:
        # Their GPUs are free for the judge then. The next config starts new workers.
        pool.close()
    return score_with_ragas(job.folder, job.choices.settings.profile, models().judge.engine)


def _show(results: Results) -> None:
    screen = console()
    print_text(screen, results_tables.headline(results))
    screen.print(results_tables.results_table(results))
    print_text(
        screen,
        "Each metric is in [0, 1], higher is better; intervals: 95 %, bootstrap over questions, Wilson's "
        "if all scores are 0 or 1.",
    )
    if results["retrieval"]:
        print_text(screen, results_tables.outcomes_line(results["retrieval"]))
    if results["added"]:
        print_text(screen, "What each stage added to the answers where it ran:")
        screen.print(results_tables.stages_table(results["added"]))
    for note in results_tables.notes(results):
        print_text(screen, f"note: {note}")


def _show_grid(jobs: list[Job], results: list[Results]) -> None:
    folders = {job.choices.settings.config_name: job.folder for job in jobs}
    screen, comparison = console(), compare_with_control(folders)
    screen.print(grid_table(results, comparison.tokens))
    for line in verdict_lines(comparison.control, comparison.differences):
        print_text(screen, line)
    print_text(screen, calls_line(comparison))
    print_text(
        screen,
        "Paired permutation tests, Holm's adjustment over this list. All pairs, with intervals and "
        "effect sizes: python -m evaluation compare " + shlex.join(map(str, folders.values())),
        wrap=False,
    )
    for folder in folders.values():
        print_line(f"run: {folder}")

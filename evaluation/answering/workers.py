"""The answerer that has workers: each opens the models, the index and the graph of the job for itself."""

import json
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import NamedTuple

from evaluation.answering.batch_records import answer_batch
from evaluation.answering.job import Job
from evaluation.answering.job_setup import commits_of, open_job_setup
from evaluation.answering.questions import Batch, Item
from evaluation.answering.run_identity import identity_of
from evaluation.store.identity import program_digests
from evaluation.store.journal import Record
from graph.models import Models, open_models
from graph.models.reply_cache import ReplyCache, default_cache
from graph.schema import Profile
from graph.support.errors import ConfigError
from graph.support.text import plural
from graph.support.trace_export import exported_traces
from graph.support.worker_pool import WorkerPool


class AnsweredBatch(NamedTuple):
    """What a worker returns for a batch."""

    records: list[Record]
    commits: dict[str, str | None]
    """See `commits_of`."""
    damaged: int = 0
    """Stored batches of model calls that were damaged."""


class Workers:
    """An answerer whose batches run in the workers of a pool, several at the same time."""

    def __init__(
        self,
        pool: WorkerPool,
        open_work: Callable[[], Callable[[Sequence[Item]], AnsweredBatch]],
        replies: ReplyCache | None = None,
    ) -> None:
        """Wrap a pool.

        Args:
            pool: The pool.
            open_work: Called once in each worker; returns the function that answers a batch.
            replies: The cache of model calls of this process, which counts the damaged ones of all.
        """
        self._pool, self._open_work, self._replies = pool, open_work, replies
        self._commits: dict[str, str | None] = {}

    def answer(
        self, batches: Iterable[Batch], show: Callable[[str], None]
    ) -> Iterator[list[Record]]:
        """Yield the records of each batch; show the number of batches in work."""

        def on_wait(count: int) -> None:
            show(f"{count} {plural(count, 'batch', 'batches')} in work")

        for answered in self._pool.map(self._open_work, batches, on_wait):
            # A worker that took all replies from the cache has loaded no model.
            loaded = {name: commit for name, commit in answered.commits.items() if commit}
            self._commits = {**answered.commits, **self._commits, **loaded}
            if self._replies:
                self._replies.damaged += answered.damaged
            yield answered.records

    def commits(self) -> dict[str, str | None]:
        """Return the commits of the models that the workers loaded."""
        return self._commits


def open_in_worker(
    job: Job, excluded: frozenset[str], program: Mapping[str, str], *, cached: bool
) -> Callable[[Sequence[Item]], AnsweredBatch]:
    """Open a job in a worker; return the function that answers a batch.

    Args:
        job: The job.
        excluded: Ids of corpus questions that are never retrieved.
        program: `program_digests` of the process that writes the run.
        cached: Whether the cache of model calls is used.

    Raises:
        ConfigError: The code, the data or the hardware of the worker would make another run.
    """
    models, replies = _models(
        job.choices.settings.profile, job.choices.batch_size, job.choices.seed, cached
    )
    _check_identity(job, program)
    setup = open_job_setup(job, models, excluded)

    def answer(batch: Sequence[Item]) -> AnsweredBatch:
        # For each batch, since a worker has no end at which traces could be sent.
        with exported_traces():
            records = answer_batch(setup, batch)
        damaged = 0
        if replies:
            damaged, replies.damaged = replies.damaged, 0
        return AnsweredBatch(records, commits_of(models), damaged)

    return answer


# The configs of one command share their models, as in one process.
@cache
def _models(
    profile: Profile, batch_size: int, seed: int, cached: bool
) -> tuple[Models, ReplyCache | None]:
    replies = default_cache() if cached else None
    return open_models(profile, batch_size=batch_size, seed=seed, cache=replies), replies


def with_absolute_paths(job: Job) -> Job:
    """Return a job for workers, whose working folder is another."""
    choices = job.choices
    corpus = choices.corpus.absolute() if choices.corpus else None
    index = job.index.absolute() if job.index else None
    choices = choices._replace(dataset=choices.dataset.absolute(), corpus=corpus)
    return replace(job, choices=choices, index=index)


def _check_identity(job: Job, program: Mapping[str, str]) -> None:
    """Check that this worker computes what every other process of the run does."""
    own = {**json.loads(json.dumps(identity_of(job.choices))), **program_digests()}
    expected = {**job.identity, **program}
    differing = [name for name in {**expected, **own} if own.get(name) != expected.get(name)]
    if differing:
        raise ConfigError(
            f"the worker on {platform.node()} would make another run, as its {differing[0]} differs: each "
            "machine needs the same checkout, packages, data and kind of processor or GPU"
        )

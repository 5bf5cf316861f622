"""The answerer that has workers: each opens the models, the index and the graph of the job for itself."""

import json
import platform
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

from evaluation.answering.batch_records import answer_batch
from evaluation.answering.job import Job
from evaluation.answering.job_setup import commits_of, open_job_setup
from evaluation.answering.questions import Batch, Item
from evaluation.answering.run_identity import identity_of
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


class Workers:
    """An answerer whose batches run in the workers of a pool, several at the same time."""

    def __init__(
        self, pool: WorkerPool, open_work: Callable[[], Callable[[Sequence[Item]], AnsweredBatch]]
    ) -> None:
        self._pool, self._open_work = pool, open_work
        self._commits: dict[str, str | None] = {}

    def answer(
        self, batches: Iterable[Batch], show: Callable[[str], None]
    ) -> Iterator[list[Record]]:
        """Yield the records of each batch; show the number of batches in work."""

        def on_wait(count: int) -> None:
            show(f"{count} {plural(count, 'batch', 'batches')} in work")

        for answered in self._pool.map(self._open_work, batches, on_wait):
            self._commits = answered.commits
            yield answered.records

    def commits(self) -> dict[str, str | None]:
        """Return the commits of the models of the worker that answered last."""
        return self._commits


def open_in_worker(
    job: Job, excluded: frozenset[str], *, cached: bool
) -> Callable[[Sequence[Item]], AnsweredBatch]:
    """Open a job in a worker; return the function that answers a batch.

    Args:
        job: The job.
        excluded: Ids of corpus questions that are never retrieved.
        cached: Whether the cache of model calls is used.

    Raises:
        ConfigError: The code, the data or the hardware of the worker would make another run.
    """
    models, replies = _models(
        job.choices.settings.profile, job.choices.batch_size, job.choices.seed, cached
    )
    _check_identity(job)
    setup = open_job_setup(job, models, excluded)

    def answer(batch: Sequence[Item]) -> AnsweredBatch:
        # For each batch, since a worker has no end at which traces could be sent.
        with exported_traces():
            records = answer_batch(setup, batch)
        if replies:
            replies.log_damaged()
        return AnsweredBatch(records, commits_of(models))

    return answer


# The configs of one command share their models, as in one process.
@cache
def _models(
    profile: Profile, batch_size: int, seed: int, cached: bool
) -> tuple[Models, ReplyCache | None]:
    replies = default_cache() if cached else None
    return open_models(profile, batch_size=batch_size, seed=seed, cache=replies), replies


def _check_identity(job: Job) -> None:
    """Check that this worker computes what every other process of the run does."""
    own = json.loads(json.dumps(identity_of(job.choices)))
    differing = [name for name in own if own[name] != job.identity.get(name)]
    if differing:
        raise ConfigError(
            f"the worker on {platform.node()} would make another run, as its {differing[0]} differs: each "
            "machine needs the same checkout, packages, data and kind of processor or GPU"
        )

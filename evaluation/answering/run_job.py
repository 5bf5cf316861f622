"""The run of a job: leaks, models, index, the loop over its questions, and timings.json."""

import json
import os
import platform
import shlex
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from dataset.leaks.leak_search import LeakReport
from evaluation.answering.batch_records import OneProcess
from evaluation.answering.job import Job
from evaluation.answering.job_setup import commits_of, open_job_setup
from evaluation.answering.leak_exclusion import find_leaks, recorded_leaks
from evaluation.answering.loop import Answerer, Session, indices_to_answer, run_loop
from evaluation.answering.model_calls import lacks_result
from evaluation.store.identity import versions
from evaluation.store.journal import Journal, Record
from evaluation.store.recorded_run import questions_are, read_run
from graph.models import Models
from graph.support.environment import environment_failures
from graph.support.errors import DatasetError, EnvironmentFailure
from graph.support.logger import log
from graph.support.storage import read_regular, write_atomically
from graph.support.terminal import Interrupted
from graph.support.text import plural, without_surrogates
from nodes.state import calls_of


class PreparedJob(NamedTuple):
    """A job that is ready to answer questions."""

    answerer: Answerer
    commits: Callable[[], dict[str, str | None]]
    """Returns the commits of the models that were loaded, by role."""
    leaks: LeakReport | None

    @property
    def excluded(self) -> frozenset[str]:
        """Ids of corpus questions that are never retrieved."""
        return _excluded(self.leaks)


def prepare(job: Job, open_models: Callable[[], Models]) -> PreparedJob:
    """Search for leaks, open the models and the index, and build the graph.

    Raises:
        DatasetError, IndexMismatchError, MissingExtraError: see `open_setup`.
    """
    leaks = _leaks(job)
    models = open_models()
    setup = open_job_setup(job, models, _excluded(leaks))
    return PreparedJob(OneProcess(setup), partial(commits_of, models), leaks)


def answer_missing(
    job: Job,
    journal: Journal,
    prepared: Callable[[], PreparedJob],
    *,
    retry_failed: bool = False,
) -> None:
    """Answer the questions that the journal does not hold yet; a finished run loads nothing.

    Args:
        job: The run.
        journal: Its records.
        prepared: Returns the prepared job.
        retry_failed: Whether failed questions, and those that the judge failed at, are asked again.

    Raises:
        Interrupted: A signal ended the run; the command that continues it is logged.
        EnvironmentFailure: The environment failed; the message says what is recorded.
        FileLostError: The journal was removed, moved or replaced.
    """
    missing = len(indices_to_answer(job.items, journal, retry_failed=retry_failed))
    if not missing:
        log.info("this run is finished: showing its result (--fresh starts over)")
        return
    if missing < len(job.items):
        done = len(job.items) - missing
        log.info("going on: %s done", questions_are(done, len(job.items)))
    try:
        answerer = prepared().answerer
        with environment_failures():
            session = run_loop(
                *(answerer, job.items, job.choices.batch_size, journal),
                retry_failed=retry_failed,
            )
    except EnvironmentFailure as failure:
        done = _done(job, journal, retry_failed=retry_failed)
        raise EnvironmentFailure(
            f"the run stopped: {failure}; {questions_are(done, len(job.items))} recorded; when "
            f"the cause is gone, the same command goes on: {command_line()}"
        ) from failure
    except Interrupted:
        done = _done(job, journal, retry_failed=retry_failed)
        log.warning("interrupted: %s done and kept", questions_are(done, len(job.items)))
        log.warning("to go on: %s", command_line())
        raise
    journal.check_in_place()
    _log_session(session)
    write_timings(job.folder, session, list(journal.entries.values()), prepared().commits())


def _log_session(session: Session) -> None:
    log.info("model calls: %s", session.calls)
    count = session.recomputed
    if count:
        log.info(
            "%d %s of an interrupted batch %s computed again, %d came out differently",
            *(count, plural(count, "question"), plural(count, "was", "were")),
            session.not_reproduced,
        )


def _done(job: Job, journal: Journal, *, retry_failed: bool) -> int:
    return len(job.items) - len(indices_to_answer(job.items, journal, retry_failed=retry_failed))


def finished_records(job: Job, *, retry_failed: bool) -> list[Record]:
    """Return the records of a run without writing; none if a question is to be answered.

    Raises:
        DatasetError: The run is damaged, or of another version.
    """
    if not os.path.exists(job.folder / "manifest.json"):
        return []
    run = read_run(job.folder)
    is_complete = run.finished and not (retry_failed and any(map(lacks_result, run.records)))
    return run.records if is_complete and run.digest == job.key.digest else []


def command_line(*more: str) -> str:
    """Return the command that continues this process's work, with more arguments, as it can be typed.

    `--fresh` is left out: it would start over.
    """
    words = [word for word in sys.argv[1:] if word != "--fresh"]
    more_words = [word for word in more if word not in words]
    return shlex.join([*_program(Path(sys.argv[0])), *words, *more_words])


def _program(script: Path) -> list[str]:
    if script.name == "__main__.py":
        return ["python", "-m", script.parent.name]
    # The console script of the package is a program of its own.
    return [str(script)] if script.stem == "opencoder" else ["python", str(script)]


def manifest_of(job: Job, leaks: LeakReport | None) -> dict[str, Any]:
    """Return the manifest of a job: its identity, its command, and the machine and packages used."""
    choices, key = job.choices, job.key
    return {
        "digest": key.digest,
        "identity": job.identity,
        "config": choices.settings.config_name,
        "profile": choices.settings.profile_name,
        "questions": len(job.items),
        "question_digests": key.question_digests,
        "corpus": without_surrogates(str(choices.corpus)) if choices.corpus else None,
        "dataset": without_surrogates(str(choices.dataset)),
        "leaks": leaks.to_json() if leaks else None,
        "command": without_surrogates(command_line()),
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


def _excluded(leaks: LeakReport | None) -> frozenset[str]:
    return frozenset(leaks.question_ids if leaks else ())


def _leaks(job: Job) -> LeakReport | None:
    """Return the leaks between dataset and corpus, from the run's manifest if it holds them."""
    choices = job.choices
    if choices.corpus is None or choices.keep_leaks:
        return None
    leaks = recorded_leaks(job.folder / "manifest.json")
    if leaks is None:
        leaks = find_leaks(job.items, choices.corpus, choices.dataset)
    if leaks.leaks:
        count = len(leaks.question_ids)
        log.info(
            "%d %s of the corpus %s in the dataset too, and left out of retrieval (--keep-leaks keeps "
            "%s)",
            *(count, plural(count, "question"), plural(count, "is", "are")),
            plural(count, "it", "them"),
        )
    return leaks


def _gpu() -> str | None:
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else None


def write_timings(
    folder: Path, session: Session, records: Sequence[Record], commits: dict[str, str | None]
) -> None:
    """Add a finished session to timings.json, with the mean seconds of each node over all records.

    Times differ from run to run, so they are kept apart from metrics.json.

    Args:
        folder: The run folder.
        session: The session.
        records: All records of the run.
        commits: The commits of the model repositories that the session loaded, by role.
    """
    path = folder / "timings.json"
    sessions = _earlier_sessions(path)
    sessions.append(
        {
            **session._asdict(),
            "calls": session.calls._asdict(),
            "commits": commits,
            "questions_per_second": session.questions / session.seconds,
            "new_tokens_per_second": session.calls.new_tokens / session.seconds,
        }
    )
    seconds: dict[str, list[float]] = defaultdict(list)
    for record in records:
        for step in record["steps"]:
            # A reply from the cache takes no time, which would distort the node's mean.
            if "seconds" in step and not any(call["cached"] for call in calls_of(step)):
                seconds[step["node"]].append(step["seconds"])
    nodes = {
        node: {"mean_seconds": sum(values) / len(values), "n": len(values)}
        for node, values in seconds.items()
    }
    write_atomically(path, json.dumps({"sessions": sessions, "nodes": nodes}, indent=1) + "\n")


def _earlier_sessions(path: Path) -> list[dict[str, Any]]:
    try:
        return list(json.loads(read_regular(path).decode("utf-8"))["sessions"])
    except (DatasetError, OSError, ValueError, KeyError, TypeError, RecursionError):
        return []

"""A pass over a finished run: answers in batches through a scorer, each batch on disk before the next."""

from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Protocol

from evaluation.rescoring.score_files import PassScore, ScoreFile, scored
from evaluation.store.journal import Record
from evaluation.store.recorded_run import RecordedRun, read_run
from graph.support.errors import DatasetError
from graph.support.progress import progress
from graph.support.terminal import Interrupted, log


class PassScorer(Protocol):
    """Scores the answers of a batch of records, in order."""

    def __call__(self, batch: Sequence[Record], on_served: Callable[[], None]) -> list[PassScore]:
        """Return one score for each record; `on_served` is called after every model call."""
        ...


def unscored(run: RecordedRun, file: ScoreFile) -> int:
    """Return how many answers have no score in the file yet.

    Raises:
        DatasetError: scores are of other answers.
    """
    return sum(scored(record, file.scores) is None for record in run.answered)


def score_run(
    run: RecordedRun, file: ScoreFile, scorer: PassScorer, batch_size: int, label: str
) -> int:
    """Score what `file` does not hold yet; return how many scores were written.

    A batch that an interrupt cut in two is scored again as a whole, so that its composition stays
    the same, but only the missing scores are written.
    """
    records = run.answered
    done = len(records) - unscored(run, file)
    written = 0
    try:
        with progress(label, len(records), done=done) as bar:
            calls = count(1)

            def sign_of_life() -> None:
                bar.advance(0, f"model call {next(calls)} done")

            for batch in in_batches(records, batch_size):
                missing = {r["index"] for r in batch} - file.scores.keys()
                if not missing:
                    continue
                fresh = [
                    score for score in scorer(batch, sign_of_life) if score["index"] in missing
                ]
                file.append(fresh)
                written += len(fresh)
                bar.advance(len(fresh))
    except Interrupted:
        log.warning(
            "interrupted: %d of %d answers are scored and kept; the same command goes on",
            done + written,
            len(records),
        )
        raise
    return written


def in_batches(records: Sequence[Record], size: int) -> list[Sequence[Record]]:
    """Return the plan: it follows from the records and the size, never from progress."""
    return [records[start : start + size] for start in range(0, len(records), size)]


_BATCH_SIZE = 8


def batch_size_of(run: RecordedRun) -> int:
    """Return the run's own batch size: the same judge then computes the same numbers."""
    size = run.identity.get("batch_size")
    return size if isinstance(size, int) and size > 0 else _BATCH_SIZE


def read_to_score(folder: Path) -> RecordedRun:
    """Read a run that is to be scored, and say what it lacks.

    Raises:
        DatasetError: no run, damaged, or nothing to score in it.
    """
    found = read_run(folder)
    if not found.answered:
        raise DatasetError(f"{folder} holds no answered question: there is nothing to score")
    if not found.finished:
        done = len(found.records)
        log.warning("%s: unfinished, %d of %d: scored on those", folder, done, found.questions)
    return found

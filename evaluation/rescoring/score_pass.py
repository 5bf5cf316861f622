"""A pass over a finished run: answers go through a scorer in batches, each saved before the next."""

from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import NamedTuple, Protocol

from evaluation.answering.model_calls import judge_error
from evaluation.rescoring.score_files import (
    FOLDER,
    PassScore,
    PassSpec,
    ScoreFile,
    fingerprint,
    score_of,
)
from evaluation.store.journal import Record
from evaluation.store.recorded_run import RecordedRun, read_run
from evaluation.store.run_folder import locked
from graph.support.environment import environment_failures
from graph.support.errors import DatasetError, EnvironmentFailure
from graph.support.logger import log
from graph.support.progress import progress
from graph.support.terminal import Interrupted
from graph.support.text import plural
from nodes.state import WITHHELD, Step, is_withheld


class PassScorer(Protocol):
    """The scorer of a pass: a judge or ragas."""

    def __call__(self, batch: Sequence[Record], on_served: Callable[[], None]) -> list[PassScore]:
        """Return the scores of each record, in order; call `on_served` after every model call."""
        ...


class PreparedPass(NamedTuple):
    """A pass that can be run: its description, and how to open its scorer."""

    spec: PassSpec
    open_scorer: Callable[[], PassScorer]
    """Called only where an answer is unscored, since it may load a model's weights."""


class CompletedPass(NamedTuple):
    """A run and the scores that a pass gave its answers."""

    run: RecordedRun
    spec: PassSpec
    scores: dict[int, PassScore]

    @property
    def scores_path(self) -> str:
        """The file of the scores, relative to the run folder."""
        return f"{FOLDER}/{self.spec.name}.jsonl"


def complete_pass(
    folder: Path,
    prepare: Callable[[RecordedRun], PreparedPass],
    task: str,
    *,
    retry_failed: bool = False,
) -> CompletedPass:
    """Score all answers of a run that a pass has not scored yet, and write them to its score file.

    Args:
        folder: The run folder.
        prepare: Returns the pass over the run.
        task: What the pass does, for its progress bar: `judging`.
        retry_failed: Whether answers that a judge failed at are asked again.

    Raises:
        DatasetError: the folder is no run, is damaged, or holds no answer.
        RunLockedError: another process holds the folder.
    """
    read_scorable_run(folder)
    with locked(folder):
        # The run is read again: it may have grown before the lock was held.
        run = read_run(folder)
        spec, open_scorer = prepare(run)
        file = ScoreFile(run, spec)
        try:
            if answers_to_score(run, file, retry_failed=retry_failed):
                score_run(
                    *(run, file, open_scorer(), f"{task} {folder}"), retry_failed=retry_failed
                )
            else:
                log.info("%s: every answer is scored already: showing the scores", folder)
        finally:
            file.close()
    return CompletedPass(run, spec, file.scores)


def read_scorable_run(folder: Path) -> RecordedRun:
    """Read a run that is to be scored, and warn if it is unfinished.

    Raises:
        DatasetError: the folder is no run, is damaged, or holds no answer.
    """
    run = read_run(folder)
    if not run.answered:
        raise DatasetError(
            f"{folder} holds no answered question, so there is nothing to score: name another run"
        )
    if not run.finished:
        log.warning("%s: unfinished, %s: only those are scored", folder, run.progress)
    return run


def answers_to_score(run: RecordedRun, file: ScoreFile, *, retry_failed: bool = False) -> set[int]:
    """Return the indices of the answers without a score in the file, and if asked of those that failed.

    Raises:
        DatasetError: scores are of other answers.
    """
    scores = {record["index"]: score_of(record, file.scores) for record in run.answered}
    return {
        index
        for index, score in scores.items()
        if score is None or (retry_failed and judge_error(judge_steps(score)) is not None)
    }


def judge_steps(score: PassScore) -> list[Step]:
    """Return the steps of a model's judgment; the calibrated judge has signals instead."""
    return [evidence for evidence in score["evidence"] if "node" in evidence]


def score_run(
    run: RecordedRun, file: ScoreFile, scorer: PassScorer, label: str, *, retry_failed: bool = False
) -> None:
    """Score the answers that `file` does not hold yet, and if asked those that a judge failed at.

    If an interrupt cut a batch in two, the whole batch is scored again, so that its composition
    stays the same, but only the missing scores are written.

    Raises:
        EnvironmentFailure: The environment failed, and not an answer; nothing of it is recorded.
        FileLostError: The score file was removed, moved or replaced.
    """
    records = run.answered
    to_score = answers_to_score(run, file, retry_failed=retry_failed)
    scored, written = len(records) - len(to_score), 0
    try:
        with environment_failures(), progress(label, len(records), done=scored) as bar:
            call_numbers = count(1)

            def on_served() -> None:
                bar.advance(0, f"model call {next(call_numbers)} done")

            for batch in batches_of(records, run.batch_size):
                if not any(record["index"] in to_score for record in batch):
                    continue
                scores = _score_batch(scorer, batch, file.spec, on_served)
                scores = [s for s in scores if s["index"] in to_score]
                _write(file, scores)
                written += len(scores)
                bar.advance(len(scores))
    except EnvironmentFailure as failure:
        raise EnvironmentFailure(
            f"the scoring stopped: {failure}; {_saved(scored + written, len(records))}; when the cause "
            "is gone, the same command goes on"
        ) from failure
    except Interrupted:
        saved = _saved(scored + written, len(records))
        log.warning("interrupted: %s; run the same command to go on", saved)
        raise


def _score_batch(
    scorer: PassScorer, batch: Sequence[Record], spec: PassSpec, on_served: Callable[[], None]
) -> list[PassScore]:
    """Return the scores of a batch; withheld answers are unscored, and no model is asked about them."""
    withheld, answers = list[Record](), list[Record]()
    for record in batch:
        (withheld if is_withheld(record["steps"]) else answers).append(record)
    scores = scorer(answers, on_served) if answers else []
    return [*scores, *(_unscored(record, spec) for record in withheld)]


def _unscored(record: Record, spec: PassSpec) -> PassScore:
    """Return the score of a withheld answer: none, with the reason."""
    return {
        "index": record["index"],
        "of": fingerprint(record),
        "scores": dict.fromkeys(spec.metrics),
        "reasons": dict.fromkeys(spec.metrics, WITHHELD),
        "evidence": [],
    }


def _write(file: ScoreFile, scores: Sequence[PassScore]) -> None:
    again = [score for score in scores if score["index"] in file.scores]
    if new := [score for score in scores if score["index"] not in file.scores]:
        file.append(new)
    if again:
        file.replace(again)


def _saved(scored: int, total: int) -> str:
    answers, are = plural(total, "answer"), plural(scored, "is", "are")
    return f"{scored} of {total} {answers} {are} scored and saved"


def batches_of(records: Sequence[Record], size: int) -> list[Sequence[Record]]:
    """Return the records in batches that depend on the records and the size alone.

    Batches of only the unscored records would be others after an interrupt.
    """
    return [records[start : start + size] for start in range(0, len(records), size)]

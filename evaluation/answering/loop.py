"""The evaluation loop: the batches of a run are answered and scored, and written in their order."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from time import perf_counter
from typing import NamedTuple, Protocol

from evaluation.answering.model_calls import Calls, count_calls, judge_error, lacks_result
from evaluation.answering.questions import Batch, Item, batches
from evaluation.store.journal import Journal, Record
from graph.support.errors import EnvironmentFailure, PromptTooLongError
from graph.support.progress import progress
from graph.support.text import one_line

_COMMON_FAILURES = 8
"""Questions in a row that fail in the same way before the run stops."""
_NUMBERED = re.compile(r"[\w-]*\d[\w-]*")
"""Numbers and ids in a message, such as those of requests."""


class Answerer(Protocol):
    """The part of a run that answers its batches."""

    def answer(
        self, batches: Iterable[Batch], show: Callable[[str], None]
    ) -> Iterator[list[Record]]:
        """Yield the records of each batch, in the order of the batches.

        Args:
            batches: The batches; the next one is taken when its work begins.
            show: Takes a note on the work in progress.

        Raises:
            EnvironmentFailure: The environment failed, and not a question.
        """
        ...


class Session(NamedTuple):
    """The work of one process for a run."""

    questions: int
    """Records written."""
    recomputed: int
    """Questions answered again because a crash cut their batch in two."""
    not_reproduced: int
    """Those of `recomputed` whose answer differs from the recorded one."""
    seconds: float
    calls: Calls


def run_loop(
    answerer: Answerer,
    items: Sequence[Item],
    batch_size: int,
    journal: Journal,
    *,
    retry_failed: bool = False,
) -> Session:
    """Answer and score every question that the journal does not hold yet.

    A batch of which some questions are recorded is computed again as a whole: in 16-bit arithmetic
    the texts depend on the shape of the batch. Only the missing records are written.

    Args:
        answerer: Answers the batches.
        items: The questions of the run.
        batch_size: The number of questions that are answered together.
        journal: The records, which are written in the order of the batches.
        retry_failed: Whether failed questions, and those that the judge failed at, are asked again. A
            record stays until the new one takes its place.

    Raises:
        EnvironmentFailure: The environment failed, and not a question; nothing of it is recorded.
        FileLostError: The journal was removed, moved or replaced.
    """
    start = perf_counter()
    written = recomputed = differing = 0
    calls = Calls(0, 0, 0)
    open_indices = indices_to_answer(items, journal, retry_failed=retry_failed)
    writer = _BatchWriter(journal)
    plan = _open_batches(items, batch_size, open_indices)
    with progress("answering questions", len(items), done=len(items) - len(open_indices)) as bar:
        for records in answerer.answer(
            _while_in_place(journal, plan), lambda note: bar.advance(0, note)
        ):
            fresh = [record for record in records if record["index"] in open_indices]
            others = [record for record in records if record["index"] not in open_indices]
            recomputed += len(others)
            differing += sum(_differs(record, journal.entries) for record in others)
            writer.write(fresh, all_of_batch=records)
            written += len(fresh)
            calls = calls.plus(count_calls(records))
            rate = calls.new_tokens / (perf_counter() - start)
            bar.advance(len(fresh), f"{rate:.0f} tokens/s")
        writer.write_held()
    seconds = perf_counter() - start
    return Session(written, recomputed, differing, seconds, calls)


def _open_batches(items: Sequence[Item], batch_size: int, open_indices: set[int]) -> list[Batch]:
    """Return the batches with a question that is to be answered."""
    plan = batches(items, batch_size)
    return [
        Batch(f"batch {number} of {len(plan)}", batch)
        for number, batch in enumerate(plan, 1)
        if any(item.index in open_indices for item in batch)
    ]


def _while_in_place(journal: Journal, plan: Sequence[Batch]) -> Iterator[Batch]:
    """Yield the batches; check before each that the journal can still take its records.

    Raises:
        FileLostError: The journal was removed, moved or replaced.
    """
    for batch in plan:
        journal.check_in_place()
        yield batch


def indices_to_answer(items: Sequence[Item], journal: Journal, *, retry_failed: bool) -> set[int]:
    """Return the indices of the questions without a record, and if asked of those without a result."""
    recorded = journal.entries
    return {
        item.index
        for item in items
        if item.index not in recorded or (retry_failed and lacks_result(recorded[item.index]))
    }


def _differs(record: Record, recorded: Mapping[int, Record]) -> bool:
    """Tell whether a question was recorded before with another answer."""
    return recorded[record["index"]]["answer"] != record["answer"]


def _common_error(records: Sequence[Record]) -> str | None:
    """Return the error that all questions of a batch, or their judge, failed with; None without one.

    An error that is known to be of a question, such as a request that a server refuses (400), is
    common if its messages are the same but for ids and numbers: a server refuses every request so if
    an account is empty or a setting is wrong. A prompt that is too long has no common cause.
    """
    errors = {_kind_of_error(record) for record in records}
    return errors.pop() if len(errors) == 1 else None


def _kind_of_error(record: Record) -> str | None:
    error, text = record["error"], _error_text(record)
    name = text.partition(": ")[0]
    if name in ("", PromptTooLongError.__name__):
        return None
    if error is not None and not error["of_question"]:
        return name
    return _NUMBERED.sub("#", text)


def _error_text(record: Record) -> str:
    """Return the error of a question or of its judge as `ValueError: no number`; "" without one."""
    error = record["error"]
    if error is None:
        return judge_error(record["steps"]) or ""
    return f"{error['type']}: {error['message']}"


class _BatchWriter:
    """The writer of batches, which holds back those that may have failed for one common cause.

    One question that fails says nothing about the next one. Where all questions of a batch fail in
    the same way, it may be a fault of the model or of the code that will fail every question. Such a
    batch is written when a later one shows that others work, or at the end of the run. If
    `_COMMON_FAILURES` questions in a row fail so, over more than one batch, the run stops.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._held: list[Sequence[Record]] = []
        self._common: str | None = None
        """The error of all questions in the batches that are held back."""
        self._failures = 0
        """The questions of these batches, also those whose records stay."""

    def write(self, records: Sequence[Record], *, all_of_batch: Sequence[Record]) -> None:
        """Write the new records of a batch, or hold them back.

        Raises:
            EnvironmentFailure: Too many questions in a row failed in the same way.
        """
        common = _common_error(all_of_batch)
        if common is None or common != self._common:
            self.write_held()
        if common is None:
            self._write(records)
            return
        self._held.append(records)
        self._common = common
        self._failures += len(all_of_batch)
        if len(self._held) > 1 and self._failures >= _COMMON_FAILURES:
            first = all_of_batch[0]
            whose = "the judge of " if first["error"] is None else ""
            raise EnvironmentFailure(
                f"{whose}{self._failures} questions in a row failed with {one_line(_error_text(first))}"
            )

    def write_held(self) -> None:
        """Write the records that are held back: a later question was answered, or none is left."""
        for records in self._held:
            self._write(records)
        self._held, self._common, self._failures = [], None, 0

    def _write(self, records: Sequence[Record]) -> None:
        recorded = self._journal.entries
        new = [record for record in records if record["index"] not in recorded]
        retried = [
            record
            for record in records
            if record["index"] in recorded
            # A question that was asked again for its judge alone keeps its answer.
            and (record["error"] is None or recorded[record["index"]]["error"] is not None)
        ]
        if new:
            self._journal.append(new)
        if retried:
            self._journal.replace(retried)

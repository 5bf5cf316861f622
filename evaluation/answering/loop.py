"""The evaluation loop: questions in batches through the graph, each batch on disk before the next."""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter
from typing import NamedTuple, cast

from evaluation.answering.machine import Machine
from evaluation.answering.model_calls import Calls, count_calls
from evaluation.answering.questions import Item
from evaluation.metrics.calibrated_judge import score_records
from evaluation.metrics.record_scores import score_texts
from evaluation.store.journal import Journal, Record
from graph.build import JudgedGraph
from graph.models.lockstep import TaskOutcome
from graph.support.progress import Progress, progress
from nodes.state import JudgedState

log = logging.getLogger("opencoder")
_MESSAGE_CHARS = 1_000


class Session(NamedTuple):
    """What one process did for a run."""

    questions: int
    """Records written."""
    recomputed: int
    """Questions answered again because a crash cut their batch in two."""
    not_reproduced: int
    """Of those, how many came out differently than the record that was kept."""
    seconds: float
    calls: Calls


def batches(items: Sequence[Item], size: int) -> list[Sequence[Item]]:
    """Return the batch plan: it follows from the questions and the size, never from progress."""
    return [items[start : start + size] for start in range(0, len(items), size)]


def run_loop(machine: Machine, items: Sequence[Item], batch_size: int, journal: Journal) -> Session:
    """Answer and score every question that the journal does not hold yet.

    A batch that a crash cut in two is computed again as a whole, so that its composition and with
    it every text stays the same, but only the missing records are written.
    """
    start = perf_counter()
    written = recomputed = differing = 0
    calls = Calls(0, 0, 0)
    done = sum(item.index in journal.entries for item in items)
    with progress("answering questions", len(items), done=done) as bar:
        plan = batches(items, batch_size)
        for number, batch in enumerate(plan, 1):
            missing = [item for item in batch if item.index not in journal.entries]
            if not missing:
                continue
            records = answer_batch(machine, batch, _Rounds(bar, f"batch {number} of {len(plan)}"))
            kept = [journal.entries.get(record["index"]) for record in records]
            fresh = [r for r, old in zip(records, kept, strict=True) if old is None]
            recomputed += len(batch) - len(missing)
            differing += sum(
                old is not None and old["answer"] != record["answer"]
                for record, old in zip(records, kept, strict=True)
            )
            journal.append(fresh)
            written += len(fresh)
            calls = calls.plus(count_calls(records))
            rate = calls.new_tokens / (perf_counter() - start)
            bar.advance(len(fresh), f"{rate:.0f} tokens/s")
    seconds = perf_counter() - start
    return Session(written, recomputed, differing, seconds, calls)


class _Rounds:
    """Says which model call a batch is at: one batch can take minutes."""

    def __init__(self, bar: Progress, label: str) -> None:
        self._bar, self._label, self._count = bar, label, 0

    def __call__(self) -> None:
        self._count += 1
        self._bar.advance(0, f"{self._label}, model call {self._count} done")


def answer_batch(
    machine: Machine, batch: Sequence[Item], on_served: Callable[[], None] | None = None
) -> list[Record]:
    """Run one batch through the graph, side by side, and score it."""
    tasks: list[Callable[[], JudgedState]] = [
        partial(_answer, machine.graph, item) for item in batch
    ]
    outcomes = machine.lockstep.run(tasks, on_served)
    records = [_record(item, outcome) for item, outcome in zip(batch, outcomes, strict=True)]
    sound = [record for record in records if record["error"] is None]
    score_texts(machine.encoder, sound)
    if machine.calibrated:
        score_records(machine.calibrated, machine.encoder, sound)
    return records


def _answer(graph: JudgedGraph, item: Item) -> JudgedState:
    given: JudgedState = {"question": item.question, "reference": item.reference}
    return cast(JudgedState, graph.invoke(given))


def _record(item: Item, outcome: TaskOutcome[JudgedState]) -> Record:
    if outcome.error is not None and not isinstance(outcome.error, Exception):
        raise outcome.error
    state = outcome.value
    record: Record = {
        "index": item.index,
        "eval_id": item.eval_id,
        "question": item.question,
        "reference": item.reference,
        "relevant_question_ids": list(item.relevant_question_ids),
        "answer": state["answer"] if state else "",
        "reasoning": state.get("reasoning", "") if state else "",
        "passages": state.get("passages", []) if state else [],
        "steps": state.get("steps", []) if state else [],
        "error": None,
        "metrics": {"LLM_judge": state.get("score")} if state else {},
        "candidates": [],
    }
    if outcome.error is not None:
        name, message = type(outcome.error).__name__, str(outcome.error)[:_MESSAGE_CHARS]
        log.warning("question %s failed: %s: %s", item.eval_id, name, " ".join(message.split()))
        record["error"] = {"type": name, "message": message}
    return record

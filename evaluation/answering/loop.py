"""The evaluation loop: each batch of questions is answered, scored and on disk before the next."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from time import perf_counter
from typing import NamedTuple, cast

from evaluation.answering.answering_setup import AnsweringSetup
from evaluation.answering.model_calls import Calls, count_calls
from evaluation.answering.questions import Item, batches
from evaluation.metrics.calibrated_judge import CALIBRATED_JUDGE
from evaluation.metrics.llm_judge import LLM_JUDGE
from evaluation.metrics.record_scores import calibrated_scores, score_texts
from evaluation.store.journal import Journal, Record
from graph.build import JudgedGraph
from graph.models.lockstep import TaskOutcome
from graph.support.logger import log
from graph.support.progress import Progress, progress
from nodes.state import JudgedState

_MESSAGE_CHARS = 1_000
"""Characters of an error message that a record keeps."""


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
    setup: AnsweringSetup, items: Sequence[Item], batch_size: int, journal: Journal
) -> Session:
    """Answer and score every question that the journal does not hold yet.

    A batch that a crash cut in two is computed again as a whole: in 16-bit arithmetic the texts
    depend on the shape of the batch. Only the missing records are written.
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
            records = answer_batch(
                setup, batch, _CallCounter(bar, f"batch {number} of {len(plan)}")
            )
            fresh = [record for record in records if record["index"] not in journal.entries]
            recomputed += len(batch) - len(missing)
            differing += sum(_differs(record, journal.entries) for record in records)
            journal.append(fresh)
            written += len(fresh)
            calls = calls.plus(count_calls(records))
            rate = calls.new_tokens / (perf_counter() - start)
            bar.advance(len(fresh), f"{rate:.0f} tokens/s")
    seconds = perf_counter() - start
    return Session(written, recomputed, differing, seconds, calls)


def _differs(record: Record, recorded: Mapping[int, Record]) -> bool:
    """Tell whether a question was recorded before with another answer."""
    earlier = recorded.get(record["index"])
    return earlier is not None and earlier["answer"] != record["answer"]


class _CallCounter:
    """A callback that shows the number of a batch's model call: one batch can take minutes."""

    def __init__(self, bar: Progress, label: str) -> None:
        self._bar, self._label, self._count = bar, label, 0

    def __call__(self) -> None:
        self._count += 1
        self._bar.advance(0, f"{self._label}, model call {self._count} done")


def answer_batch(
    setup: AnsweringSetup, batch: Sequence[Item], on_served: Callable[[], None] | None = None
) -> list[Record]:
    """Run one batch through the graph, its questions side by side, and score the answers."""
    tasks: list[Callable[[], JudgedState]] = [partial(_answer, setup.graph, item) for item in batch]
    outcomes = setup.lockstep.run(tasks, on_served)
    records = [_record(item, outcome) for item, outcome in zip(batch, outcomes, strict=True)]
    answered = [record for record in records if record["error"] is None]
    score_texts(setup.encoder, answered)
    if setup.calibrated:
        scores = calibrated_scores(setup.calibrated, setup.encoder, answered)
        for record, score in zip(answered, scores, strict=True):
            record["metrics"][CALIBRATED_JUDGE.name] = score
    return records


def _answer(graph: JudgedGraph, item: Item) -> JudgedState:
    state: JudgedState = {"question": item.question, "reference": item.reference}
    # langgraph types the result of `invoke` as dict[str, Any] | Any, whatever the output schema is.
    return cast(JudgedState, graph.invoke(state))


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
        "metrics": {LLM_JUDGE.name: state.get("score")} if state else {},
        "candidates": [],
    }
    if outcome.error is not None:
        name, message = type(outcome.error).__name__, str(outcome.error)[:_MESSAGE_CHARS]
        log.warning("question %s failed: %s: %s", item.eval_id, name, " ".join(message.split()))
        record["error"] = {"type": name, "message": message}
    return record

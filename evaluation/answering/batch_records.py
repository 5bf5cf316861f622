"""The records of a batch: its questions run through the graph side by side, and are scored together."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import cast

from evaluation.answering.answering_setup import AnsweringSetup
from evaluation.answering.questions import Batch, Item
from evaluation.metrics.calibrated_judge import CALIBRATED_JUDGE
from evaluation.metrics.llm_judge import LLM_JUDGE
from evaluation.metrics.record_scores import calibrated_scores, score_texts
from evaluation.store.journal import Record
from graph.build import JudgedGraph
from graph.models.lockstep import TaskOutcome
from graph.support.environment import environment_failures, is_environment, is_of_question
from graph.support.logger import log
from nodes.state import JudgedState

_MESSAGE_CHARS = 1_000
"""Characters of an error message that a record keeps."""


class OneProcess:
    """An answerer in this process: a batch begins when the records of the one before are taken."""

    def __init__(self, setup: AnsweringSetup) -> None:
        self._setup = setup

    def answer(
        self, batches: Iterable[Batch], show: Callable[[str], None]
    ) -> Iterator[list[Record]]:
        """Yield the records of each batch; show each model call, as a batch can take minutes."""
        for batch in batches:
            yield answer_batch(self._setup, batch.items, _CallCounter(batch.label, show))


class _CallCounter:
    def __init__(self, label: str, show: Callable[[str], None]) -> None:
        self._label, self._show, self._count = label, show, 0

    def __call__(self) -> None:
        self._count += 1
        self._show(f"{self._label}, model call {self._count} done")


def answer_batch(
    setup: AnsweringSetup, batch: Sequence[Item], on_served: Callable[[], None] | None = None
) -> list[Record]:
    """Run one batch through the graph, its questions side by side, and score the answers."""
    tasks: list[Callable[[], JudgedState]] = [partial(_answer, setup.graph, item) for item in batch]
    outcomes = setup.lockstep.run(tasks, on_served)
    records = [
        _record(item, outcome, setup.not_in_corpus)
        for item, outcome in zip(batch, outcomes, strict=True)
    ]
    answered = [record for record in records if record["error"] is None]
    with environment_failures():
        _score(setup, answered)
    return records


def _score(setup: AnsweringSetup, records: Sequence[Record]) -> None:
    """Score records together; if that fails, each alone, so that an error costs its own question."""
    try:
        _score_together(setup, records)
    except Exception as error:
        if is_environment(error):
            raise
        if len(records) == 1:
            _fail(records[0], error)
            return
        for record in records:
            _score(setup, [record])


def _score_together(setup: AnsweringSetup, records: Sequence[Record]) -> None:
    score_texts(setup.encoder, records)
    if setup.calibrated:
        scores = calibrated_scores(setup.calibrated, setup.encoder, records)
        for record, score in zip(records, scores, strict=True):
            record["metrics"][CALIBRATED_JUDGE.name] = score


def _answer(graph: JudgedGraph, item: Item) -> JudgedState:
    state: JudgedState = {"question": item.question, "reference": item.reference}
    # langgraph types the result of `invoke` as dict[str, Any] | Any, whatever the output schema is.
    return cast(JudgedState, graph.invoke(state))


def _record(item: Item, outcome: TaskOutcome[JudgedState], not_in_corpus: frozenset[str]) -> Record:
    if outcome.error is not None and not isinstance(outcome.error, Exception):
        raise outcome.error
    state = outcome.value
    record: Record = {
        "index": item.index,
        "eval_id": item.eval_id,
        "question": item.question,
        "reference": item.reference,
        "relevant_question_ids": list(item.relevant_question_ids),
        "relevant_not_in_corpus": [i for i in item.relevant_question_ids if i in not_in_corpus],
        "answer": state["answer"] if state else "",
        "reasoning": state.get("reasoning", "") if state else "",
        "passages": state.get("passages", []) if state else [],
        "steps": state.get("steps", []) if state else [],
        "error": None,
        "metrics": {LLM_JUDGE.name: state.get("score")} if state else {},
        "encoder_parts": None,
        "candidates": [],
    }
    if item.criteria:
        record["criteria"] = item.criteria
    if item.rubric:
        record["rubric"] = list(item.rubric)
    if item.tags is not None:
        record["tags"] = list(item.tags)
    if isinstance(outcome.error, Exception):
        _fail(record, outcome.error)
    return record


def _fail(record: Record, error: Exception) -> None:
    """Make a record that of a failed question."""
    name, message = type(error).__name__, str(error)[:_MESSAGE_CHARS]
    log.warning("question %s failed: %s: %s", record["eval_id"], name, " ".join(message.split()))
    record["error"] = {"type": name, "message": message, "of_question": is_of_question(error)}
    record["metrics"], record["candidates"] = {}, []

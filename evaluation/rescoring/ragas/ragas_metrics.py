"""The metrics of ragas over the answers of a finished run, and the reasons why one has no value."""

import os
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from evaluation.rescoring.score_files import PassScore, fingerprint
from evaluation.store.journal import Record
from graph.models.lockstep import Lockstep
from graph.support.environment import is_environment
from graph.support.errors import MissingExtraError, PromptTooLongError
from graph.support.text import one_line, without_surrogates

if TYPE_CHECKING:
    from evaluation.rescoring.ragas.ragas_model import Writer
    from graph.retrieval.encoder import Encoder

PREFIX = "ragas_"
REFERENCE_BASED = ("id_context_precision", "id_context_recall")
"""The metrics that ask no model: they compare the passages with the posts the dataset names."""
MODEL_BASED = ("faithfulness", "answer_relevancy", "context_precision", "context_recall")
_FIELDS = {
    "id_context_precision": ("retrieved_context_ids", "reference_context_ids"),
    "id_context_recall": ("retrieved_context_ids", "reference_context_ids"),
    "faithfulness": ("user_input", "response", "retrieved_contexts"),
    "answer_relevancy": ("user_input", "response"),
    "context_precision": ("user_input", "reference", "retrieved_contexts"),
    "context_recall": ("user_input", "reference", "retrieved_contexts"),
}
"""By metric, the fields of a sample that it reads, by ragas' names."""
_REASON_IF_EMPTY = {
    "user_input": "no question",
    "response": "empty answer",
    "reference": "no reference",
    "retrieved_contexts": "no passages",
    "retrieved_context_ids": "no passages",
    "reference_context_ids": "the dataset names no relevant posts, or one that the corpus lacks",
}
_REASON_CHARS = 100


class LocalModels(NamedTuple):
    """The model and the encoder that the metrics in `MODEL_BASED` ask."""

    writer: "Writer"
    encoder: "Encoder"


class RagasOutcome(NamedTuple):
    """The value of one metric for one answer, or the reason why it has none."""

    value: float | None
    reason: str | None
    evidence: dict[str, Any] | None


class RagasScorer(NamedTuple):
    """A scorer that computes metrics of ragas for batches of records."""

    metrics: tuple[str, ...]
    lockstep: Lockstep
    models: LocalModels | None
    """None where no model is asked."""

    def __call__(self, batch: Sequence[Record], on_served: Callable[[], None]) -> list[PassScore]:
        """Return the scores of a batch, whose model calls are made together."""
        jobs = [(record, metric) for record in batch for metric in self.metrics]
        tasks = [partial(score_one, metric, record, self.models) for record, metric in jobs]
        outcomes = self.lockstep.run(tasks, on_served)
        scores: dict[int, PassScore] = {
            record["index"]: {
                "index": record["index"],
                "of": fingerprint(record),
                "scores": {},
                "reasons": {},
                "evidence": [],
            }
            for record in batch
        }
        for (record, metric), task in zip(jobs, outcomes, strict=True):
            if task.value is None:
                raise task.error or RuntimeError(f"{metric} ended without an outcome")
            score, name, outcome = scores[record["index"]], PREFIX + metric, task.value
            score["scores"][name] = outcome.value
            if outcome.reason is not None:
                score["reasons"][name] = outcome.reason
            if outcome.evidence is not None:
                score["evidence"].append({"metric": name, **outcome.evidence})
        return list(scores.values())


def open_ragas() -> dict[str, str]:
    """Import ragas with its telemetry off; return the versions of ragas and of what it needs here.

    Raises:
        MissingExtraError: ragas is not installed, or does not import with an installed package.
    """
    # Ragas 0.4 reads this once, when it is imported; otherwise it posts to its makers' address.
    os.environ["RAGAS_DO_NOT_TRACK"] = "true"
    try:
        for module in ("ragas.metrics.collections", "llguidance"):
            import_module(module)
        return {name: version(name) for name in ("ragas", "llguidance")}
    except (ImportError, PackageNotFoundError) as error:
        raise MissingExtraError(
            f"ragas cannot be used ({error}): pip install 'opencoder[ragas]'"
        ) from None


def score_one(metric: str, record: Record, models: LocalModels | None) -> RagasOutcome:
    """Score one answer by one metric; an error of it becomes the reason why this value is missing.

    Raises:
        Exception: The environment failed, and not the answer.
    """
    sample = _sample(record)
    fields = {name: sample[name] for name in _FIELDS[metric]}
    for name, value in fields.items():
        if not value:
            return RagasOutcome(None, _REASON_IF_EMPTY[name], None)
    try:
        if metric in REFERENCE_BASED:
            return _outcome(_score_ids(metric, fields))
        if models is None:
            return RagasOutcome(None, "no model was asked", None)
        return _ask_model(metric, fields, models)
    # Ragas can raise anything: an error costs this one value and is counted as its reason.
    except Exception as error:
        if is_environment(error):
            raise
        return RagasOutcome(None, _reason(error), None)


def _sample(record: Record) -> dict[str, Any]:
    """Return a record by ragas' names; lone surrogates, which JSON refuses, are replaced."""
    passages = record["passages"]
    return {
        "user_input": without_surrogates(record["question"]).strip(),
        "response": without_surrogates(record["answer"]).strip(),
        "reference": without_surrogates(record["reference"]).strip(),
        "retrieved_contexts": [without_surrogates(passage["text"]) for passage in passages],
        "retrieved_context_ids": [passage["question_id"] for passage in passages],
        # No retriever returns what the corpus lacks: such a question is unscored.
        "reference_context_ids": (
            [] if record["relevant_not_in_corpus"] else list(record["relevant_question_ids"])
        ),
    }


def _score_ids(metric: str, fields: Mapping[str, Any]) -> float:
    import warnings

    with warnings.catch_warnings():
        # Ragas 0.4 warns that these two will move in version 1, but has no other address for them.
        warnings.simplefilter("ignore", DeprecationWarning)
        from ragas import SingleTurnSample
        from ragas.metrics import IDBasedContextPrecision, IDBasedContextRecall

    scorer: Any = IDBasedContextRecall() if metric.endswith("recall") else IDBasedContextPrecision()
    # The public method starts an event loop; see `_run_to_end`.
    return float(_run_to_end(scorer._single_turn_ascore(SingleTurnSample(**fields), [])))


def _ask_model(metric: str, fields: Mapping[str, Any], models: LocalModels) -> RagasOutcome:
    from evaluation.rescoring.ragas.ragas_model import Trace, model_metric

    trace = Trace()
    try:
        scorer = model_metric(metric, models.writer, models.encoder, trace)
        outcome = _outcome(float(_run_to_end(scorer.ascore(**fields)).value))
    # As in `score_one`; caught here too, so that the replies before the error are kept.
    except Exception as error:
        if is_environment(error):
            raise
        outcome = RagasOutcome(None, _reason(error), None)
    return outcome._replace(evidence={"replies": trace.replies, "cut_chars": trace.cut_chars})


def _run_to_end(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Return the result of a coroutine of ragas without an event loop.

    A metric awaits nothing but our own model, which never waits. An event loop would open sockets,
    and each thread would need its own.
    """
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    coroutine.close()
    raise RuntimeError("a metric of ragas waits for something else than the model")


def _outcome(value: float) -> RagasOutcome:
    if not isfinite(value):
        return RagasOutcome(None, "ragas gave no number: nothing to judge", None)
    # A sum of parts may exceed 1 in its last digit; 0.0 turns a negative zero into zero.
    return RagasOutcome(0.0 + (min(value, 1.0) if value < 1 + 1e-9 else value), None, None)


def _reason(error: Exception) -> str:
    if isinstance(error, PromptTooLongError):
        return "the prompt does not fit the window"
    # The class is in a module that imports ragas, which this module must not import.
    if type(error).__name__ == "UnreadableReplyError":
        return str(error)
    if isinstance(error, ValidationError):
        return "the reply does not parse"
    return one_line(f"{type(error).__name__}: {error}", _REASON_CHARS)

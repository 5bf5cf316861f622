"""Metrics of ragas over the answers of a finished run: which, from what, and why one has no value."""

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
from graph.retrieval.encoder import clean
from graph.support.errors import MissingExtraError, PromptTooLongError

if TYPE_CHECKING:
    from evaluation.rescoring.ragas.ragas_model import Writer
    from graph.retrieval.encoder import Encoder

PREFIX = "ragas_"
REFERENCE_BASED = (
    "rouge",
    "chrf",
    "string_similarity",
    "id_context_precision",
    "id_context_recall",
)
"""Asks no model."""
MODEL_BASED = ("faithfulness", "answer_relevancy", "context_precision", "context_recall")
_FIELDS = {
    "rouge": ("reference", "response"),
    "chrf": ("reference", "response"),
    "string_similarity": ("reference", "response"),
    "id_context_precision": ("retrieved_context_ids", "reference_context_ids"),
    "id_context_recall": ("retrieved_context_ids", "reference_context_ids"),
    "faithfulness": ("user_input", "response", "retrieved_contexts"),
    "answer_relevancy": ("user_input", "response"),
    "context_precision": ("user_input", "reference", "retrieved_contexts"),
    "context_recall": ("user_input", "reference", "retrieved_contexts"),
}
"""What each metric reads, by ragas' names."""
_MISSING = {
    "user_input": "no question",
    "response": "empty answer",
    "reference": "no reference",
    "retrieved_contexts": "no passages",
    "retrieved_context_ids": "no passages",
    "reference_context_ids": "the dataset names no relevant posts",
}
_REASON_CHARS = 100


class Asked(NamedTuple):
    """What the metrics that ask a model need; None where none is asked."""

    writer: "Writer"
    encoder: "Encoder"


class RagasOutcome(NamedTuple):
    """One metric of one question."""

    value: float | None
    reason: str | None
    evidence: dict[str, Any] | None


class RagasScorer(NamedTuple):
    """Scores batches of records."""

    metrics: tuple[str, ...]
    lockstep: Lockstep
    asked: Asked | None

    def __call__(self, batch: Sequence[Record], on_served: Callable[[], None]) -> list[PassScore]:
        """Score a batch; what its questions ask of the model is asked together."""
        jobs = [(record, metric) for record in batch for metric in self.metrics]
        tasks = [partial(score_one, metric, record, self.asked) for record, metric in jobs]
        outcomes = self.lockstep.run(tasks, on_served)
        scores: list[PassScore] = [
            {
                "index": record["index"],
                "of": fingerprint(record),
                "scores": {},
                "reasons": {},
                "evidence": [],
            }
            for record in batch
        ]
        for number, ((_, metric), outcome) in enumerate(zip(jobs, outcomes, strict=True)):
            if outcome.value is None:
                raise outcome.error or RuntimeError(f"{metric} ended without an outcome")
            score, found = scores[number // len(self.metrics)], outcome.value
            score["scores"][PREFIX + metric] = found.value
            if found.reason is not None:
                score["reasons"][PREFIX + metric] = found.reason
            if found.evidence is not None:
                score["evidence"].append({"metric": PREFIX + metric, **found.evidence})
        return scores


def open_ragas() -> dict[str, str]:
    """Import ragas with its telemetry off; return its version and those of what it needs.

    Raises:
        MissingExtraError: it is not installed, or another version that it does not import with.
    """
    # Read once, when ragas is imported; it would post to an address of its makers.
    os.environ["RAGAS_DO_NOT_TRACK"] = "true"
    try:
        for module in ("ragas.metrics.collections", "sacrebleu", "llguidance"):
            import_module(module)
        return {name: version(name) for name in ("ragas", "sacrebleu", "llguidance")}
    except (ImportError, PackageNotFoundError) as error:
        raise MissingExtraError(
            f"ragas cannot be used ({error}): pip install 'opencoder[ragas]'"
        ) from None


def score_one(metric: str, record: Record, asked: Asked | None) -> RagasOutcome:
    """Score one answer by one metric; whatever goes wrong is the reason of this one alone."""
    fields = {name: value for name, value in _sample(record).items() if name in _FIELDS[metric]}
    for name, value in fields.items():
        # An empty answer is an answer to a metric that holds it against a reference: it scores 0.
        if not value and not (name == "response" and metric in REFERENCE_BASED):
            return RagasOutcome(None, _MISSING[name], None)
    try:
        if metric in REFERENCE_BASED:
            return _outcome(_by_reference(metric, fields), None)
        if asked is None:
            return RagasOutcome(None, "no model was asked", None)
        return _by_model(metric, fields, asked)
    except Exception as error:  # costs this metric of this question, and is counted there
        return RagasOutcome(None, _reason(error), None)


def _sample(record: Record) -> dict[str, Any]:
    """Return a record in ragas' terms; lone surrogates, which JSON refuses, are replaced."""
    passages = record["passages"]
    return {
        "user_input": clean(record["question"]).strip(),
        "response": clean(record["answer"]).strip(),
        "reference": clean(record["reference"]).strip(),
        "retrieved_contexts": [clean(passage["text"]) for passage in passages],
        "retrieved_context_ids": [passage["question_id"] for passage in passages],
        "reference_context_ids": list(record["relevant_question_ids"]),
    }


def _by_reference(metric: str, fields: Mapping[str, Any]) -> float:
    from ragas.metrics.collections import CHRFScore, NonLLMStringSimilarity, RougeScore

    if metric.startswith("id_"):
        return _by_ids(metric, fields)
    makers: dict[str, Any] = {
        "rouge": RougeScore,
        "chrf": CHRFScore,
        "string_similarity": NonLLMStringSimilarity,
    }
    return float(_finished(makers[metric]().ascore(**fields)).value)


def _by_ids(metric: str, fields: Mapping[str, Any]) -> float:
    import warnings

    with warnings.catch_warnings():
        # Their place moves in version 1; until then there is no other.
        warnings.simplefilter("ignore", DeprecationWarning)
        from ragas import SingleTurnSample
        from ragas.metrics import IDBasedContextPrecision, IDBasedContextRecall

    made: Any = IDBasedContextRecall() if metric.endswith("recall") else IDBasedContextPrecision()
    return float(_finished(made._single_turn_ascore(SingleTurnSample(**fields), [])))


def _by_model(metric: str, fields: Mapping[str, Any], asked: Asked) -> RagasOutcome:
    from evaluation.rescoring.ragas.ragas_model import Trace, model_metric

    trace = Trace()
    try:
        value = float(
            _finished(
                model_metric(metric, asked.writer, asked.encoder, trace).ascore(**fields)
            ).value
        )
        outcome = _outcome(value, None)
    except Exception as error:  # what was asked before it is kept
        outcome = RagasOutcome(None, _reason(error), None)
    return outcome._replace(evidence={"replies": trace.replies, "cut_chars": trace.cut_chars})


def _finished(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Return what a coroutine of ragas returns.

    It awaits nothing but our own model, which never waits: it needs no event loop, and so none of
    the sockets of one.
    """
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    coroutine.close()
    raise RuntimeError("a metric of ragas waits for something else than the model")


def _outcome(value: float, evidence: dict[str, Any] | None) -> RagasOutcome:
    if not isfinite(value):
        return RagasOutcome(None, "ragas gave no number: nothing to judge", evidence)
    # A sum of parts may pass 1 in its last digit.
    return RagasOutcome(0.0 + (min(value, 1.0) if value < 1 + 1e-9 else value), None, evidence)


def _reason(error: Exception) -> str:
    if isinstance(error, PromptTooLongError):
        return "the prompt does not fit the window"
    if type(error).__name__ == "Unreadable":
        return str(error)
    if isinstance(error, ValidationError):
        return "the reply does not parse"
    return " ".join(f"{type(error).__name__}: {error}".split())[:_REASON_CHARS]

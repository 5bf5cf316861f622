"""The registry of metrics: every list of metrics, column and short name follows from it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from evaluation.metrics.bleu import BLEU
from evaluation.metrics.calibrated_judge import CALIBRATED_JUDGE
from evaluation.metrics.criteria import CRITERIA
from evaluation.metrics.edit_similarity import EDIT_SIMILARITY
from evaluation.metrics.llm_judge import LLM_JUDGE
from evaluation.metrics.metric import MetricScores
from evaluation.metrics.rouge import ROUGE_1, ROUGE_L
from evaluation.metrics.semantic_similarity import SEMANTIC_SIMILARITY

if TYPE_CHECKING:
    from graph.retrieval.encoder import Encoder

METRICS = (
    BLEU,
    ROUGE_1,
    ROUGE_L,
    EDIT_SIMILARITY,
    SEMANTIC_SIMILARITY,
    LLM_JUDGE,
)
"""The metrics of every run, in the order of every table."""
ON_REQUEST = (CALIBRATED_JUDGE, CRITERIA)
"""Metrics of runs that ask for them, or whose dataset does."""

METRIC_NAMES = tuple(metric.name for metric in METRICS)
STAGE_METRICS = tuple(metric.name for metric in METRICS if not metric.judge)
"""Metrics of drafts and stages: a judge sees final answers only."""
_BY_QUESTION = tuple(metric.name for metric in (*METRICS, *ON_REQUEST) if metric.by_question)
_SHORT_NAMES = {metric.name: metric.short_name for metric in (*METRICS, *ON_REQUEST)}


def metric_names(measured: Iterable[Mapping[str, object]]) -> list[str]:
    """Return `METRIC_NAMES`, then the names of all further metrics of some answer, sorted."""
    further = {name for metrics in measured for name in metrics}
    return [*METRIC_NAMES, *sorted(further - {*METRIC_NAMES})]


def stage_metric_names(measured: Iterable[Mapping[str, object]]) -> list[str]:
    """Return `STAGE_METRICS`, then the other metrics of drafts that some draft has."""
    names = {name for metrics in measured for name in metrics}
    return [*STAGE_METRICS, *(name for name in _BY_QUESTION if name in names)]


def short_name(name: str) -> str:
    """Return the heading of a metric where a table has little room."""
    return _SHORT_NAMES.get(name, name)


def score_answers(
    answers: Sequence[str],
    references: Sequence[str],
    encoder: "Encoder | None" = None,
    names: Sequence[str] = STAGE_METRICS,
) -> list[MetricScores]:
    """Return the scores of each answer; without an encoder, its metrics are None.

    Args:
        answers: Texts, shape (n,).
        references: The reference of each answer; empty where there is none.
        encoder: The encoder of metrics on vectors.
        names: The metrics, of `STAGE_METRICS`.
    """
    scores = {
        metric.name: metric.score(answers, references, encoder)
        for metric in METRICS
        if metric.score and metric.name in names
    }
    return [dict(zip(scores, row, strict=True)) for row in zip(*scores.values(), strict=True)]

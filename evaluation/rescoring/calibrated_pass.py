"""The calibrated judge over a finished run: a fitted formula of cheap signals, no model call."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from evaluation.metrics.calibrated_judge import (
    CALIBRATED_JUDGE,
    CALIBRATED_OPTION,
    SHIPPED,
    CalibratedJudge,
    StoredJudge,
    load_judge,
)
from evaluation.metrics.record_scores import calibrated_scores
from evaluation.metrics.registry import METRIC_NAMES
from evaluation.rescoring.score_files import PassScore, PassSpec, fingerprint
from evaluation.store.journal import Record
from evaluation.store.recorded_run import RecordedRun, recorded_embedder

if TYPE_CHECKING:
    from graph.retrieval.encoder import Encoder


class CalibratedScorer(NamedTuple):
    """A scorer that reads the run's own metrics and measures the signals that they lack."""

    stored: StoredJudge
    encoder: "Encoder"

    def __call__(self, batch: Sequence[Record], on_served: Callable[[], None]) -> list[PassScore]:
        """Return the scores of a batch."""
        del on_served  # no model is called
        judge = self.stored.calibrated
        values = calibrated_scores(judge, self.encoder, batch)
        return [_score(r, value, judge) for r, value in zip(batch, values, strict=True)]


def _score(record: Record, value: float | None, judge: CalibratedJudge) -> PassScore:
    signals = {name: record["metrics"].get(name) for name in judge.signals if name in METRIC_NAMES}
    unscored = [name for name, signal in signals.items() if signal is None]
    reason = f"the run has no {', '.join(unscored)}" if record["reference"] else "no reference"
    return {
        "index": record["index"],
        "of": fingerprint(record),
        "scores": {CALIBRATED_JUDGE.name: value},
        "reasons": {CALIBRATED_JUDGE.name: reason} if value is None else {},
        "evidence": [signals],
    }


def open_calibrated(run: RecordedRun, path: Path = SHIPPED) -> CalibratedScorer:
    """Return a scorer with the calibrated judge of a file and the encoder of a run.

    Raises:
        DatasetError: the file holds no calibrated judge, or the run's manifest names no encoder.
    """
    from graph.retrieval.encoder import open_encoder

    spec = recorded_embedder(run, ": the calibrated judge needs it")
    return CalibratedScorer(load_judge(path), open_encoder(spec))


def calibrated_pass_spec(run: RecordedRun, scorer: CalibratedScorer) -> PassSpec:
    """Return the description of a pass by the calibrated judge."""
    needs_judge = scorer.stored.calibrated.needs_judge
    identity: dict[str, object] = {
        "kind": "judge",
        "judge": CALIBRATED_OPTION,
        "formula": scorer.stored.identity,
        "embedder": run.identity.get("embedder"),
        "judge_of_the_run": run.identity.get("judge") if needs_judge else None,
    }
    return PassSpec("judge", CALIBRATED_OPTION, (CALIBRATED_JUDGE.name,), identity)

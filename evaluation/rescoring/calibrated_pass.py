"""The calibrated judge over a finished run: cheap signals in a fitted formula, no language model."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from evaluation.metrics.calibrated_judge import (
    CALIBRATED_OPTION,
    SHIPPED,
    CalibratedJudge,
    StoredJudge,
    load_judge,
    record_scores,
)
from evaluation.metrics.registry import CALIBRATED_JUDGE, METRIC_NAMES
from evaluation.rescoring.score_files import PassScore, PassSpec, fingerprint
from evaluation.store.journal import Record
from evaluation.store.recorded_run import RecordedRun, recorded_embedder

if TYPE_CHECKING:
    from graph.retrieval.encoder import Encoder


class CalibratedScorer(NamedTuple):
    """Reads the run's own metrics, and measures what they lack."""

    loaded: StoredJudge
    encoder: "Encoder"

    def __call__(self, batch: Sequence[Record], on_served: Callable[[], None]) -> list[PassScore]:
        """Score a batch."""
        del on_served  # no model is called
        used = self.loaded.calibrated
        values = record_scores(used, self.encoder, batch)
        return [_score(r, value, used) for r, value in zip(batch, values, strict=True)]


def _score(record: Record, value: float | None, used: CalibratedJudge) -> PassScore:
    known = {name: record["metrics"].get(name) for name in used.signals if name in METRIC_NAMES}
    lacking = [name for name, signal in known.items() if signal is None]
    why = f"the run has no {', '.join(lacking)}" if record["reference"] else "no reference"
    return {
        "index": record["index"],
        "of": fingerprint(record),
        "scores": {CALIBRATED_JUDGE: value},
        "reasons": {CALIBRATED_JUDGE: why} if value is None else {},
        "evidence": [known],
    }


def open_calibrated(run: RecordedRun, path: Path = SHIPPED) -> CalibratedScorer:
    """Return the calibrated judge of a file, with the encoder of a run.

    Raises:
        DatasetError: the file holds none, or the run's manifest names no encoder.
    """
    from graph.retrieval.encoder import open_encoder

    spec = recorded_embedder(run, ": the calibrated judge needs it")
    return CalibratedScorer(load_judge(path), open_encoder(spec))


def calibrated_plan(run: RecordedRun, made: CalibratedScorer) -> PassSpec:
    """Return what its scores depend on."""
    needs_judge = made.loaded.calibrated.needs_judge
    identity = {
        "kind": "judge",
        "judge": CALIBRATED_OPTION,
        "formula": made.loaded.identity,
        "embedder": run.identity.get("embedder"),
        "judge_of_the_run": run.identity.get("judge") if needs_judge else None,
    }
    return PassSpec(
        "judge", CALIBRATED_OPTION, (CALIBRATED_JUDGE,), json.loads(json.dumps(identity))
    )

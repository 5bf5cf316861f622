"""Recompute every figure of a run from its journal, and name those that differ.

Each difference is one line on stdout; everything else goes to stderr. The exit code is 1 if a
figure differs.
"""

import argparse
import json
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory

from evaluation.analysis.run_results import results_of
from evaluation.calibration.known_judges import stored_calibration
from evaluation.metrics.calibrated_judge import CALIBRATED_JUDGE, judge_of_identity
from evaluation.metrics.llm_judge import LLM_JUDGE
from evaluation.metrics.metric import MetricScores
from evaluation.metrics.record_scores import calibrated_scores, score_texts
from evaluation.metrics.registry import METRIC_NAMES, METRICS
from evaluation.store.identity import changed_versions, versions
from evaluation.store.journal import Record
from evaluation.store.recorded_run import (
    RecordedRun,
    known_records,
    read_run,
    recorded_embedder,
    settings_of,
)
from evaluation.tables.results_tables import write_results
from graph.retrieval.encoder import Encoder, open_encoder
from graph.retrieval.quantised import PREFIX
from graph.support.arguments import path
from graph.support.errors import DatasetError
from graph.support.logger import log
from graph.support.storage import read_regular
from graph.support.terminal import print_line
from graph.support.text import plural
from nodes.judge import expected_score

TOLERANCE = 1e-9
"""Sums of the same numbers may differ in their last digits from machine to machine."""
ENCODER_TOLERANCE = 1e-3
"""The shape of a batch changes a cosine by less than this in 16-bit arithmetic."""
EIGHT_BIT_TOLERANCE = 1e-2
"""The same with 8-bit products: at most .0036 over 100 pairs of real answers."""
_ENCODED_METRICS = (
    *(metric.name for metric in METRICS if metric.measured_by == "embedder"),
    CALIBRATED_JUDGE.name,
)
"""Metrics that only the encoder can recompute."""
_NOTHING = "nothing"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("folder", type=path, metavar="RUN", help="a run folder")
    parser.add_argument(
        "--no-encoder",
        action="store_true",
        help=f"do not recompute {' and '.join(_ENCODED_METRICS)}, so that no weights are loaded",
    )


def run(arguments: argparse.Namespace) -> int:
    """Verify a run; return 0 if no figure differs, else 1."""
    recorded = read_run(arguments.folder, torn_end=False)
    with_encoder = not arguments.no_encoder
    _log_limits(recorded, with_encoder=with_encoder)
    count = 0
    with known_records(recorded.folder):
        for line in differences(recorded, with_encoder=with_encoder):
            count += 1
            print_line(" ".join(line.split()))
    if count:
        log.warning("%d %s", count, plural(count, "figure differs", "figures differ"))
        return 1
    count = len(recorded.records)
    log.info("no difference: %d %s, %d failed", count, plural(count, "record"), recorded.failed)
    return 0


def _log_limits(recorded: RecordedRun, *, with_encoder: bool) -> None:
    if not recorded.finished:
        log.warning("unfinished: %s", recorded.progress)
    scored = {name for record in recorded.answered for name in record["metrics"]}
    names = ", ".join(name for name in _ENCODED_METRICS if name in scored)
    if with_encoder:
        tolerance = _encoder_tolerance(recorded)
        log.info("%s may differ by %g: the encoder's arithmetic", names, tolerance)
    else:
        log.info("%s: not recomputed (--no-encoder)", names)
    if changed := changed_versions(recorded.versions, versions()):
        log.warning("other versions than at the run's start: %s", ", ".join(changed))


def differences(recorded: RecordedRun, *, with_encoder: bool) -> Iterator[str]:
    """Yield a line for each figure of a run that does not follow from its journal.

    Raises:
        DatasetError: the encoder is needed and the run's manifest names none.
    """
    encoder = None
    if with_encoder:
        encoder = open_encoder(recorded_embedder(recorded, "; leave it out with --no-encoder"))
    recomputed = _recompute_scores(recorded, encoder)
    for record in recorded.records:
        yield from _score_differences(record, recomputed.get(record["index"]))
        yield from _judge_step_differences(record)
    yield from _result_file_differences(recorded)


def _score_differences(record: Record, recomputed: Record | None) -> Iterator[str]:
    """Yield the differences of a record's scores; a failed one, with none recomputed, has none."""
    where = f"question {record['index']}"
    metrics = {} if recomputed is None else recomputed["metrics"]
    yield from _value_differences(where, record["metrics"], metrics)
    if recomputed is not None:
        parts = recomputed["encoder_parts"] or record["encoder_parts"]
        yield from _value_differences(f"{where}: encoder_parts", record["encoder_parts"], parts)
        candidates = recomputed["candidates"]
        yield from _value_differences(f"{where}: candidates", record["candidates"], candidates)


def _judge_step_differences(record: Record) -> Iterator[str]:
    for step in record["steps"]:
        if step["node"] == "judge" and not _near(step.get("score"), _judge_score(record)):
            where = f"question {record['index']}: score of the judge's step"
            yield _line(where, step.get("score"), _judge_score(record))


def _result_file_differences(recorded: RecordedRun) -> Iterator[str]:
    for record in recorded.answered:
        if not record["metrics"].keys() >= {*METRIC_NAMES}:
            yield f"metrics.json: not recomputed: question {record['index']} lacks a metric"
            return
    # Calibrations are facts about a judge at the time of the run, not figures of its journal.
    calibration = stored_calibration(recorded.folder / "metrics.json")
    results = results_of(settings_of(recorded), recorded.records, calibration)
    with TemporaryDirectory() as folder:
        write_results(Path(folder), results)
        for name in ("metrics.json", "summary.md"):
            path = recorded.folder / name
            if not recorded.finished and not path.exists():
                log.warning("%s is not there: it is written at the run's end", name)
                continue
            yield from _file_differences(path, (Path(folder) / name).read_text(encoding="utf-8"))


def _recompute_scores(recorded: RecordedRun, encoder: Encoder | None) -> dict[int, Record]:
    """Return, by index, copies of the answered records with the scores that follow from their texts.

    Scores that need the encoder are the stored ones, without an encoder or where the two are equal
    within its tolerance.
    """
    answered = recorded.answered
    copies: list[Record] = [{**record} for record in answered]
    score_texts(encoder, copies)
    formula = recorded.identity.get("calibrated_judge")
    calibrated: list[float | None] = [None] * len(answered)
    if formula is not None and encoder is not None:
        calibrated = calibrated_scores(judge_of_identity(formula), encoder, answered)
    tolerance = None if encoder is None else _encoder_tolerance(recorded)
    for record, copy, score in zip(answered, copies, calibrated, strict=True):
        copy["metrics"][LLM_JUDGE.name] = _judge_score(record)
        if formula is not None:
            copy["metrics"][CALIBRATED_JUDGE.name] = score
        _keep_stored(record["metrics"], copy["metrics"], tolerance)
        for stored, new in zip(record["candidates"], copy["candidates"], strict=False):
            # A text's scores are shared by all candidates with this text.
            new["metrics"] = {**new["metrics"]}
            _keep_stored(stored["metrics"], new["metrics"], tolerance)
    return {copy["index"]: copy for copy in copies}


def _keep_stored(
    stored: Mapping[str, float | None], recomputed: MetricScores, tolerance: float | None
) -> None:
    """Replace the recomputed scores that may differ from the stored ones; all if no tolerance."""
    for name in _ENCODED_METRICS:
        if name in recomputed and (
            tolerance is None or _near(stored.get(name), recomputed[name], tolerance)
        ):
            recomputed[name] = stored.get(name)


def _encoder_tolerance(recorded: RecordedRun) -> float:
    embedder = recorded.identity.get("embedder")
    dtype = str(embedder.get("dtype")) if isinstance(embedder, dict) else ""
    return EIGHT_BIT_TOLERANCE if dtype.startswith(PREFIX) else ENCODER_TOLERANCE


def _judge_score(record: Record) -> float | None:
    """Return the score that follows from the last verdict of the judge; None without a verdict."""
    verdicts = [
        verdict
        for step in record["steps"]
        if step["node"] == "judge"
        for verdict in step.get("verdicts", [])
    ]
    return expected_score(verdicts[-1]) if verdicts else None


def _file_differences(path: Path, recomputed: str) -> Iterator[str]:
    """Yield the differences between a stored file and its recomputed text."""
    try:
        stored = read_regular(path).decode("utf-8")
    except (OSError, ValueError, DatasetError):
        yield f"{path.name}: cannot be read; the run's own command writes it again"
        return
    if path.suffix == ".json":
        try:
            yield from _value_differences(path.name, json.loads(stored), json.loads(recomputed))
        except (ValueError, RecursionError):
            yield f"{path.name}: is not JSON; the run's own command writes it again"
        return
    pairs = zip_longest(stored.splitlines(), recomputed.splitlines(), fillvalue=_NOTHING)
    for number, (old, new) in enumerate(pairs, 1):
        if old != new:
            yield _line(f"{path.name}: line {number}", old, new)


def _value_differences(where: str, stored: object, recomputed: object) -> Iterator[str]:
    """Yield the differences between two JSON values, each after its path."""
    if isinstance(stored, dict) and isinstance(recomputed, dict):
        for key in {**recomputed, **stored}:
            old, new = stored.get(key, _NOTHING), recomputed.get(key, _NOTHING)
            yield from _value_differences(f"{where}: {key}", old, new)
    elif (
        isinstance(stored, list) and isinstance(recomputed, list) and len(stored) == len(recomputed)
    ):
        for index, (old, new) in enumerate(zip(stored, recomputed, strict=True)):
            yield from _value_differences(f"{where}: {index}", old, new)
    elif not _near(stored, recomputed):
        yield _line(where, stored, recomputed)


def _near(stored: object, recomputed: object, tolerance: float = TOLERANCE) -> bool:
    """Tell whether two values are equal, or numbers that are equal within a tolerance."""
    if isinstance(stored, int | float) and isinstance(recomputed, int | float):
        return abs(stored - recomputed) <= tolerance
    return stored == recomputed


def _line(where: str, stored: object, recomputed: object) -> str:
    return f"{where}: stored {stored}, recomputed {recomputed}"

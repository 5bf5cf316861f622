"""Recompute every figure of a run from its journal, and say what differs.

What differs goes to stdout, one line each; all else is said on stderr. Exit code 1 if anything
differs.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from evaluation.analysis.run_results import results_of
from evaluation.calibration.known_judges import stored_calibration
from evaluation.metrics.calibrated_judge import judge_of_identity, record_scores
from evaluation.metrics.record_scores import score_texts
from evaluation.metrics.registry import CALIBRATED_JUDGE, METRIC_NAMES, lexical, semantic_similarity
from evaluation.store.identity import digest, versions
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
from graph.schema import EmbedderSpec
from graph.support.terminal import log, safe_text
from nodes.judge import expected_score

ENCODER_TOLERANCE, ROUGH_TOLERANCE = 1e-3, 1e-2
"""What a batch's shape changes a cosine by is less, in 16-bit arithmetic and where products are of 8
bits: there .0036 at most over 100 pairs of real answers."""


TOLERANCE = 1e-9
"""Sums of the same numbers may differ in their last digits from machine to machine."""


def of_file(path: Path, made: str) -> Iterator[str]:
    """Yield what differs between a stored file and its text as it should be."""
    try:
        stored = path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        yield f"{path.name}: cannot be read; the run's own command writes it again"
        return
    if path.suffix == ".json":
        try:
            yield from of_values(path.name, json.loads(stored), json.loads(made))
        except (ValueError, RecursionError):
            yield f"{path.name}: is not JSON; the run's own command writes it again"
        return
    olds, news = stored.splitlines(), made.splitlines()
    for number in range(max(len(olds), len(news))):
        old, new = _at(olds, number), _at(news, number)
        if old != new:
            yield line(path.name, f"line {number + 1}", old, new)


def of_values(where: str, stored: object, made: object) -> Iterator[str]:
    """Yield what differs between two JSON values, with its path."""
    if isinstance(stored, dict) and isinstance(made, dict):
        for key in {**made, **stored}:
            old, new = stored.get(key, "nothing"), made.get(key, "nothing")
            yield from of_values(f"{where}: {key}", old, new)
    elif isinstance(stored, list) and isinstance(made, list) and len(stored) == len(made):
        for number, (old, new) in enumerate(zip(stored, made, strict=True)):
            yield from of_values(f"{where}: {number}", old, new)
    elif not near(stored, made):
        yield line(where, "", stored, made)


def _at(lines: Sequence[str], number: int) -> str:
    return lines[number] if number < len(lines) else "nothing"


def near(stored: object, made: object, tolerance: float = TOLERANCE) -> bool:
    """Whether two values are the same, numbers within a tolerance."""
    if isinstance(stored, int | float) and isinstance(made, int | float):
        return abs(stored - made) <= tolerance
    return stored == made


def line(where: str, what: str, stored: object, made: object) -> str:
    """Return the line that says what differs."""
    return f"{where}: {what}{': ' if what else ''}stored {stored}, recomputed {made}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("folder", type=Path, metavar="RUN", help="a run folder")
    parser.add_argument(
        "--no-encoder",
        action="store_true",
        help="leave out semantic_similarity: no weights are loaded",
    )


def run(arguments: argparse.Namespace) -> int:
    """Verify a run; return 0 if nothing differs, else 1."""
    found = read_run(arguments.folder, torn_end=False)
    _say_what_is_left_out(found, encoder=not arguments.no_encoder)
    count = 0
    with known_records(found.folder):
        for each in differences(found, encoder=not arguments.no_encoder):
            count += 1
            sys.stdout.write(" ".join(safe_text(each).split()) + "\n")
    if count:
        log.warning("%d figures differ", count)
        return 1
    log.info("no difference: %d records, %d failed", len(found.records), found.failed)
    return 0


def _say_what_is_left_out(found: RecordedRun, *, encoder: bool) -> None:
    if not found.finished:
        done = len(found.records)
        log.warning("unfinished: %d of %d questions are done", done, found.questions)
    if not encoder:
        log.info("semantic_similarity is not recomputed (--no-encoder)")
    else:
        log.info("semantic_similarity may differ by %g: the encoder's arithmetic", _rough(found))
    now = versions()
    changed = [name for name in now if found.versions.get(name) != now[name]]
    if changed:
        log.warning("other versions than at the run's start: %s", ", ".join(changed))


def differences(found: RecordedRun, *, encoder: bool) -> Iterator[str]:
    """Yield a line for each figure of a run that is not what its journal gives."""
    if found.digest != digest(found.identity):
        yield line("manifest.json", "digest", found.digest, digest(found.identity))
    if len(found.records) > found.questions:
        yield line("manifest.json", "questions", found.questions, len(found.records))
    encoded = _encoded(found) if encoder else {}
    formula = found.identity.get("calibrated_judge")
    for record in found.records:
        names = ["semantic_similarity", *([CALIBRATED_JUDGE] if formula else [])]
        yield from _of_record(record, names, encoded.get(record["index"], {}), _rough(found))
    yield from _of_candidates(found, open_encoder(_embedder(found)) if encoder else None)
    yield from _of_results(found)


def _rough(found: RecordedRun) -> float:
    embedder = found.identity.get("embedder")
    dtype = str(embedder.get("dtype")) if isinstance(embedder, dict) else ""
    return ROUGH_TOLERANCE if dtype.startswith(PREFIX) else ENCODER_TOLERANCE


def _of_record(
    record: Record,
    encoded_names: Sequence[str],
    encoded: Mapping[str, float | None],
    tolerance: float,
) -> Iterator[str]:
    where = f"question {record['index']}"
    stored = record["metrics"]
    made: dict[str, float | None] = {}
    if record["error"] is None:
        made = {**lexical(record["answer"], record["reference"]), "LLM_judge": judged(record)}
        # Without the encoder there is nothing to hold against it; that it is there is checked.
        made |= {name: encoded.get(name, stored.get(name)) for name in encoded_names}
    for name in (*METRIC_NAMES, *(name for name in stored if name not in METRIC_NAMES)):
        if (name in stored) != (name in made):
            yield line(where, name, stored.get(name, "nothing"), made.get(name, "nothing"))
        elif name in stored and not near(
            stored[name],
            made[name],
            tolerance if name in encoded_names else TOLERANCE,
        ):
            yield line(where, name, stored[name], made[name])
    for step in record["steps"]:
        if step["node"] == "judge" and not near(step.get("score"), judged(record)):
            yield line(where, "score of the judge's step", step.get("score"), judged(record))


def _of_candidates(found: RecordedRun, encoder: Encoder | None) -> Iterator[str]:
    sound = [record for record in found.records if record["error"] is None]
    copies: list[Record] = [{**record} for record in sound]
    score_texts(encoder, copies)
    name = "semantic_similarity"
    for record, copy in zip(sound, copies, strict=True):
        for old, new in zip(record["candidates"], copy["candidates"], strict=False):
            stored, made = old["metrics"].get(name), new["metrics"][name]
            if encoder is None or near(stored, made, _rough(found)):
                new["metrics"] = {**new["metrics"], name: stored}
        where = f"question {record['index']}: candidates"
        yield from of_values(where, record["candidates"], copy["candidates"])


def judged(record: Record) -> float | None:
    """Return what the judge's verdict in a record amounts to; None where there is none."""
    verdicts = [
        verdict
        for step in record["steps"]
        if step["node"] == "judge"
        for verdict in step.get("verdicts", [])
    ]
    return expected_score(verdicts[-1]) if verdicts else None


def _encoded(found: RecordedRun) -> dict[int, dict[str, float | None]]:
    """Return, by question, the metrics that need the encoder."""
    sound = [record for record in found.records if record["error"] is None]
    opened = open_encoder(_embedder(found))
    scores = semantic_similarity(
        opened, [r["answer"] for r in sound], [r["reference"] for r in sound]
    )
    made: dict[int, dict[str, float | None]] = {
        record["index"]: {"semantic_similarity": score}
        for record, score in zip(sound, scores, strict=True)
    }
    if (fields := found.identity.get("calibrated_judge")) is not None:
        formula = judge_of_identity(fields)
        for record, score in zip(sound, record_scores(formula, opened, sound), strict=True):
            made[record["index"]][CALIBRATED_JUDGE] = score
    return made


def _embedder(found: RecordedRun) -> EmbedderSpec:
    return recorded_embedder(found, "; leave it out with --no-encoder")


def _of_results(found: RecordedRun) -> Iterator[str]:
    for record in found.records:
        if record["error"] is None and not record["metrics"].keys() >= {*METRIC_NAMES}:
            yield f"metrics.json: not recomputed: question {record['index']} lacks a metric"
            return
    settings = settings_of(found)
    with TemporaryDirectory() as folder:
        # What was known of a judge then is no figure of this run.
        known = stored_calibration(found.folder / "metrics.json")
        write_results(Path(folder), results_of(settings, found.records, known))
        for name in ("metrics.json", "summary.md"):
            path = found.folder / name
            if not found.finished and not path.exists():
                log.warning("%s is not there: it is written at the run's end", name)
                continue
            yield from of_file(path, (Path(folder) / name).read_text(encoding="utf-8"))

"""The judges whose agreement with people was measured: reports name it beside a judge's score.

The project ships the figures of its default judge; `calibrate --record` adds those of other judges
to a file in the cache folder.
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, TypedDict

from evaluation.calibration.score_agreement import CountedEstimate, Estimate
from evaluation.metrics.calibrated_judge import CALIBRATED_JUDGE, SHIPPED, load_judge
from evaluation.metrics.llm_judge import LLM_JUDGE
from graph.support.errors import DatasetError
from graph.support.storage import cache_folder, make_folder, read_regular, write_atomically
from graph.support.text import plural
from prompts.judge_prompts import JUDGE

SHIPPED_FIGURES = Path(__file__).with_name("known_judges.json")
COIN = 0.5
"""Share of pairs on which a coin agrees with people."""
_DAMAGE = (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError)
"""What reading a damaged file raises."""
_KEY_FIELDS = ("model", "revision", "chat_format")
"""Fields of a model's spec that identify a judge; its arithmetic (`dtype`) does not."""


class JudgeFigures(TypedDict):
    """The figures of one measurement of a judge."""

    grades: str
    """Name of the file of grades."""
    n: int
    """Answers that the judge scored."""
    spearman: Estimate
    pair_agreement: CountedEstimate


class KnownJudge(JudgeFigures):
    """A judge that was measured."""

    judge: dict[str, Any]
    """As `judge_key` returns it, or intercept and weights of a calibrated judge."""


class Calibration(TypedDict):
    """The calibration of the judge behind a metric; figures are None where it was not measured."""

    metric: str
    judge: str
    """Name of the judge's model, or of the calibrated judge."""
    grades: str | None
    """Name of the file of grades."""
    n: int | None
    spearman: Estimate | None
    pair_agreement: CountedEstimate | None


def own_figures() -> Path:
    """Return the path of the user's file of measured judges."""
    return cache_folder() / "known_judges.json"


def calibration_of(identity: Mapping[str, Any]) -> list[Calibration]:
    """Return the calibration of each judge of a run; empty for a run without one.

    Args:
        identity: As in a run's manifest: `judge` holds the spec of a model, `calibrated_judge`
            the coefficients of a formula.

    Raises:
        DatasetError: A file of measured judges is damaged.
    """
    calibrations: list[Calibration] = []
    if isinstance(judge := identity.get("judge"), Mapping):
        figures = _find_figures(judge_key(judge))
        calibrations.append(_calibration(LLM_JUDGE.name, str(judge.get("model")), figures))
    if isinstance(formula := identity.get("calibrated_judge"), Mapping):
        key = {field: formula.get(field) for field in ("intercept", "weights")}
        shipped = load_judge(SHIPPED)
        if shipped.identity == key:
            figures, name = shipped.provenance["cross_validated"], "calibrated"
        else:
            figures, name = _find_figures(key), "calibrated, of your own"
        calibrations.append(_calibration(CALIBRATED_JUDGE.name, name, figures))
    return calibrations


def judge_key(judge: Mapping[str, Any]) -> dict[str, object]:
    """Return the key that figures are stored under: model, revision, chat format and prompt.

    Args:
        judge: The spec of the judge's model, as in a run's identity.
    """
    prompt = sha256(JUDGE.template.encode()).hexdigest()
    return {**{field: judge.get(field) for field in _KEY_FIELDS}, "prompt_sha256": prompt}


def read_known_judges(path: Path) -> list[dict[str, Any]]:
    """Read the measured judges of a file; empty if there is no file.

    Raises:
        DatasetError: The file is damaged.
    """
    try:
        judges = json.loads(path.read_text(encoding="utf-8"))["judges"]
        for judge in judges:
            # Reads every field that is used later, so that a missing one is an error here.
            note_of(_calibration("", str(judge["judge"]), judge))
    except FileNotFoundError:
        return []
    except _DAMAGE:
        raise DatasetError(
            f"{path}: damaged list of measured judges: delete the file, then measure again with "
            "python -m evaluation calibrate --grades CSV --record"
        ) from None
    return list(judges)


def record_judge(judge: KnownJudge) -> Path:
    """Add a judge to the user's file, in place of its earlier figures; return the path.

    Raises:
        DatasetError: The file is damaged.
    """
    path = own_figures()
    judges = [known for known in read_known_judges(path) if known["judge"] != judge["judge"]]
    judges = sorted([*judges, {**judge}], key=lambda known: json.dumps(known["judge"]))
    make_folder(path.parent)
    write_atomically(path, json.dumps({"judges": judges}, indent=1, allow_nan=False) + "\n")
    return path


def stored_calibration(path: Path) -> list[Calibration]:
    """Read the calibrations of a metrics.json; empty if they cannot be read."""
    try:
        calibrations = json.loads(read_regular(path))["calibration"]
        for calibration in calibrations:
            note_of(calibration)
    except (*_DAMAGE, DatasetError):
        return []
    return list(calibrations)


def note_of(calibration: Calibration) -> str:
    """Return the line that reports show beside a judge's score."""
    name = f"{calibration['metric']} ({calibration['judge']})"
    pairs = calibration["pair_agreement"]
    if pairs is None or pairs["mean"] is None:
        return (
            f"{name}: not calibrated against people; measure it with python -m evaluation "
            "calibrate --grades CSV --record."
        )
    ends = pairs["ci95"]
    interval = f" ({ends[0]:.0%} to {ends[1]:.0%})" if ends else ""
    note = (
        f"{name}: agreed with people on {pairs['mean']:.0%} of {pairs['n']} "
        f"{plural(pairs['n'], 'pair')} of answers that they tell apart{interval}, on {calibration['grades']}."
    )
    doubt = doubt_of(pairs)
    return f"{note} {doubt}" if doubt else note


def doubt_of(pair_agreement: Estimate) -> str | None:
    """Return a warning if a judge's pair agreement is not shown to be better than a coin's."""
    ends = pair_agreement["ci95"]
    if ends is None:
        return "Warning: there is no interval to tell it from a coin: do not rank by this judge."
    if ends[1] < COIN:
        return "Warning: a coin agrees on 50 %, more than this judge: do not rank by it."
    if ends[0] <= COIN:
        return "Warning: a coin agrees on 50 %, which its interval includes: do not rank by this judge."
    return None


def _find_figures(key: Mapping[str, object]) -> Mapping[str, Any]:
    """Return the figures stored under a key, the user's before the shipped ones; else none."""
    for path in (own_figures(), SHIPPED_FIGURES):
        for known in read_known_judges(path):
            if known["judge"] == key:
                return known
    return {"grades": None, "n": None, "spearman": None, "pair_agreement": None}


def _calibration(metric: str, judge: str, figures: Mapping[str, Any]) -> Calibration:
    return {
        "metric": metric,
        "judge": judge,
        "grades": figures["grades"],
        "n": figures["n"],
        "spearman": figures["spearman"],
        "pair_agreement": figures["pair_agreement"],
    }

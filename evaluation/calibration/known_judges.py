"""How far a judge agrees with people, where that was measured: what reports say beside its score."""

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, TypedDict

from evaluation.calibration.score_agreement import Counted, Estimate
from evaluation.metrics.calibrated_judge import SHIPPED, load_judge
from graph.support.errors import DatasetError
from graph.support.storage import write_atomically
from prompts.judge import JUDGE

KNOWN = Path(__file__).with_name("known_judges.json")
COIN = 0.5
"""What a coin agrees with people on, of the pairs that they tell apart."""
_DECIDES = ("model", "revision", "chat_format")
"""Fields of a model that another model of the same name may not share; arithmetic is not one."""


class Figures(TypedDict):
    """What a measurement found."""

    grades: str
    """Name of the file of grades."""
    n: int
    spearman: Estimate
    pair_agreement: Counted


class Entry(Figures):
    """A judge that was measured."""

    judge: dict[str, Any]


class Calibration(TypedDict):
    """What is known of the judge behind a metric; figures are None where nothing was measured."""

    metric: str
    judge: str
    grades: str | None
    """Name of the file of grades."""
    n: int | None
    spearman: Estimate | None
    pair_agreement: Counted | None


def calibration_of(identity: Mapping[str, Any]) -> list[Calibration]:
    """Return what is known of each judge in a run's identity; no judge, no entry.

    Args:
        identity: As in a run's manifest: `judge` is the model's fields, `calibrated_judge` those of
            a formula.
    """
    found: list[Calibration] = []
    if isinstance(judge := identity.get("judge"), Mapping):
        found.append(_of_model(judge))
    if isinstance(formula := identity.get("calibrated_judge"), Mapping):
        found.append(_of_formula(formula))
    return found


def _of_model(judge: Mapping[str, Any]) -> Calibration:
    name = str(judge.get("model"))
    for entry in read_known(KNOWN):
        if entry["judge"] == judge_key(judge):
            return _known("LLM_judge", name, entry)
    return _unknown("LLM_judge", name)


def _of_formula(formula: Mapping[str, Any]) -> Calibration:
    key = {field: formula.get(field) for field in ("intercept", "weights")}
    shipped = load_judge(SHIPPED)
    if shipped.identity == key:
        return _known("calibrated_judge", "calibrated", shipped.provenance["cross_validated"])
    for entry in read_known(KNOWN):
        if entry["judge"] == key:
            return _known("calibrated_judge", "calibrated, of your own", entry)
    return _unknown("calibrated_judge", "calibrated, of your own")


def _known(metric: str, judge: str, figures: Mapping[str, Any]) -> Calibration:
    return {
        "metric": metric,
        "judge": judge,
        "grades": str(figures["grades"]),
        "n": figures["n"],
        "spearman": figures["spearman"],
        "pair_agreement": figures["pair_agreement"],
    }


def _unknown(metric: str, judge: str) -> Calibration:
    return {
        "metric": metric,
        "judge": judge,
        "grades": None,
        "n": None,
        "spearman": None,
        "pair_agreement": None,
    }


def judge_key(judge: Mapping[str, Any]) -> dict[str, object]:
    """Return what a measurement of a judge holds for: the model and what it is asked."""
    prompt = sha256(JUDGE.template.encode()).hexdigest()
    return {**{field: judge.get(field) for field in _DECIDES}, "prompt_sha256": prompt}


def read_known(path: Path) -> list[dict[str, Any]]:
    """Return what was measured.

    Raises:
        DatasetError: the file is damaged.
    """
    if not path.exists():
        return []
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["judges"]
        for entry in entries:
            _known("", str(entry["judge"]), entry)
            entry["spearman"]["mean"], entry["pair_agreement"]["mean"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise DatasetError(
            f"{path}: cannot be read: restore it from the repository, or remove it"
        ) from None
    return list(entries)


def remember(path: Path, entry: Entry) -> None:
    """Keep a judge's figures; those of an earlier measurement of the same judge go."""
    others = [each for each in read_known(path) if each["judge"] != entry["judge"]]
    kept = sorted([*others, {**entry}], key=lambda each: json.dumps(each["judge"]))
    write_atomically(path, json.dumps({"judges": kept}, indent=1, allow_nan=False) + "\n")


def stored_calibration(path: Path) -> list[Calibration]:
    """Return what a metrics.json says of the judges; nothing where it cannot be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["calibration"]
        for each in found:
            note_of(each)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, AttributeError):
        return []
    return list(found)


def note_of(known: Calibration) -> str:
    """Return the line that stands beside a judge's score."""
    name = f"{known['metric']} ({known['judge']})"
    pairs = known["pair_agreement"]
    if pairs is None or pairs["mean"] is None:
        return (
            f"{name}: not calibrated against people; measure it with python -m evaluation "
            "calibrate --grades CSV --record."
        )
    said = (
        f"{name}: agreed with people on {pairs['mean']:.0%} of {pairs['n']} pairs of answers that "
        f"they tell apart{_between(pairs)}, on {known['grades']}."
    )
    doubt = doubt_of(pairs)
    return f"{said} {doubt}" if doubt else said


def doubt_of(pairs: Estimate) -> str | None:
    """Return the warning beside a judge that is not shown to be better than a coin."""
    ends = pairs["ci95"]
    if ends is None:
        return "Warning: there is no interval to tell it from a coin: do not rank by this judge."
    if ends[1] < COIN:
        return "Warning: a coin agrees on 50 %, more than this judge: do not rank by it."
    if ends[0] <= COIN:
        return "Warning: a coin agrees on 50 %, which its interval includes: do not rank by this judge."
    return None


def _between(estimate: Estimate) -> str:
    ends = estimate["ci95"]
    return f" ({ends[0]:.0%} to {ends[1]:.0%})" if ends else ""

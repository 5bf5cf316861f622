"""The results of a run: the content of metrics.json, computed from the run's records."""

from collections.abc import Sequence
from typing import TypedDict

from evaluation.analysis.passage_quality import RetrievalQuality, retrieval_quality
from evaluation.analysis.stage_gains import StageGain, stage_gains, stage_scores
from evaluation.answering.model_calls import (
    Tokens,
    cut_by_judge,
    judge_error,
    judge_reason,
    tokens_of,
)
from evaluation.calibration.known_judges import Calibration
from evaluation.metrics.registry import metric_names
from evaluation.statistics.summaries import Summary, summarise
from evaluation.store.journal import Record
from graph.schema import Settings
from nodes.state import Step, is_withheld


class LongTexts(TypedDict):
    """The number of texts that the model behind a metric could not read at once."""

    answers: int
    """Answers that the encoder read in parts."""
    references: int
    """References that the encoder read in parts."""
    cut_for_judge: int
    """Questions whose answer or reference was cut to fit the judge's window."""
    cut_tokens: int
    """Tokens of them that the judge did not read."""


class _CriteriaUnscored(TypedDict, total=False):
    criteria_unscored: dict[str, int]
    """By reason, the number of answers that their criteria do not score; missing without criteria."""


class _Gated(TypedDict, total=False):
    closed_book: int
    """The number of questions whose prompts showed no passage; missing in a config that shows all."""
    withheld: int
    """The number of answers that were withheld; missing in a config that withholds none."""


class Results(_CriteriaUnscored, _Gated):
    """The content of metrics.json; an uninterrupted and a resumed run have the same."""

    config: str
    profile: str
    n: int
    failed: int
    empty_answers: int
    metrics: dict[str, Summary]
    calibration: list[Calibration]
    """The agreement of each judge with people, as known when the file was written."""
    retrieval: RetrievalQuality | None
    """None if the config retrieves nothing or no question names relevant posts."""
    judge_mass: Summary
    """Probability of all grades together, before normalising; low if the judge did not follow."""
    judge_errors: dict[str, int]
    """By error of the judge, the number of answers that are unscored for it."""
    long_texts: LongTexts
    stages: dict[str, dict[str, Summary]]
    """Metrics of the answer after each stage, over all questions."""
    added: dict[str, StageGain]
    """The gain of each stage but the first, over the questions where it ran."""
    critique_formats: dict[str, int]
    critique_flaws: dict[str, int]
    """Number of critiques with each flaw, see nodes/critique.py; one can have several."""
    refinements: dict[str, int]
    """Number of refinements by decision of accept; empty without the stage accept."""
    halved_replies: int
    tokens: Tokens
    seconds: dict[str, str]
    """Name of the file of times, which differ from run to run and so are not in metrics.json."""


def results_of(
    settings: Settings, records: Sequence[Record], calibration: Sequence[Calibration] = ()
) -> Results:
    """Compute the results of a run.

    Args:
        settings: The config and the name of the profile.
        records: The records of the run, in any order.
        calibration: The calibration of the run's judges.
    """
    ordered = sorted(records, key=lambda record: record["index"])
    answered = [record for record in ordered if record["error"] is None]
    steps = [step for record in ordered for step in record["steps"]]
    return {
        "config": settings.config_name,
        "profile": settings.profile_name,
        "n": len(ordered),
        "failed": len(ordered) - len(answered),
        "empty_answers": sum(not record["answer"] for record in answered),
        "metrics": _means(answered),
        "calibration": [*calibration],
        "retrieval": (
            None if settings.config.retrieval.kind == "none" else retrieval_quality(answered)
        ),
        "judge_mass": summarise(
            [
                verdict["mass"]
                for step in steps
                if step["node"] == "judge"
                for verdict in step.get("verdicts", [])
            ]
        ),
        "judge_errors": _count(
            [judge_reason(error) for r in answered if (error := judge_error(r["steps"]))]
        ),
        "long_texts": _long_texts(answered),
        "stages": stage_scores(ordered),
        "added": stage_gains(ordered),
        "critique_formats": _count(
            [step["critique_format"] for step in steps if "critique_format" in step]
        ),
        "critique_flaws": _count(
            [flaw for step in steps for flaw in step.get("critique_flaws", [])]
        ),
        "refinements": _count_refinements(steps),
        "halved_replies": sum(r["halvings"] > 0 for step in steps for r in step.get("replies", [])),
        "tokens": tokens_of(ordered),
        "seconds": {"file": "timings.json"},
        **_criteria_unscored(answered),
        **_gated(settings, answered),
    }


def _means(records: Sequence[Record]) -> dict[str, Summary]:
    names = metric_names(record["metrics"] for record in records)
    return {name: summarise([record["metrics"].get(name) for record in records]) for name in names}


def _long_texts(records: Sequence[Record]) -> LongTexts:
    parts = [record["encoder_parts"] for record in records if record["encoder_parts"] is not None]
    cut = [tokens for record in records if (tokens := cut_by_judge(record["steps"]))]
    return {
        "answers": sum(read["answer"] > 1 for read in parts),
        "references": sum(read["reference"] > 1 for read in parts),
        "cut_for_judge": len(cut),
        "cut_tokens": sum(cut),
    }


def _criteria_unscored(records: Sequence[Record]) -> _CriteriaUnscored:
    if not any("criteria" in record for record in records):
        return {}
    reasons = [r["criteria_unscored"] for r in records if "criteria_unscored" in r]
    return {"criteria_unscored": _count(reasons)}


def _gated(settings: Settings, records: Sequence[Record]) -> _Gated:
    counts: _Gated = {}
    if settings.config.generation.closed_book_below is not None:
        steps = [step for record in records for step in record["steps"]]
        counts["closed_book"] = sum(step.get("closed_book", False) for step in steps)
    if settings.config.answer.abstain is not None:
        counts["withheld"] = sum(is_withheld(record["steps"]) for record in records)
    return counts


def _count(names: Sequence[str]) -> dict[str, int]:
    return {name: names.count(name) for name in sorted(set(names))}


def _count_refinements(steps: Sequence[Step]) -> dict[str, int]:
    accepting = [step for step in steps if step["node"] == "accept"]
    if not accepting:
        return {}
    counts = {"accepted": 0, "not preferred": 0, "unreadable": 0}
    for step in accepting:
        if any(preference["first_wins"] is None for preference in step["preferences"]):
            counts["unreadable"] += 1
        else:
            counts["accepted" if step["chosen"] else "not preferred"] += 1
    return counts

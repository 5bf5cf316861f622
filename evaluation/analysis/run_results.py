"""From the records of a run to its results: the content of metrics.json."""

from collections.abc import Sequence
from typing import TypedDict

from evaluation.analysis.passage_quality import RetrievalQuality, retrieval_quality
from evaluation.analysis.stage_gains import StageGain, stage_gains, stage_scores
from evaluation.answering.model_calls import Tokens, tokens_of
from evaluation.calibration.known_judges import Calibration
from evaluation.metrics.registry import metric_names
from evaluation.statistics.summaries import Summary, summarise
from evaluation.store.journal import Record
from graph.schema import Settings
from nodes.state import Step


class Results(TypedDict):
    """The content of metrics.json: the same for an uninterrupted and a resumed run."""

    config: str
    profile: str
    n: int
    failed: int
    empty_answers: int
    metrics: dict[str, Summary]
    calibration: list[Calibration]
    """How far each judge agrees with people, as it was known when this was written."""
    retrieval: RetrievalQuality | None
    """None where nothing is retrieved, or no question names relevant posts."""
    judge_mass: Summary
    """What the judge's grades got together before normalising: low means it did not understand."""
    stages: dict[str, dict[str, Summary]]
    """Metrics of the answer as it stood after each stage, over all questions."""
    added: dict[str, StageGain]
    """What each stage but the first added, over the questions where it ran."""
    critique_formats: dict[str, int]
    critique_flaws: dict[str, int]
    """What was wrong with critiques themselves, see nodes/critique.py; one can have several."""
    refinements: dict[str, int]
    """Where `refine.accept` is `preferred`: how many were kept, not kept, and not readable."""
    halved_replies: int
    tokens: Tokens
    seconds: dict[str, str]
    """Times differ from run to run: they stand in timings.json."""


def results_of(
    settings: Settings, records: Sequence[Record], calibration: Sequence[Calibration] = ()
) -> Results:
    """Compute a run's results from its records alone; `calibration` is said beside them."""
    ordered = sorted(records, key=lambda record: record["index"])
    sound = [record for record in ordered if record["error"] is None]
    steps = [step for record in ordered for step in record["steps"]]
    return {
        "config": settings.config_name,
        "profile": settings.profile_name,
        "n": len(ordered),
        "failed": len(ordered) - len(sound),
        "empty_answers": sum(not record["answer"] for record in sound),
        "metrics": _means(sound),
        "calibration": [*calibration],
        "retrieval": (
            None if settings.config.retrieval.kind == "none" else retrieval_quality(sound)
        ),
        "judge_mass": summarise(
            [
                v["mass"]
                for step in steps
                if step["node"] == "judge"
                for v in step.get("verdicts", [])
            ]
        ),
        "stages": stage_scores(ordered),
        "added": stage_gains(ordered),
        "critique_formats": _count(
            [step["critique_format"] for step in steps if "critique_format" in step]
        ),
        "critique_flaws": _count(
            [flaw for step in steps for flaw in step.get("critique_flaws", [])]
        ),
        "refinements": _refinements(steps),
        "halved_replies": sum(r["halvings"] > 0 for step in steps for r in step.get("replies", [])),
        "tokens": tokens_of(ordered),
        "seconds": {"file": "timings.json"},
    }


def _means(records: Sequence[Record]) -> dict[str, Summary]:
    names = metric_names(record["metrics"] for record in records)
    return {name: summarise([each["metrics"].get(name) for each in records]) for name in names}


def _count(names: Sequence[str]) -> dict[str, int]:
    return {name: names.count(name) for name in sorted(set(names))}


def _refinements(steps: Sequence[Step]) -> dict[str, int]:
    found = {"accepted": 0, "not preferred": 0, "unreadable": 0}
    accepting = [step for step in steps if step["node"] == "accept"]
    for step in accepting:
        unread = any(each["first_wins"] is None for each in step["preferences"])
        kept = "accepted" if step["chosen"] else "not preferred"
        found["unreadable" if unread else kept] += 1
    return found if accepting else {}

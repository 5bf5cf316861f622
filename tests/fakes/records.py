"""Records of a journal, as a run would write them."""

from evaluation.metrics.registry import METRIC_NAMES
from evaluation.store.journal import Record
from tests.fakes.fake_models import reply, verdict


def record(index: int = 0, **changes) -> Record:
    """Return a record whose every metric is `index / 10`."""
    fields: Record = {
        "index": index,
        "eval_id": f"q{index}",
        "question": "why?",
        "reference": "because",
        "relevant_question_ids": [],
        "answer": f"answer {index}",
        "reasoning": "",
        "passages": [],
        "steps": [
            {"node": "generate", "seconds": 0.5, "replies": [reply("x")], "answer": "x"},
            {"node": "judge", "seconds": 0.25, "verdicts": [verdict({"0": 0.5, "4": 0.5}, "0")]},
        ],
        "error": None,
        "metrics": dict.fromkeys(METRIC_NAMES, index / 10),
        "candidates": [],
    }
    return {**fields, **changes}


def failed(index: int) -> Record:
    return record(
        index,
        answer="",
        steps=[],
        error={"type": "ValueError", "message": "no"},
        metrics={},
    )

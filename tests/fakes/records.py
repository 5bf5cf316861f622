"""Records of a journal, as a run would write them."""

from collections.abc import Sequence

from evaluation.answering.questions import Item, question_digests
from evaluation.metrics.registry import METRIC_NAMES
from evaluation.store.journal import Record, RunKey, digest_of_record
from tests.fakes.fake_models import reply, verdict


def record(index: int = 0, **changes) -> Record:
    """Return a record whose every metric is `index / 10`."""
    fields: Record = {
        "index": index,
        "eval_id": f"q{index}",
        "question": "why?",
        "reference": "because",
        "relevant_question_ids": [],
        "relevant_not_in_corpus": [],
        "answer": f"answer {index}",
        "reasoning": "",
        "passages": [],
        "steps": [
            {"node": "generate", "seconds": 0.5, "replies": [reply("x")], "answer": "x"},
            {"node": "judge", "seconds": 0.25, "verdicts": [verdict({"0": 0.5, "4": 0.5}, "0")]},
        ],
        "error": None,
        "metrics": dict.fromkeys(METRIC_NAMES, index / 10),
        "encoder_parts": {"answer": 1, "reference": 1},
        "candidates": [],
    }
    return {**fields, **changes}


def failed(index: int) -> Record:
    return record(
        index,
        answer="",
        steps=[],
        error={"type": "ValueError", "message": "no", "of_question": False},
        metrics={},
        encoder_parts=None,
    )


def digests_of(records: Sequence[Record], count: int | None = None) -> list[str]:
    """Return the digests of the questions of records, and of unknown ones up to a number."""
    digests = {
        record["index"]: digest_of_record(record)
        for record in records
        if isinstance(record["index"], int)
    }
    if count is None:
        count = max([len(records) - 1, *digests]) + 1
    return [digests.get(index, f"unknown {index}") for index in range(count)]


def key_of(records: Sequence[Record], count: int | None = None) -> RunKey:
    """Return the key of a run with the questions of these records."""
    return RunKey("0123456789ab" + "0" * 52, digests_of(records, count), 8)


def key_of_items(items: Sequence[Item], batch_size: int = 8) -> RunKey:
    """Return the key of a run over these questions."""
    return RunKey("0123456789ab" + "0" * 52, question_digests(items), batch_size)
